// Requests: durable creates, reads, changes, lists, watches, and the deletion of a namespace, the same load on both sides in turn.
import { setTimeout as delay } from 'node:timers/promises';
import { type Contender, NAMESPACE, type Pair, withPair } from './contenders.ts';
import type { Figure, Sample } from './figures.ts';
import type { Generator } from './load/generator.ts';
import type { Job, LoadResult, RequestsJob } from './load/job.ts';
import { CONFIG_MAP, DEPLOYMENT, named, POD } from './objects.ts';
import { cpuSeconds, memory } from './processes.ts';
import type { Subject } from './subject.ts';

/** Requests of the full run; each takes the reference a few seconds. */
const COUNTS = {
  warmUp: 1_500,
  alone: 400,
  configMaps: 3_000,
  pods: 2_000,
  getsAlone: 1_500,
  gets: 4_000,
  changes: 1_200,
  podsListed: 10_000,
  lists: 6,
  listsAtOnce: 16,
  walksAtOnce: 8,
  writesWatched100: 300,
  writesWatched1000: 100,
  deleted: 1_000,
} as const;
type Counts = Readonly<Record<keyof typeof COUNTS, number>>;

/** Objects that changes go round. */
const CHANGED = 500;
const PAGE = 500;
/** What a load leaves to be done (garbage, logs, compactions) is counted as its own: until the server has used less than so much of a window. */
const SETTLE_MS = 200;
const SETTLED_CPU_SECONDS = 0.02;
const SETTLE_WINDOWS = 15;
const QUIET_MS = 5_000;
const BASE = `/api/v1/namespaces/${NAMESPACE}`;
const DEPLOYMENTS = `/apis/apps/v1/namespaces/${NAMESPACE}/deployments`;
const GONE_TIMEOUT_MS = 300_000;

export const api: Subject = async ({ generator, rounds, scale, say }) => {
  const counts = Object.fromEntries(
    Object.entries(COUNTS).map(([name, n]) => [name, Math.max(1, Math.round(n * scale))]),
  ) as Counts;
  const figures = new Figures(say);
  await withPair([], async (pair) => {
    await delay(QUIET_MS);
    await inTurn(pair, 1, async (side) => addMemory(figures, 'memory, fresh', side));
    say('warming up');
    await inTurn(pair, 1, (side) => warmUp(generator, side, counts));
    for (let round = 0; round < rounds; round++) {
      say(`round ${round + 1} of ${rounds}: requests`);
      for (const phase of requestPhases(counts, round)) await measurePhase(pair, generator, figures, phase);
    }
    await inTurn(pair, 1, (side) => fillForLists(generator, side, counts));
    for (let round = 0; round < rounds; round++) {
      say(`round ${round + 1} of ${rounds}: lists and watches`);
      for (const phase of listPhases(counts)) await measurePhase(pair, generator, figures, phase);
      for (const phase of watchPhases(counts, round)) await measurePhase(pair, generator, figures, phase);
    }
    await delay(QUIET_MS);
    await inTurn(pair, 1, async (side) => addMemory(figures, 'memory after this load', side));
  });
  await withPair(['controllers'], async (pair) => {
    await delay(QUIET_MS);
    for (let round = 0; round < rounds; round++) {
      say(`round ${round + 1} of ${rounds}: a namespace goes`);
      await inTurn(pair, 1, (side) => deleteNamespace(generator, side, figures, round, counts.deleted));
    }
  });
  return figures.all();
};

/** Figures by what they are, in the order in which they first came. */
export class Figures {
  readonly #all = new Map<string, { unit: Figure['unit']; coracle: Sample[]; reference: Sample[] }>();
  readonly #say: (line: string) => void;

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  add(what: string, unit: Figure['unit'], side: Contender, sample: Sample): void {
    const figure = this.#all.getOrInsertComputed(what, () => ({ unit, coracle: [], reference: [] }));
    figure[side.name].push(sample);
    const cpu = sample.cpuMicros === undefined ? '' : `, ${Math.round(sample.cpuMicros)} µs CPU`;
    this.#say(`  ${what.padEnd(46)} ${side.name.padEnd(9)} ${sample.value.toFixed(2)} ${unit}${cpu}`);
  }

  fail(what: string, side: Contender, error: Error): void {
    this.#say(`  ${what.padEnd(46)} ${side.name.padEnd(9)} FAILED: ${error.message}`);
  }

  /** Those that both sides have. */
  all(): readonly Figure[] {
    return [...this.#all]
      .map(([what, { unit, coracle, reference }]) => ({ what, unit, coracle, reference }))
      .filter((f) => f.coracle.length > 0 && f.reference.length > 0);
  }
}

/** First one side, then the other: A B A B, so that a slow moment of the machine hits both. */
export async function inTurn(pair: Pair, rounds: number, work: (side: Contender) => Promise<void>): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    await work(pair.coracle);
    await work(pair.reference);
  }
}

