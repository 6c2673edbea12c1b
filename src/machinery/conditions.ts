// Conditions of an object's status: finding one and setting one with upstream's rule that lastTransitionTime moves only
// when the status changes (apimachinery, api/meta conditions).

/** The part every condition type shares. */
export interface ConditionLike {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

export function findCondition<C extends ConditionLike>(
  conditions: readonly C[] | undefined,
  type: string,
): C | undefined {
  return conditions?.find((c) => c.type === type);
}

export function isConditionTrue(conditions: readonly ConditionLike[] | undefined, type: string): boolean {
  return findCondition(conditions, type)?.status === 'True';
}

/**
 * The list with `wanted` in it. `now` (RFC 3339) becomes lastTransitionTime when the status differs from before or the
 * condition is new; otherwise the old time stays. Returns the same list when nothing changes.
 */
export function setCondition<C extends ConditionLike>(
  conditions: readonly C[] | undefined,
  wanted: C,
  now: string,
): readonly C[] {
  const list = conditions ?? [];
  const index = list.findIndex((c) => c.type === wanted.type);
  if (index < 0) return [...list, { ...wanted, lastTransitionTime: wanted.lastTransitionTime ?? now }];
  const old = list[index]!;
  const lastTransitionTime =
    old.status === wanted.status ? (old.lastTransitionTime ?? now) : (wanted.lastTransitionTime ?? now);
  const next: C = { ...old, ...wanted, lastTransitionTime };
  if (sameMembers(old, next)) return list;
  return list.with(index, next);
}

export function removeCondition<C extends ConditionLike>(
  conditions: readonly C[] | undefined,
  type: string,
): readonly C[] {
  const list = conditions ?? [];
  return list.some((c) => c.type === type) ? list.filter((c) => c.type !== type) : list;
}

function sameMembers(a: object, b: object): boolean {
  const left = a as Readonly<Record<string, unknown>>;
  const right = b as Readonly<Record<string, unknown>>;
  const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
  for (const key of keys) if (left[key] !== right[key]) return false;
  return true;
}
