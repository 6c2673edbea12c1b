// Deep freezing, so that tests and simulation catch whoever mutates an object it only shares.

/** Freezes plain JSON in place, all the way down. What is frozen already is taken to be so below, too. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const child of Object.values(value)) deepFreeze(child);
  return value;
}
