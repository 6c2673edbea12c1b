// One scenario from its namespace to its end: the symptom with the ordinary client, the question, the cure pasted, the client again.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Cause, Report } from '#why/report.ts';
import { call, type Output, type TestCluster } from '../e2e/cluster.ts';
import type { Client, Expected, Scenario, Situation } from './scenario.ts';
import { hash, World } from './world.ts';

export type Outcome = 'right' | 'wrong' | 'missed' | 'false alarm' | 'not shown';

export interface Result {
  readonly code: string;
  readonly title: string;
  readonly outcome: Outcome;
  /** What was expected and what came, when it is not right. */
  readonly detail?: string;
  readonly whyMs: number;
}

const ROOT = join(import.meta.dirname, '..', '..');
const SYMPTOM_TIMEOUT_MS = 60_000;
const CURE_TIMEOUT_MS = 60_000;
const CLIENT_TIMEOUT_MS = 15_000;
const WHY_TIMEOUT_MS = 40_000;
/** A forward is there, or never will be. */
const FORWARD_SECONDS = 4;

export async function runScenario(cluster: TestCluster, scenario: Scenario, seed: number): Promise<Result> {
  const own = hash(`${seed}/${scenario.code}/${scenario.title}`);
  const namespace = `s-${own.toString(36)}`;
  const world = new World(cluster, namespace, own);
  const { code, title } = scenario;
  let situation: Situation | undefined;
  let whyMs = 0;
  const done = (outcome: Outcome, detail?: string): Result => ({
    code,
    title,
    outcome,
    whyMs,
    ...(detail === undefined ? {} : { detail }),
  });
  await cluster.kubectl(['create', 'namespace', namespace]);
  try {
    situation = await scenario.make(world);
    const { client, symptom, expected } = situation;
    const isHealthy = expected === undefined;
    const works = (output: Output, c: Client = client) => output.code === 0 && (c.works?.test(output.stdout) ?? true);
    const shown = await world.untilClient(
      () => runClient(world, client),
      (o) => (isHealthy ? works(o) : !works(o) && (symptom?.test(`${o.stdout}\n${o.stderr}`) ?? true)),
      SYMPTOM_TIMEOUT_MS,
    );
    if (isHealthy ? !works(shown) : works(shown) || symptom?.test(`${shown.stdout}\n${shown.stderr}`) === false)
      return done('not shown', `the client said ${shown.code}: ${shown.stdout}${shown.stderr}`);

    const asked = await cluster.coracle(['why', ...situation.why, '-n', namespace, '-o', 'json'], {
      timeoutMs: WHY_TIMEOUT_MS,
    });
    whyMs = Math.round(asked.tookMs);
    let report: Report;
    try {
      report = JSON.parse(asked.stdout) as Report;
    } catch {
      return done('wrong', `why ended with ${asked.code}: ${asked.stderr}${asked.stdout.slice(0, 500)}`);
    }
    const judged = judge(situation, report);
    if (judged !== undefined) return done(...judged);
    const cures = report.cause === undefined ? [] : [report.cause, ...report.alsoBroken];
    const texts = cures.flatMap((c) => c.cure.map((x) => `[${x.kind}] ${x.text}`)).join('\n');
    if (situation.cureSays !== undefined && !situation.cureSays.test(texts))
      return done('wrong', `no cure says ${String(situation.cureSays)}: ${texts}`);
    if (isHealthy || situation.incurable !== undefined) return done('right');

    const forwards = await paste(world, cures, situation.shell);
    try {
      const after = situation.afterCure ?? client;
      const cured = await world.untilClient(
        () => runClient(world, after),
        (o) => works(o, after),
        CURE_TIMEOUT_MS,
      );
      if (works(cured, after)) return done('right');
      return done('wrong', `the cure does not mend it: ${cured.stdout}${cured.stderr}\n${texts}`);
    } finally {
      for (const end of forwards) end();
    }
  } catch (error) {
    return done('not shown', error instanceof Error ? `${error.message} ${String(error.cause ?? '')}` : String(error));
  } finally {
    await situation?.restore?.();
    await cluster.tryKubectl(['delete', 'namespace', namespace, ...world.others, '--wait=false', '--now']);
  }
}

