// `npm run benchmark -- [SUBJECT…] [--rounds N] [--scale 0.1] [--write]`: what Coracle costs, where it can be beside the original programs in
// the same run. Absolute figures move with the machine; the ratios are what to quote. `--write` puts them into docs/benchmarks.md.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { findPrograms, REFERENCE_VERSION, ReferenceMissingError } from '#test/reference/folder.ts';
import { api } from './api.ts';
import { BenchCluster, recordedRows } from './cluster.ts';
import { measureClusterStart } from './cluster-start.ts';
import { type Circumstances, circumstancesText, comparisonTable, plainTable, replaceSection } from './document.ts';
import { measureIdle } from './idle.ts';
import { Generator, measureCeiling } from './load/generator.ts';
import { measurePods } from './pods.ts';
import { scheduler } from './scheduler.ts';
import { measureServices } from './services.ts';
import { start } from './start.ts';
import type { Subject } from './subject.ts';

const TYPED_WRONG = 64;
const MISSING = 69;
const ROOT = join(import.meta.dirname, '..', '..');
const DOCUMENT = join(ROOT, 'docs', 'benchmarks.md');
const GIB = 2 ** 30;

/** Beside the reference, in turn. */
const COMPARED: Readonly<Record<string, { readonly subject: Subject; readonly rounds: number }>> = {
  start: { subject: start, rounds: 5 },
  api: { subject: api, rounds: 3 },
  scheduler: { subject: scheduler, rounds: 2 },
};
/** On a real cluster of its own, in the order in which they run: the first brings it up. Beside bare CRI calls where that says something. */
const ON_CLUSTER: Readonly<Record<string, (cluster: BenchCluster) => Promise<void>>> = {
  cluster: measureClusterStart,
  idle: measureIdle,
  pods: measurePods,
  services: measureServices,
};
const SUBJECTS = [...Object.keys(COMPARED), ...Object.keys(ON_CLUSTER)];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    scale: { type: 'string', default: '1' },
    write: { type: 'boolean', default: false },
  },
});
const scale = Number(values.scale);
const unknown = positionals.filter((p) => !SUBJECTS.includes(p));
if (unknown.length > 0) refuse(`unknown subject ${unknown.join(', ')}; there are ${SUBJECTS.join(', ')}`);
if (!(scale > 0 && scale <= 1)) refuse('--scale wants a number above 0 and up to 1');
if (values.write && scale !== 1) refuse('--write takes full runs only: leave --scale out');
if (values.rounds !== undefined && !/^[1-9]\d?$/.test(values.rounds)) refuse('--rounds wants a number from 1 to 99');
const asked = (name: string): boolean => positionals.length === 0 || positionals.includes(name);

const compared = Object.keys(COMPARED).filter(asked);
if (compared.length > 0) {
  mustHaveReference();
  const generator = new Generator();
  try {
    for (const name of compared) await compare(name, generator);
  } finally {
    generator.stop();
  }
}
if (Object.keys(ON_CLUSTER).some(asked)) await measureCluster();
process.exit();

async function compare(name: string, generator: Generator): Promise<void> {
  const { subject, rounds: usual } = COMPARED[name]!;
  const rounds = values.rounds === undefined ? usual : Number(values.rounds);
  console.log(`\n## ${name}: Coracle and Kubernetes ${REFERENCE_VERSION} in turn`);
  const about = circumstances(rounds);
  const ceiling = name === 'start' ? undefined : await measureCeiling(generator);
  const figures = await subject({ generator, rounds, scale, say: (line) => console.log(line) });
  const text = circumstancesText({ ...about(), ...(ceiling === undefined ? {} : { ceiling }) });
  finish(name, `${text}\n\n${comparisonTable(figures)}`);
}

async function measureCluster(): Promise<void> {
  const cluster = new BenchCluster();
  try {
    for (const [name, measure] of Object.entries(ON_CLUSTER)) {
      if (name !== 'cluster' && !asked(name)) continue;
      console.log(`\n## ${name}`);
      const about = circumstances(1);
      await measure(cluster);
      const rows = recordedRows();
      if (asked(name)) finish(name, `${circumstancesText(about())}\n\n${plainTable(rows)}`);
    }
  } finally {
    cluster.down();
  }
}

function finish(name: string, content: string): void {
  console.log(`\n${content}`);
  if (values.write) writeFileSync(DOCUMENT, replaceSection(readFileSync(DOCUMENT, 'utf8'), name, content));
}

/** Of the machine now; called again at the end. */
function circumstances(rounds: number): () => Circumstances {
  const loadBefore = os.loadavg()[0]!;
  const git = (...args: string[]): string => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim();
  const commit = `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain', 'src') === '' ? '' : ' with changes'}`;
  const cpus = os.cpus();
  const machine = `${cpus.length} CPUs (${cpus[0]!.model.trim()}), ${Math.round(os.totalmem() / GIB)} GiB, Linux ${os.release()}, Node ${process.versions.node}`;
  const date = new Date().toISOString().slice(0, 10);
  return () => ({ date, commit, machine, rounds, loadBefore, loadAfter: os.loadavg()[0]! });
}

function mustHaveReference(): void {
  try {
    findPrograms(['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler']);
  } catch (error) {
    if (!(error instanceof ReferenceMissingError)) throw error;
    console.error(error.message);
    process.exit(MISSING);
  }
}

function refuse(message: string): never {
  console.error(message);
  process.exit(TYPED_WRONG);
}
