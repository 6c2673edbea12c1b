// Filling the map of a CelMap.

import { celError, Double, mapKey, type Value } from './values.ts';
import { formatValue } from './format-value.ts';

export type Entries = Map<string | number | bigint | boolean, readonly [Value, Value]>;

/** Keys may not repeat. */
export function insert(map: Entries, key: Value, value: Value, repeated = 'Failed with repeated key'): void {
  const canonical = mapKey(key);
  if (canonical === undefined || key instanceof Double) throw celError('unsupported key type');
  if (map.has(canonical))
    throw celError(repeated === '' ? `insert failed: key ${formatValue(key)} already exists` : repeated);
  map.set(canonical, [key, value]);
}
