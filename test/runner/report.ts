// The lines between the reporter inside a test process and the runner outside, and their sum.
export type ReportLine =
  | { readonly kind: 'pass'; readonly name: string; readonly ms: number }
  | { readonly kind: 'skip'; readonly name: string; readonly reason: string }
  | {
      readonly kind: 'fail';
      readonly name: string;
      readonly where: string;
      readonly nesting: number;
      readonly text: string;
    };

export interface Failure {
  readonly name: string;
  readonly where: string;
  readonly text: string;
}

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export interface Outcome extends Counts {
  readonly failures: readonly Failure[];
  /** Reason → names of what was skipped for it. */
  readonly skips: ReadonlyMap<string, readonly string[]>;
}

export const NOTHING: Outcome = { passed: 0, failed: 0, skipped: 0, failures: [], skips: new Map() };

export function add(a: Outcome, b: Outcome): Outcome {
  const skips = new Map(a.skips);
  for (const [reason, names] of b.skips) skips.set(reason, [...(skips.get(reason) ?? []), ...names]);
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
    failures: [...a.failures, ...b.failures],
    skips,
  };
}

/** The outcome of one process: what it reported, and a failure of its own when it ended badly without reporting one. */
export function readReport(
  text: string,
  ended: { readonly problem?: string; readonly output: string; readonly name: string },
): Outcome {
  const skips = new Map<string, string[]>();
  const failures: Failure[] = [];
  let passed = 0;
  let skipped = 0;
  // A process that was killed may leave half a line: the last one counts only when it is whole.
  for (const line of text.split('\n').slice(0, -1)) {
    const value = JSON.parse(line) as ReportLine;
    if (value.kind === 'pass') passed++;
    else if (value.kind === 'fail') failures.push({ name: value.name, where: value.where, text: value.text });
    else {
      skipped++;
      skips.set(value.reason, [...(skips.get(value.reason) ?? []), value.name]);
    }
  }
  // Code 1 is what node:test ends with after failures that it has reported.
  if (ended.problem !== undefined && (failures.length === 0 || ended.problem !== 'ended with code 1')) {
    failures.push({ name: ended.name, where: '', text: `${ended.problem}\n${lastLines(ended.output, 40)}` });
  } else if (ended.problem === undefined && passed + skipped + failures.length === 0) {
    failures.push({ name: ended.name, where: '', text: 'ran no test at all' });
  }
  return { passed, failed: failures.length, skipped, failures, skips };
}

export const lastLines = (text: string, count: number): string => text.trimEnd().split('\n').slice(-count).join('\n');

/** The line that ends a run. */
export const formatCounts = (c: Counts): string => `${c.passed} passed, ${c.failed} failed, ${c.skipped} skipped`;
