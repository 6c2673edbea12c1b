// IntOrString: a number, or a percentage to be scaled against a total (maxSurge, maxUnavailable, minAvailable), or a name (ports).

export type IntOrString = number | string;

/** The number a percentage string holds (`25%` → 25), undefined when it is no percentage. */
export function parsePercent(value: string): number | undefined {
  const match = /^(\d+)%$/.exec(value);
  return match === null ? undefined : Number(match[1]);
}

/**
 * An absolute number: numbers as they are, percentages of `total` rounded as asked. Throws on strings that are no
 * percentage, with upstream's message.
 */
export function scaledValue(value: IntOrString, total: number, round: 'up' | 'down'): number {
  if (typeof value === 'number') return value;
  const percent = parsePercent(value);
  if (percent === undefined) throw new Error(`invalid value for IntOrString: invalid type: string is not a percentage`);
  const exact = (percent * total) / 100;
  return round === 'up' ? Math.ceil(exact) : Math.floor(exact);
}

/** Rolling update bounds of a Deployment: surge rounds up, unavailable down, and both cannot be zero. */
export function resolveFenceposts(
  maxSurge: IntOrString | undefined,
  maxUnavailable: IntOrString | undefined,
  replicas: number,
): { surge: number; unavailable: number } {
  const surge = scaledValue(maxSurge ?? 0, replicas, 'up');
  const unavailable = scaledValue(maxUnavailable ?? 0, replicas, 'down');
  return surge === 0 && unavailable === 0 ? { surge, unavailable: 1 } : { surge, unavailable };
}
