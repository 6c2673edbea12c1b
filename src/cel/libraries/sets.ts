// Lists taken as sets (cel-go's sets extension).

import { fn, global, type Library } from '../functions.ts';
import { BOOL, listOf, param } from '../types.ts';
import type { Value } from '../values.ts';
import { includes } from './optionals.ts';

const LIST = listOf(param('T'));
type List = readonly Value[];

const contains = (list: List, wanted: List): boolean => wanted.every((element) => includes(list, element));
const intersects = (a: List, b: List): boolean => a.some((element) => includes(b, element));
const equivalent = (a: List, b: List): boolean => contains(a, b) && contains(b, a);

export const SETS_LIBRARY: Library = {
  functions: [
    fn('sets.contains', global('list_sets_contains_list', [LIST, LIST], BOOL, contains)),
    fn('sets.equivalent', global('list_sets_equivalent_list', [LIST, LIST], BOOL, equivalent)),
    fn('sets.intersects', global('list_sets_intersects_list', [LIST, LIST], BOOL, intersects)),
  ],
};