export function addMemory(figures: Figures, what: string, side: Contender): void {
  const { rssMiB, pssMiB } = memory(Object.values(side.pids));
  figures.add(`${what}, resident`, 'MiB', side, { value: rssMiB });
  figures.add(`${what}, proportional`, 'MiB', side, { value: pssMiB });
}

interface Phase {
  readonly what: string;
  readonly job: Job;
  /** Of a whole list the time counts, not the rate. */
  readonly isTime?: true;
  readonly prepare?: (side: Contender) => Promise<void>;
}

async function measurePhase(pair: Pair, generator: Generator, figures: Figures, phase: Phase): Promise<void> {
  await inTurn(pair, 1, async (side) => {
    await phase.prepare?.(side);
    const outcome = await measured(generator, side, phase.job).catch((error: Error) => error);
    // Too busy a machine for one of them: the other phases are still worth having.
    if (outcome instanceof Error) return figures.fail(phase.what, side, outcome);
    const { result, cpuMicros } = outcome;
    const sample = { cpuMicros, p50Ms: result.p50Ms, p99Ms: result.p99Ms };
    if (phase.isTime === true) figures.add(phase.what, 'ms', side, { value: result.p50Ms, cpuMicros });
    else if (phase.job.kind === 'watch') {
      const ended = result.endedWatches ?? 0;
      const note = ended === 0 ? {} : { note: `${ended} watches ended by the server` };
      figures.add(phase.what, '/s', side, { value: result.count / result.seconds, cpuMicros, ...note });
    } else figures.add(phase.what, '/s', side, { value: result.count / result.seconds, ...sample });
  });
}

/** Runs a job and counts the server's processor time. */
export async function measured(
  generator: Generator,
  side: Contender,
  job: Job,
): Promise<{ readonly result: LoadResult; readonly cpuMicros: number }> {
  const pids = Object.values(side.pids);
  const before = cpuSeconds(pids);
  const result = await generator.run(side.target, job);
  for (let i = 0; i < SETTLE_WINDOWS; i++) {
    const from = cpuSeconds(pids);
    await delay(SETTLE_MS);
    if (cpuSeconds(pids) - from <= SETTLED_CPU_SECONDS) break;
  }
  return { result, cpuMicros: ((cpuSeconds(pids) - before) / result.count) * 1e6 };
}

function creates(path: string, template: string, name: string, count: number, clients: number): RequestsJob {
  return { kind: 'requests', method: 'POST', path, body: named(template, name), count, clients };
}

/** Code is compiled, connections are open, and what changes go round is there. */
async function warmUp(generator: Generator, side: Contender, { warmUp: count }: Counts): Promise<void> {
  for (const job of [
    creates(`${BASE}/configmaps`, CONFIG_MAP, 'changed', CHANGED, 16),
    creates(`${BASE}/pods`, POD, 'changed', CHANGED, 16),
    creates(`${BASE}/configmaps`, CONFIG_MAP, 'warm', count, 16),
    creates(`${BASE}/pods`, POD, 'warm', count, 16),
    ...changes(count / 2, 0),
  ]) {
    await generator.run(side.target, job);
  }
}

function changes(count: number, round: number): RequestsJob[] {
  const common = {
    kind: 'requests',
    clients: 16,
    count: Math.round(count),
    wrap: CHANGED,
    first: round * 100_000,
  } as const;
  return [
    { ...common, method: 'PUT', path: `${BASE}/configmaps/changed-%`, body: named(CONFIG_MAP, 'changed') },
    {
      ...common,
      method: 'PATCH',
      path: `${BASE}/pods/changed-%`,
      body: '{"metadata":{"labels":{"number":"n#"}}}',
      contentType: 'application/merge-patch+json',
    },
    {
      ...common,
      method: 'PATCH',
      path: `${DEPLOYMENTS}/applied-%?fieldManager=bench&force=true`,
      body: named(DEPLOYMENT, 'applied'),
      contentType: 'application/apply-patch+yaml',
    },
  ];
}

