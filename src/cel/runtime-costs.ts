// What a call costs when it runs, by upstream's rules (cel-go's cost tracker and Kubernetes' cost estimator): 1 for what
// takes constant time, a tenth of the characters for what walks a string, the number of elements for what walks a list.

import type { Format } from './libraries/formats.ts';
import { sizeOf } from './typed-values.ts';
import { isMap, isOpaque, mapEntries, type Value } from './values.ts';

export const STRING_FACTOR = 0.1;
export const REGEX_FACTOR = 0.25;
/** An authorization check, in units of this cost model. */
export const AUTHORIZER_CHECK_COST = 350_000;

export type RuntimeCost = (args: readonly Value[], result: Value) => number;

const tenth = (size: number): number => Math.ceil(size * STRING_FACTOR);
const first: RuntimeCost = ([a]) => tenth(sizeOf(a));
const firstTwice: RuntimeCost = ([a]) => Math.ceil(sizeOf(a) * 2 * STRING_FACTOR);
const shorter: RuntimeCost = ([a, b]) => tenth(Math.min(sizeOf(a), sizeOf(b)));
const both: RuntimeCost = ([a, b]) => tenth(sizeOf(a) + sizeOf(b));
const pattern: RuntimeCost = ([text, regex]) => tenth(1 + sizeOf(text)) * Math.ceil(sizeOf(regex) * REGEX_FACTOR);
/** Elements of lists and maps; strings in them by their length. */
function walked(value: Value): number {
  if (typeof value === 'string' || value instanceof Uint8Array) return Math.floor(value.length * STRING_FACTOR);
  if (Array.isArray(value)) return value.reduce<number>((total, element) => total + walked(element), 0);
  if (isMap(value))
    return mapEntries(value).reduce((total, [key, element]) => total + walked(key) + walked(element), 0);
  return 1;
}
const traversal: RuntimeCost = ([a]) => walked(a);
const equality: RuntimeCost = ([a, b]) =>
  isOpaque(a) && a.size === undefined ? 1 : tenth(Math.min(sizeOf(a), sizeOf(b)));
/** Kubernetes' list functions leave a list as long as their argument. */
const LIST_BASE = 10;
const madeList: RuntimeCost = (_args, result) => LIST_BASE + 1 + sizeOf(result);
/** Each element is compared with each. */
const pairs: RuntimeCost = ([list, keys]) => {
  const compared: Value = Array.isArray(keys) ? keys[0] : Array.isArray(list) ? list[0] : undefined;
  const isText = typeof compared === 'string' || compared instanceof Uint8Array;
  return LIST_BASE + 1 + Math.floor(sizeOf(list) ** 2 * (isText ? 2 + STRING_FACTOR : 2));
};

const BY_OVERLOAD: Readonly<Record<string, RuntimeCost>> = {
  starts_with_string: first,
  ends_with_string: first,
  string_to_bytes: first,
  bytes_to_string: first,
  strings_quote: first,
  string_format: first,
  in_list: ([, list]) => sizeOf(list),
  equals: equality,
  not_equals: equality,
  less_string: shorter,
  less_equals_string: shorter,
  greater_string: shorter,
  greater_equals_string: shorter,
  less_bytes: shorter,
  less_equals_bytes: shorter,
  greater_bytes: shorter,
  greater_equals_bytes: shorter,
  add_string: both,
  add_bytes: both,
  matches: pattern,
  matches_string: pattern,
  contains_string: ([a, b]) => tenth(sizeOf(a)) * tenth(sizeOf(b)),
  cidr_ip: () => 1,
};

const BY_FUNCTION: Readonly<Record<string, RuntimeCost>> = {
  check: () => AUTHORIZER_CHECK_COST,
  fieldSelector: ([, selector]) => tenth(sizeOf(selector)),
  labelSelector: ([, selector]) => tenth(sizeOf(selector)),
  isSorted: traversal,
  sum: traversal,
  max: traversal,
  min: traversal,
  indexOf: traversal,
  lastIndexOf: traversal,
  url: first,
  lowerAscii: first,
  upperAscii: first,
  substring: first,
  trim: first,
  'jsonpatch.escapeKey': first,
  replace: firstTwice,
  split: firstTwice,
  join: (_args, result) => Math.ceil(sizeOf(result) * 2 * STRING_FACTOR),
  find: pattern,
  findAll: pattern,
  cidr: first,
  isIP: first,
  isCIDR: first,
  ip: first,
  'ip.isCanonical': firstTwice,
  containsIP: ([cidr, other]) =>
    Math.ceil(sizeOf(cidr) * 2 * STRING_FACTOR) + (typeof other === 'string' ? tenth(other.length) : 0),
  containsCIDR: ([cidr, other]) =>
    Math.ceil(sizeOf(cidr) * 2 * STRING_FACTOR) +
    tenth(sizeOf(cidr)) +
    1 +
    (typeof other === 'string' ? tenth(other.length) : 0),
  quantity: first,
  isQuantity: first,
  semver: first,
  isSemver: first,
  validate: ([format, text]) => tenth(1 + sizeOf(text)) * Math.ceil((format as Format).patternLength * REGEX_FACTOR),
};

/** cel-go's own extensions count by overload: not where the types leave several open. */
const OF_EXTENSIONS: Readonly<Record<string, RuntimeCost>> = {
  'lists.range': madeList,
  slice: madeList,
  reverse: madeList,
  flatten: ([list, depth]) => LIST_BASE + 1 + sizeOf(list) * Number(depth ?? 1),
  sort: pairs,
  '@sortByAssociatedKeys': pairs,
  distinct: pairs,
  'sets.contains': ([a, b]) => sizeOf(a) * sizeOf(b) + 1,
  'sets.intersects': ([a, b]) => sizeOf(a) * sizeOf(b) + 1,
  'sets.equivalent': ([a, b]) => 2 * sizeOf(a) * sizeOf(b) + 1,
};

const one: RuntimeCost = () => 1;

/** Functions whose cost is known only when they have run. All others are charged before they do any work. */
export const COSTED_BY_RESULT: ReadonlySet<string> = new Set(['join', 'lists.range', 'slice', 'reverse']);

export function runtimeCostOf(functionName: string, overload: string): RuntimeCost {
  const known = BY_OVERLOAD[overload] ?? BY_FUNCTION[functionName];
  return known ?? (overload === '' ? undefined : OF_EXTENSIONS[functionName]) ?? one;
}
