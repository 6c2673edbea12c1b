// Completion indexes as a Job writes them (`0,3-5,7`): sets of intervals that are ordered, disjoint and not adjacent.

export interface Interval {
  readonly first: number;
  readonly last: number;
}
export type IndexSet = readonly Interval[];

/** What is below `completions`; fragments that are no intervals are passed over, as the controller does upstream. */
export function parseIndexes(text: string | undefined, completions: number): IndexSet {
  if (text === undefined || text === '') return [];
  const found: Interval[] = [];
  for (const fragment of text.split(',')) {
    const [low, high = low] = fragment.split('-');
    const first = parseInteger(low!);
    const last = parseInteger(high!);
    if (first === undefined || last === undefined) continue;
    if (first >= completions) break;
    found.push({ first, last: Math.min(last, completions - 1) });
  }
  return unionIndexes(found, []);
}

/** Two neighbours are written `4,5`, three and more `4-6`. */
export function formatIndexes(set: IndexSet): string {
  return set
    .map(({ first, last }) =>
      first === last ? `${first}` : last === first + 1 ? `${first},${last}` : `${first}-${last}`,
    )
    .join(',');
}

export function addIndexes(set: IndexSet, indexes: Iterable<number>): IndexSet {
  const sorted = [...indexes].sort((a, b) => a - b);
  return sorted.length === 0
    ? set
    : unionIndexes(
        set,
        sorted.map((i) => ({ first: i, last: i })),
      );
}

/** Both lists ordered by `first`. */
export function unionIndexes(a: IndexSet, b: IndexSet): IndexSet {
  const out: Interval[] = [];
  for (const next of [...a, ...b].sort((x, y) => x.first - y.first)) {
    const last = out.at(-1);
    if (last === undefined || next.first > last.last + 1) out.push(next);
    else if (next.last > last.last) out[out.length - 1] = { first: last.first, last: next.last };
  }
  return out;
}

export const countIndexes = (set: IndexSet): number => set.reduce((n, { first, last }) => n + last - first + 1, 0);

export function hasIndex(set: IndexSet, index: number): boolean {
  let low = 0;
  let high = set.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (set[middle]!.last >= index) high = middle;
    else low = middle + 1;
  }
  return low < set.length && set[low]!.first <= index;
}

/** How many indexes are in both. */
export function countCommon(a: IndexSet, b: IndexSet): number {
  let common = 0;
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const left = a[i]!;
    const right = b[j]!;
    common += Math.max(0, Math.min(left.last, right.last) - Math.max(left.first, right.first) + 1);
    if (left.last <= right.last) i++;
    if (right.last <= left.last) j++;
  }
  return common;
}

/** The first `count` indexes below `completions` that are not in `taken`. */
export function freeIndexes(taken: IndexSet, count: number, completions: number): readonly number[] {
  const free: number[] = [];
  let candidate = 0;
  for (const { first, last } of [...taken, { first: completions, last: completions }]) {
    for (; candidate < Math.min(first, completions) && free.length < count; candidate++) free.push(candidate);
    candidate = Math.max(candidate, last + 1);
  }
  return free;
}

/** What is wrong with a list of indexes, or how many it has: upstream's validateIndexesFormat, word for word. */
export function checkIndexes(text: string, completions: number): { readonly count: number; readonly error?: string } {
  if (text === '') return { count: 0 };
  let count = 0;
  let before: number | undefined;
  for (const fragment of text.split(',')) {
    const interval = parseInterval(fragment, completions);
    if (typeof interval === 'string') return { count: 0, error: interval };
    if (before !== undefined && before >= interval.first)
      return { count: 0, error: nonIncreasing(before, interval.first) };
    count += interval.last - interval.first + 1;
    before = interval.last;
  }
  return { count };
}

/** The first index that is in both lists, as far as they can be read. */
export function firstOverlap(completed: string, failed: string, completions: number): number | undefined {
  const read = (text: string) =>
    text === ''
      ? []
      : text
          .split(',')
          .map((fragment) => parseInterval(fragment, completions))
          .filter((interval) => typeof interval !== 'string');
  const others = read(failed);
  for (const a of read(completed)) {
    const hit = others.find((b) => a.first <= b.last && b.first <= a.last);
    if (hit !== undefined) return Math.max(a.first, hit.first);
  }
  return undefined;
}

function parseInterval(fragment: string, completions: number): Interval | string {
  const parts = fragment.split('-');
  if (parts.length > 2)
    return `the fragment ${JSON.stringify(fragment)} violates the requirement that an index interval can have at most two parts separated by '-'`;
  const limits: number[] = [];
  for (const part of parts) {
    const value = parseInteger(part);
    if (value === undefined) return `cannot convert string to integer for index: ${JSON.stringify(part)}`;
    if (value >= completions) return `too large index: ${JSON.stringify(part)}`;
    limits.push(value);
  }
  const [first, last = first] = limits as [number, number?];
  if (parts.length === 2 && first >= last!) return nonIncreasing(first, last!);
  return { first, last: last! };
}

const nonIncreasing = (previous: number, current: number): string =>
  `non-increasing order, previous: ${previous}, current: ${current}`;

const parseInteger = (text: string): number | undefined => (/^[+-]?\d+$/.test(text) ? Number(text) : undefined);
