// When a node is short of something: eviction signals, their thresholds as the kubelet's flags write them, and which are met for
// how long. Pure. Left out: the signals of containerfs, which is never a disk of its own here.
import { compareQuantity, formatQuantity, makeQuantity, parseQuantity, quantityToNumber } from '#machinery/quantity.ts';

export const SIGNALS = [
  'memory.available',
  'nodefs.available',
  'nodefs.inodesFree',
  'imagefs.available',
  'imagefs.inodesFree',
  'pid.available',
] as const;
export type Signal = (typeof SIGNALS)[number];

export type Pressure = 'MemoryPressure' | 'DiskPressure' | 'PIDPressure';
export type Resource = 'memory' | 'ephemeral-storage' | 'inodes' | 'pids';

export const RESOURCE_OF: Readonly<Record<Signal, Resource>> = {
  'memory.available': 'memory',
  'nodefs.available': 'ephemeral-storage',
  'nodefs.inodesFree': 'inodes',
  'imagefs.available': 'ephemeral-storage',
  'imagefs.inodesFree': 'inodes',
  'pid.available': 'pids',
};

export const PRESSURE_OF: Readonly<Record<Signal, Pressure>> = {
  'memory.available': 'MemoryPressure',
  'nodefs.available': 'DiskPressure',
  'nodefs.inodesFree': 'DiskPressure',
  'imagefs.available': 'DiskPressure',
  'imagefs.inodesFree': 'DiskPressure',
  'pid.available': 'PIDPressure',
};

/** A quantity's text, or a share of the capacity between 0 and 1. */
export type Amount = { readonly quantity: string } | { readonly share: number };

export interface Threshold {
  readonly signal: Signal;
  readonly amount: Amount;
  /** Soft ones count only when they have been met for so long; 0 is a hard one. */
  readonly graceMs: number;
  /** Once met, so much more than the amount has to be free again. */
  readonly minReclaim?: Amount;
}

/** The kubelet's options of these names, in its own notation. What is not given is upstream's default. */
export interface EvictionOptions {
  /** `memory.available<100Mi,nodefs.available<10%`: replaces all defaults. */
  readonly hard?: string;
  readonly soft?: string;
  /** `memory.available=1m30s`: each soft one needs its own. */
  readonly softGracePeriod?: string;
  /** `memory.available=0Mi,nodefs.available=500Mi` */
  readonly minimumReclaim?: string;
  readonly pressureTransitionPeriodMs?: number;
  /** Longest grace of a pod that a soft threshold evicts. */
  readonly maxPodGracePeriodSeconds?: number;
}

export const DEFAULT_HARD = 'memory.available<100Mi,nodefs.available<10%,nodefs.inodesFree<5%,imagefs.available<15%';
export const DEFAULT_TRANSITION_MS = 5 * 60_000;

/** What is there and what there is in all: bytes, inodes, or processes. */
export interface Observation {
  readonly available: number;
  readonly capacity: number;
}
export type Observations = ReadonlyMap<Signal, Observation>;

export class ThresholdError extends Error {}

export function parseThresholds(options: EvictionOptions): readonly Threshold[] {
  const grace = new Map(
    pairs(options.softGracePeriod, '=').map(([signal, text]) => [signal, parseDuration(signal, text)]),
  );
  const reclaim = new Map(
    pairs(options.minimumReclaim, '=').map(([signal, text]) => [signal, parseAmount(signal, text)]),
  );
  const make =
    (graceOf: (signal: Signal) => number) =>
    ([signal, text]: readonly [Signal, string]): Threshold => {
      const minReclaim = reclaim.get(signal);
      const amount = parseAmount(signal, text);
      return { signal, amount, graceMs: graceOf(signal), ...(minReclaim === undefined ? {} : { minReclaim }) };
    };
  const hard = pairs(options.hard ?? DEFAULT_HARD, '<').filter(([, text]) => !['0%', '100%'].includes(text));
  return [
    ...hard.map(make(() => 0)),
    ...pairs(options.soft, '<').map(
      make((signal) => {
        const ms = grace.get(signal);
        if (ms === undefined)
          throw new ThresholdError(`grace period must be specified for the soft eviction threshold ${signal}`);
        return ms;
      }),
    ),
  ];
}

/** What of a capacity is not given to pods, because below it they are sent away: it is no part of what a node can allocate. */
export function reservedOf(options: EvictionOptions, signal: Signal, capacity: number): number {
  const hard = parseThresholds(options).find((t) => t.signal === signal && t.graceMs === 0);
  return hard === undefined ? 0 : Math.min(capacity, amountOf(hard.amount, capacity));
}

/** Signal → value, as a kubelet's configuration has them. */
export const statements = (text: string, operator: '<' | '='): Readonly<Record<string, string>> =>
  Object.fromEntries(pairs(text, operator));

