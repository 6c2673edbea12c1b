// Which scenarios a run has, and their order: several at a time, those that touch what others share alone at the end.
import type { TestCluster } from '../e2e/cluster.ts';
import { type Result, runScenario } from './run-scenario.ts';
import type { Scenario } from './scenario.ts';
import { generator, hash } from './world.ts';

export interface Choice {
  /** Only these; all when empty. */
  readonly codes: readonly string[];
  readonly seed: number;
  /** So many of them, by the seed. */
  readonly sample?: number;
}

export function chosen(all: readonly Scenario[], { codes, seed, sample }: Choice): readonly Scenario[] {
  const wanted = all.filter((s) => codes.length === 0 || codes.includes(s.code));
  if (sample === undefined || wanted.length <= sample) return wanted;
  const random = generator(hash(`sample ${seed}`));
  return wanted
    .map((s) => ({ s, at: random() }))
    .toSorted((a, b) => a.at - b.at)
    .slice(0, sample)
    .map(({ s }) => s);
}

export async function runAll(
  cluster: TestCluster,
  scenarios: readonly Scenario[],
  seed: number,
  atOnce: number,
  tell: (result: Result) => void,
): Promise<void> {
  const shared = scenarios.filter((s) => s.alone !== true);
  const workers = Array.from({ length: atOnce }, async () => {
    for (let next = shared.shift(); next !== undefined; next = shared.shift())
      tell(await runScenario(cluster, next, seed));
  });
  await Promise.all(workers);
  for (const scenario of scenarios.filter((s) => s.alone === true)) tell(await runScenario(cluster, scenario, seed));
}

/** One scenario each of so many codes, by the seed; of those that others need not wait for. */
export function sampleOfCodes(all: readonly Scenario[], count: number, seed: number): readonly Scenario[] {
  const random = generator(hash(`codes ${seed}`));
  const shared = all.filter((s) => s.alone !== true);
  const codes = [...new Set(shared.map((s) => s.code))].map((code) => ({ code, at: random() }));
  return codes
    .toSorted((a, b) => a.at - b.at)
    .slice(0, count)
    .map(({ code }) => {
      const own = shared.filter((s) => s.code === code);
      return own[Math.floor(random() * own.length)]!;
    });
}
