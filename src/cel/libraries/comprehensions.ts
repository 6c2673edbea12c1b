// What the two-variable macros transformMap and transformMapEntry expand to.

import { OPERATORS } from '../ast.ts';
import { fn, global, type Library } from '../functions.ts';
import { type Entries, insert } from '../map-entries.ts';
import { mapOf, param } from '../types.ts';
import { CelMap, mapEntries, mapKey, type Value } from '../values.ts';

const MAP = mapOf(param('K'), param('V'));

function withEntries(map: CelMap, added: readonly (readonly [Value, Value])[]): CelMap {
  const entries: Entries = new Map(mapEntries(map).map((entry) => [mapKey(entry[0])!, entry]));
  for (const [key, value] of added) insert(entries, key, value, '');
  return new CelMap(entries);
}

export const COMPREHENSIONS_LIBRARY: Library = {
  functions: [
    fn(
      OPERATORS.mapInsert,
      global('@mapInsert_map_map', [MAP, MAP], MAP, (map: CelMap, other: CelMap) =>
        withEntries(map, mapEntries(other)),
      ),
      global('@mapInsert_map_key_value', [MAP, param('K'), param('V')], MAP, (map: CelMap, key: Value, value: Value) =>
        withEntries(map, [[key, value]]),
      ),
    ),
  ],
};