function pairs(text: string | undefined, operator: '<' | '='): readonly (readonly [Signal, string])[] {
  const seen = new Set<string>();
  return (text ?? '')
    .split(',')
    .map((t) => t.trim())
    .filter((t) => t !== '')
    .map((statement) => {
      const at = statement.indexOf(operator);
      if (at < 0)
        throw new ThresholdError(
          `invalid eviction threshold ${JSON.stringify(statement)}: write SIGNAL${operator}VALUE`,
        );
      const signal = SIGNALS.find((s) => s === statement.slice(0, at).trim());
      if (signal === undefined)
        throw new ThresholdError(
          `unsupported eviction signal ${statement.slice(0, at).trim()}: use one of ${SIGNALS.join(', ')}`,
        );
      if (seen.has(signal)) throw new ThresholdError(`duplicate eviction threshold for ${signal}`);
      seen.add(signal);
      return [signal, statement.slice(at + 1).trim()] as const;
    });
}

function parseAmount(signal: Signal, text: string): Amount {
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(text);
  if (percent !== null) {
    const share = Number(percent[1]) / 100;
    if (share < 0 || share > 1)
      throw new ThresholdError(`eviction percentage threshold ${signal} must be >= 0% and < 100%: ${text}`);
    return { share };
  }
  try {
    if (quantityToNumber(text) >= 0) return { quantity: formatQuantity(parseQuantity(text)) };
  } catch (cause) {
    throw new ThresholdError(`eviction threshold ${signal} wants a quantity or a percentage, not "${text}"`, { cause });
  }
  throw new ThresholdError(`eviction threshold ${signal} must be positive: ${text}`);
}

const UNIT_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** Durations as Go writes them: `1m30s`. */
export function parseDuration(what: string, text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g)];
  if (parts.length === 0 || parts.map((p) => p[0]).join('') !== text)
    throw new ThresholdError(`${what} wants a duration such as 1m30s, not "${text}"`);
  return parts.reduce((total, [, number, unit]) => total + Number(number) * UNIT_MS[unit!]!, 0);
}

/** The amount in numbers, of this capacity. */
export const amountOf = (amount: Amount, capacity: number): number =>
  'share' in amount ? Math.trunc(capacity * amount.share) : quantityToNumber(amount.quantity);

/** As upstream's messages write it: what was configured, or the share in binary units. */
export const amountText = (amount: Amount, capacity: number): string =>
  'share' in amount ? binaryText(amountOf(amount, capacity)) : amount.quantity;

export const binaryText = (amount: number): string => formatQuantity(makeQuantity(Math.trunc(amount), 'BinarySI'));

export function isMet(threshold: Threshold, observations: Observations, withReclaim: boolean): boolean {
  const seen = observations.get(threshold.signal);
  if (seen === undefined) return false;
  const more = withReclaim && threshold.minReclaim !== undefined ? amountOf(threshold.minReclaim, seen.capacity) : 0;
  return amountOf(threshold.amount, seen.capacity) + more > seen.available;
}

export interface PressureState {
  /** Met threshold → since when. */
  readonly since: ReadonlyMap<Threshold, number>;
  /** Pressure → when one of its thresholds was met last. */
  readonly lastSeen: ReadonlyMap<Pressure, number>;
  /** In force: seen within the transition period. */
  readonly pressures: readonly Pressure[];
  /** Met for at least their grace: what eviction works against, memory first. */
  readonly due: readonly Threshold[];
}

export const NO_PRESSURE: PressureState = { since: new Map(), lastSeen: new Map(), pressures: [], due: [] };

/** One that was due stays so until its minimum is reclaimed too. */
export function nextPressure(
  before: PressureState,
  thresholds: readonly Threshold[],
  observations: Observations,
  nowMs: number,
  transitionMs: number,
): PressureState {
  const met = thresholds.filter(
    (t) => isMet(t, observations, false) || (before.due.includes(t) && isMet(t, observations, true)),
  );
  const since = new Map(met.map((t) => [t, before.since.get(t) ?? nowMs]));
  const lastSeen = new Map(before.lastSeen);
  for (const { signal } of met) lastSeen.set(PRESSURE_OF[signal], nowMs);
  for (const [pressure, atMs] of lastSeen)
    if (nowMs - atMs >= transitionMs && atMs !== nowMs) lastSeen.delete(pressure);
  const due = met.filter((t) => nowMs - since.get(t)! >= t.graceMs);
  const isMemory = (t: Threshold) => (t.signal === 'memory.available' ? 0 : 1);
  return {
    since,
    lastSeen,
    pressures: (['MemoryPressure', 'DiskPressure', 'PIDPressure'] as const).filter((p) => lastSeen.has(p)),
    due: due.toSorted((a, b) => isMemory(a) - isMemory(b)),
  };
}

/** Is a quantity's text more than another's? For limits of volumes and containers. */
export const exceeds = (used: number, limit: string): boolean =>
  compareQuantity(makeQuantity(Math.trunc(used)), parseQuantity(limit)) > 0;
