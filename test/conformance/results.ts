// Results kept by commit and target, a file for each run, so that a run that was stopped goes on and later runs of a test replace
// earlier ones.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Result } from './report.ts';

export interface Run {
  /** Commit of the checkout; ends in `-dirty` when the product differed from it. */
  readonly commit: string;
  /** `coracle`, `reference`, or the kubeconfig's cluster. */
  readonly against: string;
  /** ISO time of the run's start: what orders runs. */
  readonly started: string;
  readonly results: readonly Result[];
}

/** A result and where it comes from. */
export interface Kept extends Result {
  readonly commit: string;
  readonly started: string;
}

/** Test → its newest result. A test that left itself out later does not hide that it once ran. */
export function mergeRuns(runs: readonly Run[]): ReadonlyMap<string, Kept> {
  const merged = new Map<string, Kept>();
  for (const run of runs.toSorted((a, b) => (a.started < b.started ? -1 : a.started > b.started ? 1 : 0)))
    for (const result of run.results) {
      if (result.outcome === 'skipped' && merged.has(result.name)) continue;
      merged.set(result.name, { ...result, commit: run.commit, started: run.started });
    }
  return merged;
}

const folderOf = (root: string, commit: string, against: string): string =>
  join(root, commit, against.replaceAll(/[^\w.-]/g, '_'));

export function saveRun(root: string, run: Run): void {
  if (run.results.length === 0) return;
  const folder = folderOf(root, run.commit, run.against);
  mkdirSync(folder, { recursive: true });
  const lines = run.results.map((r) => `    ${JSON.stringify(r)}`).join(',\n');
  const { results: _, ...head } = run;
  const text = `${JSON.stringify(head).slice(0, -1)},"results":[\n${lines}\n]}\n`;
  writeFileSync(join(folder, `${run.started.replaceAll(/[:.]/g, '-')}.json`), text);
}

export function loadRuns(root: string, commits: readonly string[], against: string): readonly Run[] {
  return commits.flatMap((commit) => {
    const folder = folderOf(root, commit, against);
    if (!existsSync(folder)) return [];
    return readdirSync(folder)
      .filter((f) => f.endsWith('.json'))
      .map((f) => JSON.parse(readFileSync(join(folder, f), 'utf8')) as Run);
  });
}
