// How large the corpus is in what it asks, not in how often: cases that have kind, verb, outcome and field in common count once.
import type { Area } from '../case.ts';
import type { RecordedCase } from './recorded.ts';

export interface Count {
  readonly area: Area | 'all';
  readonly cases: number;
  /** By kind, verb, outcome and field. */
  readonly different: number;
  /** Whose verb writes. */
  readonly writes: number;
  /** Of all answers, those of 200 to 299; a command line's is its exit code 0. */
  readonly good: number;
  readonly answers: number;
}

interface SomeAnswer {
  readonly status?: number;
  readonly code?: number;
  readonly body?: {
    readonly reason?: string;
    readonly details?: { readonly causes?: readonly { readonly field?: string; readonly reason?: string }[] };
  };
}

const WRITES =
  /^(create|update|merge patch|JSON patch|strategic patch|patch|apply|delete|status (update|patch|apply)|scale (update|merge|JSON|apply)|POST|PUT|PATCH|DELETE)\b/;

export function countCases(area: Area, recorded: ReadonlyMap<string, RecordedCase>): Count {
  const keys = new Set<string>();
  const writes = new Set<string>();
  let good = 0;
  let total = 0;
  for (const [id, { answers }] of recorded) {
    const list = answers as readonly SomeAnswer[];
    total += list.length;
    good += list.filter(isGood).length;
    const [, kind = '', ...rest] = id.split('/');
    const what = rest.join('/');
    const outcome = list.map((a) => `${a.status ?? a.code} ${a.body?.reason ?? ''}`).join();
    const causes = list.flatMap((a) => a.body?.details?.causes ?? []).map((c) => `${c.field} ${c.reason}`);
    // Where no field is named in the answer, the case names what it is about.
    const key = [kind, what.split(' ')[0], outcome, causes.length > 0 ? causes.join() : what].join('|');
    keys.add(key);
    if (WRITES.test(what)) writes.add(key);
  }
  return { area, cases: recorded.size, different: keys.size, writes: writes.size, good, answers: total };
}

const isGood = (a: SomeAnswer): boolean => (a.status === undefined ? a.code === 0 : a.status >= 200 && a.status < 300);

export const addCounts = (counts: readonly Count[]): Count =>
  counts.reduce((a, b) => ({
    area: 'all',
    cases: a.cases + b.cases,
    different: a.different + b.different,
    writes: a.writes + b.writes,
    good: a.good + b.good,
    answers: a.answers + b.answers,
  }));