function judge(situation: Situation, report: Report): [Outcome, string] | undefined {
  const { expected, also, warning } = situation;
  const said = `${report.verdict}: ${[report.cause, ...report.alsoBroken].map((c) => c && describe(c)).join('; ')}; warned: ${report.warnings.map(describe).join('; ')}`;
  if (expected === undefined) {
    if (report.verdict !== 'ok' || report.cause !== undefined || report.alsoBroken.length > 0)
      return ['false alarm', said];
    if (warning !== undefined && !report.warnings.some((w) => fits(warning, w))) return ['missed', said];
    return undefined;
  }
  if (report.verdict !== 'broken' || report.cause === undefined) return ['missed', said];
  const all = [report.cause, ...report.alsoBroken];
  if (!fits(expected, report.cause) && !(also !== undefined && all.some((c) => fits(expected, c))))
    return ['wrong', `expected ${JSON.stringify(expected)}, got ${said}`];
  if (also !== undefined && !all.some((c) => fits(also, c))) return ['missed', `also ${JSON.stringify(also)}: ${said}`];
  if (all.length > (also === undefined ? 1 : 2)) return ['false alarm', said];
  if (warning !== undefined && !report.warnings.some((w) => fits(warning, w))) return ['missed', said];
  return undefined;
}

const describe = (c: Cause): string =>
  `${c.code} at ${c.object === undefined ? 'no object' : `${c.object.kind} ${c.object.name} ${c.object.field ?? ''}`}`;

function fits(expected: Expected, cause: Cause): boolean {
  const { object } = cause;
  const { field } = expected;
  return (
    cause.code === expected.code &&
    (expected.kind === undefined || object?.kind === expected.kind) &&
    (expected.name === undefined || object?.name === expected.name) &&
    (field === undefined || (typeof field === 'string' ? object?.field === field : field.test(object?.field ?? '')))
  );
}

function runClient(world: World, { on, command }: Client): Promise<Output> {
  if (on === 'laptop') return call(command[0]!, command.slice(1), { timeoutMs: CLIENT_TIMEOUT_MS });
  if (on.startsWith('node/'))
    return world.cluster.coracle(['node', 'exec', on.slice('node/'.length), '--', ...command], {
      timeoutMs: CLIENT_TIMEOUT_MS,
    });
  if (/^(deploy|sts)\//.test(on))
    return world.cluster.exec(world.namespace, on, command, { timeoutMs: CLIENT_TIMEOUT_MS });
  const [name, namespace = world.namespace] = on.split('/').toReversed();
  return world.cluster.exec(namespace, name!, command, { timeoutMs: CLIENT_TIMEOUT_MS });
}

/** As a user pastes: commands into a shell, manifests into kubectl apply. A command that goes on is left running. */
async function paste(
  world: World,
  causes: readonly Cause[],
  shell: Situation['shell'] = {},
): Promise<readonly (() => void)[]> {
  const ends: (() => void)[] = [];
  const { cluster } = world;
  // Files that a cure makes stay out of the folder that this was started in.
  const folder = mkdtempSync(join(tmpdir(), 'coracle-cure-'));
  ends.push(() => rmSync(folder, { recursive: true, force: true }));
  const env = {
    ...process.env,
    ...shell,
    KUBECONFIG: cluster.kubeconfig,
    CORACLE_NAME: cluster.name,
    PATH: `${ROOT}:${process.env['PATH']}`,
  };
  for (const cure of causes.flatMap((c) => c.cure)) {
    if (cure.kind === 'manifest') {
      await call('kubectl', ['apply', '-f', '-'], { input: cure.text, timeoutMs: 30_000 }, env);
    } else if (cure.kind === 'command') {
      if (!/port-forward|coracle connect/.test(cure.text)) {
        await call('bash', ['-c', `cd ${folder}\n${cure.text}`], { timeoutMs: 90_000 }, env);
        continue;
      }
      const child = spawn('bash', ['-c', `exec ${cure.text}`], { env, stdio: 'ignore', detached: true });
      ends.push(() => process.kill(-child.pid!, 'SIGTERM'));
      await new Promise((resolve) => setTimeout(resolve, FORWARD_SECONDS * 1000));
    }
  }
  return ends;
}
