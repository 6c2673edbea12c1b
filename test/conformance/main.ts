// `npm run conformance -- --class api --processes 4`: the official suite against a Coracle cluster, the reference or any cluster.
// Results are kept by commit: without --fresh, tests that have one are not run again. Ends with the table by class, and one line.
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { coracleHome } from '#cluster/paths.ts';
import { bringKubectl, layerArchive } from '#install/kubectl.ts';
import { findPrograms } from '../reference/folder.ts';
import { classTable, conformanceDocument, figuresOf } from './document.ts';
import { chooseTests, readList } from './list.ts';
import type { Result } from './report.ts';
import { loadRuns, mergeRuns, saveRun } from './results.ts';
import { runSuite } from './suite.ts';
import { startTarget } from './target.ts';

const { values } = parseArgs({
  options: {
    class: { type: 'string', default: 'all' },
    focus: { type: 'string' },
    skip: { type: 'string' },
    processes: { type: 'string', default: '4' },
    nodes: { type: 'string', default: '2' },
    against: { type: 'string', default: 'coracle' },
    name: { type: 'string', default: 'conformance' },
    minutes: { type: 'string' },
    containers: { type: 'boolean', default: false },
    fresh: { type: 'boolean', default: false },
    failed: { type: 'boolean', default: false },
    with: { type: 'string', multiple: true, default: [] },
    'content-type': { type: 'string' },
    list: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
});
const root = join(import.meta.dirname, '..', '..');
const cache = join(root, '.cache', 'conformance');
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const git = (...args: string[]): string => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();

const all = readList();
const commit = `${git('rev-parse', '--short=10', 'HEAD')}${git('status', '--porcelain', '--', 'src', 'generated') === '' ? '' : '-dirty'}`;
// With --with COMMIT its results stand in for tests that were not run at this one; the document says how many.
const known = () => mergeRuns(loadRuns(cache, [commit, ...values.with], values.against));
const wanted = chooseTests(all, values);
const have = known();
const left = wanted.filter((t) => {
  const result = have.get(t.name);
  if (values.failed) return result?.outcome === 'failed';
  return values.fresh || result === undefined;
});

if (values.list)
  for (const test of left) say(`${test.class}\t${have.get(test.name)?.outcome ?? 'not run'}\t${test.name}`);
else if (left.length > 0)
  await run().catch((error: unknown) => {
    // What was done until then is kept, and counted below.
    say(`conformance: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  });
if (values.write)
  writeFileSync(
    join(root, 'docs', 'conformance.md'),
    conformanceDocument(all, known(), {
      commit,
      date: new Date().toISOString().slice(0, 10),
      against: values.against === 'coracle' ? 'Coracle with two nodes' : values.against,
    }),
  );
say(classTable(all, known()));
const { tests, passed, failed, notRun } = figuresOf(wanted, known());
say(`conformance: ${passed} passed, ${failed} failed, ${notRun} not run of ${tests}`);
process.exitCode ??= failed + notRun === 0 ? 0 : 1;

async function run(): Promise<void> {
  const programs = findPrograms(['ginkgo', 'e2e.test']);
  const { kubectl } = bringKubectl(
    join(coracleHome(process.env, process.getuid?.() === 0), 'tools'),
    layerArchive(root),
  );
  const unlock = values.against === 'coracle' ? lock() : () => {};
  const stopping = new AbortController();
  const stopBySignal = (signal: NodeJS.Signals): void => {
    say(`${signal}: ending what runs, keeping what is done`);
    process.exitCode = signal === 'SIGINT' ? 130 : 143;
    stopping.abort();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stopBySignal);
  const limit =
    values.minutes === undefined
      ? undefined
      : setTimeout(() => {
          say(`${values.minutes} minutes are over: ending what runs, keeping what is done`);
          stopping.abort();
        }, Number(values.minutes) * 60_000);
  const started = new Date().toISOString();
  const folder = join(cache, commit, values.against.replaceAll(/[^\w.-]/g, '_'));
  const stamp = started.replaceAll(/[:.]/g, '-');
  say(`${left.length} of ${wanted.length} tests at commit ${commit}, with ${values.processes} processes`);
  try {
    const target = await startTarget({
      against: values.against,
      name: values.name,
      needsContainers: values.containers || left.some((t) => t.class === 'run'),
      nodes: Number(values.nodes),
      kubectl,
      say,
    });
    try {
      if (!stopping.signal.aborted) await runAgainst(target);
    } finally {
      await target.stop();
    }
    async function runAgainst({ kubeconfig, flags, keepLogs }: typeof target): Promise<void> {
      const done: Result[] = [];
      const save = (results: readonly Result[]) =>
        saveRun(cache, { commit, against: values.against, started, results });
      const contentType =
        values['content-type'] ??
        (values.against === 'coracle' ? 'application/json' : 'application/vnd.kubernetes.protobuf');
      const log = join(folder, `${stamp}.log`);
      const { results, problems } = await runSuite({
        programs,
        kubeconfig,
        kubectl,
        tests: left,
        processes: Number(values.processes),
        flags: [...flags, `--kube-api-content-type=${contentType}`],
        log,
        signal: stopping.signal,
        onResult: (result) => {
          done.push(result);
          save(done);
          const error = result.error === undefined ? '' : `\n    ${result.error}`;
          say(
            `[${done.length}/${left.length}] ${result.outcome.padEnd(7)} ${result.seconds.toFixed(1).padStart(6)} s  ${result.name}${error}`,
          );
        },
      });
      save(results);
      for (const problem of problems) say(`problem: ${problem}`);
      if (problems.length > 0 || results.some((r) => r.outcome === 'failed')) {
        const kept = keepLogs(join(folder, `${stamp}-logs`));
        say(`the suite's output: ${log}${kept === undefined ? '' : `; logs of the parts: ${kept}`}`);
      }
    }
  } finally {
    clearTimeout(limit);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(signal, stopBySignal);
    unlock();
  }
}

/** One runner has the cluster's name; the file says which process. */
function lock(): () => void {
  const file = join(coracleHome(process.env, process.getuid?.() === 0), `${values.name}.pid`);
  mkdirSync(dirname(file), { recursive: true });
  for (;;) {
    try {
      const fd = openSync(file, 'wx');
      writeFileSync(fd, String(process.pid));
      closeSync(fd);
      return () => rmSync(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const pid = Number(readFileSync(file, 'utf8'));
      if (lives(pid))
        throw new Error(`process ${pid} runs the suite on cluster ${values.name} already`, { cause: error });
      rmSync(file, { force: true });
    }
  }
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
