// Semantic equality of API values: absent, null, empty list and empty map are the same thing, key order means nothing.

type IsAbsent = (value: unknown) => boolean;

export const sameValue = (a: unknown, b: unknown): boolean => same(a, b, isEmpty);

/**
 * Equality of what controllers count and say: zero, false and '' are absent as well, since the API leaves out most of them. Not for
 * spec, where a zero that was written is not a default.
 */
export const sameStatus = (a: unknown, b: unknown): boolean => same(a, b, isZero);

function same(a: unknown, b: unknown, isAbsent: IsAbsent): boolean {
  if (a === b) return true;
  if (isAbsent(a) && isAbsent(b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return (
      Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, i) => same(item, b[i], isAbsent))
    );
  }
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  for (const key of Object.keys(left)) if (!same(left[key], right[key], isAbsent)) return false;
  for (const key of Object.keys(right)) if (!(key in left) && !isAbsent(right[key])) return false;
  return true;
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

const isZero = (value: unknown): boolean => value === 0 || value === false || value === '' || isEmpty(value);