function requestPhases(counts: Counts, round: number): Phase[] {
  const [update, patch, apply] = changes(counts.changes, round + 1) as [RequestsJob, RequestsJob, RequestsJob];
  const gets = { kind: 'requests', method: 'GET', wrap: CHANGED, count: counts.gets } as const;
  const create = (what: string, path: string, template: string, clients: number, count: number): Phase => ({
    what: `create ${what}, ${clients} client${clients === 1 ? '' : 's'}`,
    job: creates(path, template, `r${round}-c${clients}`, count, clients),
  });
  return [
    create('ConfigMap', `${BASE}/configmaps`, CONFIG_MAP, 1, counts.alone),
    create('ConfigMap', `${BASE}/configmaps`, CONFIG_MAP, 16, counts.configMaps),
    create('ConfigMap', `${BASE}/configmaps`, CONFIG_MAP, 64, counts.configMaps),
    create('pod', `${BASE}/pods`, POD, 1, counts.alone),
    create('pod', `${BASE}/pods`, POD, 16, counts.pods),
    create('pod', `${BASE}/pods`, POD, 64, counts.pods),
    {
      what: 'get pod, 1 client',
      job: { ...gets, count: counts.getsAlone, path: `${BASE}/pods/changed-%`, clients: 1 },
    },
    { what: 'get pod, 16 clients', job: { ...gets, path: `${BASE}/pods/changed-%`, clients: 16 } },
    { what: 'update ConfigMap (PUT), 16 clients', job: update },
    { what: 'merge patch of a pod, 16 clients', job: patch },
    { what: 'server-side apply of a Deployment, 16 clients', job: apply },
  ];
}

const LISTED = 'bench-listed';

async function fillForLists(generator: Generator, side: Contender, counts: Counts): Promise<void> {
  await makeNamespace(side, LISTED);
  await generator.run(side.target, creates(`/api/v1/namespaces/${LISTED}/pods`, POD, 'listed', counts.podsListed, 64));
}

function listPhases(counts: Counts): Phase[] {
  const path = `/api/v1/namespaces/${LISTED}/pods`;
  const whole = { kind: 'requests', method: 'GET', path } as const;
  const pods = counts.podsListed.toLocaleString('en');
  return [
    { what: `list of ${pods} pods, 1 client`, isTime: true, job: { ...whole, count: counts.lists, clients: 1 } },
    { what: `list of ${pods} pods, 8 clients`, isTime: true, job: { ...whole, count: counts.listsAtOnce, clients: 8 } },
    {
      what: `the same in pages of ${PAGE}, 1 client`,
      job: { kind: 'pages', path, limit: PAGE, walks: 2, clients: 1 },
    },
    {
      what: `the same in pages of ${PAGE}, 8 clients`,
      job: { kind: 'pages', path, limit: PAGE, walks: counts.walksAtOnce, clients: 8 },
    },
  ];
}

/** Each in a namespace of its own, so that nothing comes before the events that are counted. */
function watchPhases(counts: Counts, round: number): Phase[] {
  const fanOut = (watchers: number, writes: number): Phase => {
    const namespace = `bench-watched-${watchers}-${round}`;
    const path = `/api/v1/namespaces/${namespace}/configmaps`;
    return {
      what: `events to ${watchers.toLocaleString('en')} watchers`,
      prepare: (side) => makeNamespace(side, namespace),
      job: {
        kind: 'watch',
        path: `${path}?watch=true&resourceVersion=0`,
        watchers,
        write: creates(path, CONFIG_MAP, 'seen', writes, 16),
      },
    };
  };
  return [fanOut(100, counts.writesWatched100), fanOut(1_000, counts.writesWatched1000)];
}

async function deleteNamespace(
  generator: Generator,
  side: Contender,
  figures: Figures,
  round: number,
  count: number,
): Promise<void> {
  const name = `bench-going-${round}`;
  await makeNamespace(side, name);
  await generator.run(side.target, creates(`/api/v1/namespaces/${name}/configmaps`, CONFIG_MAP, 'going', count, 16));
  await delay(1_000);
  const pids = Object.values(side.pids);
  const cpu = cpuSeconds(pids);
  const from = performance.now();
  await side.ask('DELETE', `/api/v1/namespaces/${name}`);
  while ((await side.ask('GET', `/api/v1/namespaces/${name}`)).status !== 404) {
    if (performance.now() - from > GONE_TIMEOUT_MS) throw new Error(`namespace ${name} did not go on ${side.name}`);
    await delay(10);
  }
  const seconds = (performance.now() - from) / 1000;
  const what = `a namespace with ${count.toLocaleString('en')} ConfigMaps: delete → gone`;
  figures.add(what, 's', side, { value: seconds, cpuMicros: ((cpuSeconds(pids) - cpu) / count) * 1e6 });
}

/** With the account that pods are refused without; where controllers run they may be quicker. */
export async function makeNamespace(side: Contender, name: string): Promise<void> {
  await side.ask('POST', '/api/v1/namespaces', { metadata: { name } });
  await side.ask('POST', `/api/v1/namespaces/${name}/serviceaccounts`, { metadata: { name: 'default' } });
}
