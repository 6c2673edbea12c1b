// Figures of both sides, their medians and ratios, and how they are printed. Every ratio is "how many times better is Coracle": above 1 is
// better, whether more or less of something is wanted.

export interface Sample {
  readonly value: number;
  /** Processor time of all the server's processes for one operation, microseconds. */
  readonly cpuMicros?: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  /** What the number alone would hide; the last one is shown. */
  readonly note?: string;
}

export type Unit = '/s' | 'ms' | 's' | 'MiB';

export interface Figure {
  readonly what: string;
  readonly unit: Unit;
  readonly coracle: readonly Sample[];
  readonly reference: readonly Sample[];
}

/** Of a rate more is better, of everything else less. */
const moreIsBetter = (unit: Unit): boolean => unit === '/s';

export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error('no values have no median');
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Times that the first is better than the second. */
export function ratio(unit: Unit, ours: number, theirs: number): number {
  return moreIsBetter(unit) ? ours / theirs : theirs / ours;
}

export interface Row {
  readonly what: string;
  readonly coracle: string;
  readonly reference: string;
  readonly ratio: string;
  readonly coracleCpu: string;
  readonly referenceCpu: string;
  readonly cpuRatio: string;
}

export function rowOf(figure: Figure): Row {
  const { unit } = figure;
  const all = [figure.coracle, figure.reference] as const;
  const [ours, theirs] = all.map((samples) => median(samples.map((s) => s.value))) as [number, number];
  const [ourCpu, theirCpu] = all.map((samples) => medianOf(samples, 'cpuMicros'));
  return {
    what: figure.what,
    coracle: withLatency(ours, unit, figure.coracle),
    reference: withLatency(theirs, unit, figure.reference),
    ratio: formatRatio(ratio(unit, ours, theirs)),
    coracleCpu: formatCpu(ourCpu),
    referenceCpu: formatCpu(theirCpu),
    cpuRatio: ourCpu === undefined || theirCpu === undefined || ourCpu === 0 ? '' : formatRatio(theirCpu / ourCpu),
  };
}

function medianOf(samples: readonly Sample[], field: 'cpuMicros' | 'p50Ms' | 'p99Ms'): number | undefined {
  const values = samples.flatMap((s) => (s[field] === undefined ? [] : [s[field]]));
  return values.length === 0 ? undefined : median(values);
}

function withLatency(value: number, unit: Unit, samples: readonly Sample[]): string {
  const [p50, p99] = [medianOf(samples, 'p50Ms'), medianOf(samples, 'p99Ms')];
  const latency = p50 === undefined || p99 === undefined ? '' : ` (${digits(p50)} / ${digits(p99)} ms)`;
  const note = samples.findLast((s) => s.note !== undefined)?.note;
  return `${digits(value)}${unit === '/s' ? '' : ' '}${unit}${latency}${note === undefined ? '' : `, ${note}`}`;
}

/** Three digits that matter, thousands with a comma. */
export function digits(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en');
  return value.toFixed(value >= 10 ? 1 : 2);
}

function formatRatio(value: number): string {
  return `${digits(value)} ×`;
}

function formatCpu(micros: number | undefined): string {
  if (micros === undefined) return '';
  return micros >= 1_000 ? `${digits(micros / 1_000)} ms` : `${Math.round(micros)} µs`;
}
