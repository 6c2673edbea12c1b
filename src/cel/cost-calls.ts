// What calls are estimated to cost, by upstream's rules: those of the language by overload, those of Kubernetes' libraries by
// function. runtime-costs.ts has the same rules for values that are there.

import type { Expr } from './ast.ts';
import { exactly, ONE, plus, type Range, scaled, times, UNBOUNDED, union, ZERO } from './cost-range.ts';
import { AUTHORIZER_CHECK_COST, REGEX_FACTOR, STRING_FACTOR } from './runtime-costs.ts';
import type { CelType } from './types.ts';

/** An argument as the rules see it. */
export interface Sized {
  readonly expr: Expr;
  readonly type: CelType;
  readonly size: Range;
  /** Of a list: the size of its elements. */
  readonly elementSize: Range;
}

/** Without the cost of the arguments. */
export interface CallEstimate {
  readonly cost: Range;
  readonly resultSize?: Range;
}

/** args[0] is the target of a member call. */
type Rule = (args: readonly Sized[]) => CallEstimate;

/** IPv4 and IPv6, in bytes. */
const ADDRESS_SIZE: Range = { min: 4, max: 16 };
/** The length of pattern that estimates suppose for a named format. */
const FORMAT_PATTERN = 128;
const LIST_BASE = 10;

const tenth = (size: Range): Range => scaled(size, STRING_FACTOR);
const walk =
  (arg: number): Rule =>
  (args) => ({ cost: tenth(args[arg]!.size) });
const walkTwice: Rule = ([a]) => ({ cost: scaled(a!.size, 2 * STRING_FACTOR) });
const same: Rule = ([a]) => ({ cost: tenth(a!.size), resultSize: a!.size });
const fixed =
  (cost: number): Rule =>
  () => ({ cost: exactly(cost) });

const ordering: Rule = ([a, b]) => {
  const max = Math.min(a!.size.max, b!.size.max);
  return { cost: tenth({ min: max > 0 ? 1 : 0, max }) };
};

/** Some libraries' values compare in one step. */
const equality: Rule = (args) => {
  const { type } = args[0]!;
  return type.kind === 'opaque' && !WALKED.has(type.name) ? { cost: ONE } : ordering(args);
};
const WALKED: ReadonlySet<string> = new Set(['kubernetes.URL', 'optional_type']);

const pattern: Rule = ([text, regex]) => ({
  cost: times(tenth(plus(text!.size, ONE)), scaled(regex!.size, REGEX_FACTOR)),
});

const concatenation: Rule = ([a, b]) => {
  const resultSize = plus(a!.size, b!.size);
  return { cost: tenth(resultSize), resultSize };
};

const BY_OVERLOAD: Readonly<Record<string, Rule>> = {
  equals: equality,
  not_equals: equality,
  less_string: ordering,
  less_equals_string: ordering,
  greater_string: ordering,
  greater_equals_string: ordering,
  less_bytes: ordering,
  less_equals_bytes: ordering,
  greater_bytes: ordering,
  greater_equals_bytes: ordering,
  add_string: concatenation,
  add_bytes: concatenation,
  add_list: ([a, b]) => ({ cost: ONE, resultSize: plus(a!.size, b!.size) }),
  string_to_bytes: ([a]) => ({
    cost: tenth(a!.size),
    resultSize: { min: a!.size.min, max: Math.min(a!.size.max * 4, UNBOUNDED) },
  }),
  bytes_to_string: ([a]) => ({
    cost: tenth(a!.size),
    resultSize: { min: Math.floor(a!.size.min / 4), max: a!.size.max },
  }),
  strings_quote: ([a]) => ({
    cost: tenth(a!.size),
    resultSize: { min: a!.size.min + 2, max: Math.min(a!.size.max * 2 + 2, UNBOUNDED) },
  }),
  string_format: walk(0),
  starts_with_string: walk(1),
  ends_with_string: walk(1),
  in_list: (args) => ({ cost: args[1]!.size }),
  matches: pattern,
  matches_string: pattern,
  contains_string: ([a, b]) => ({ cost: times(tenth(a!.size), tenth(b!.size)) }),
  cidr_ip: fixed(1),
  to_dyn: ([a]) => ({ cost: ONE, resultSize: a!.size }),
};

/** Strings and bytes in a list are walked too. */
const eachElement: Rule = ([list]) => {
  const { type, size, elementSize } = list!;
  if (type.kind !== 'list') return { cost: tenth(size) };
  const isText = type.element.kind === 'string' || type.element.kind === 'bytes';
  return { cost: times(size, isText ? plus(ONE, tenth(elementSize)) : ONE) };
};

/** All elements, and a separator between each two. */
const join: Rule = ([list, separator]) => {
  const { size, elementSize } = list!;
  const between = { min: Math.max(size.min - 1, 0), max: Math.max(size.max - 1, 0) };
  const resultSize = plus(times(size, elementSize), separator === undefined ? ZERO : times(between, separator.size));
  return { cost: tenth(resultSize), resultSize };
};

/** At most all of the text. */
const find: Rule = (args) => ({ ...pattern(args), resultSize: { min: 0, max: args[0]!.size.max } });

const split: Rule = ([text, , limit]) => {
  const literal = limit?.expr.kind === 'const' ? Number(limit.expr.value) : undefined;
  const max = literal === undefined || literal < 0 ? text!.size.max : literal;
  return { cost: scaled(text!.size, 2 * STRING_FACTOR), resultSize: { min: 0, max } };
};

/** The longest result replaces as often as possible by the longest replacement; the shortest the other way round. */
const replace: Rule = ([text, old, replacement]) => {
  const { size } = text!;
  const longest = replaced(size.max, old!.size.min, replacement!.size.max, (by, of) => by <= of);
  const shortest = replaced(size.min, old!.size.max, replacement!.size.min, (by, of) => of <= by);
  return {
    cost: scaled(size, 2 * STRING_FACTOR),
    resultSize: { min: Math.min(shortest, UNBOUNDED), max: Math.min(longest, UNBOUNDED) },
  };
};

function replaced(size: number, old: number, by: number, keeps: (by: number, old: number) => boolean): number {
  if (old === 0) return (size + 1) * by + size;
  return keeps(by, old) ? size : Math.ceil(size / old) * by;
}

const containsIP: Rule = ([, other]) => ({
  cost: plus(scaled(plus(ADDRESS_SIZE, ADDRESS_SIZE), STRING_FACTOR), parsedIfText(other!)),
});
const containsCIDR: Rule = ([, other]) => ({
  cost: plus(scaled(plus(ADDRESS_SIZE, ADDRESS_SIZE), STRING_FACTOR), tenth(ADDRESS_SIZE), ONE, parsedIfText(other!)),
});
const parsedIfText = (arg: Sized): Range => (arg.type.kind === 'string' ? tenth(arg.size) : exactly(0));

/** Lists that are made anew: a base, and something for each element. */
const newList =
  (each: (args: readonly Sized[]) => { cost: Range; size: Range }): Rule =>
  (args) => {
    const { cost, size } = each(args);
    return { cost: plus(exactly(LIST_BASE + 1), cost), resultSize: size };
  };
const literalInt = (arg: Sized | undefined): number | undefined =>
  arg?.expr.kind === 'const' && typeof arg.expr.value === 'number' ? arg.expr.value : undefined;

const slice = newList(([list, from, to]) => {
  const start = literalInt(from);
  const end = literalInt(to);
  if (start === undefined || end === undefined) return { cost: list!.size, size: list!.size };
  const length = exactly(end >= start ? end - start : UNBOUNDED);
  return { cost: length, size: length };
});

const flatten = newList(([list, depth]) => {
  const cost = times(list!.size, exactly(Math.max(literalInt(depth) ?? 1, 0)));
  return { cost, size: list!.size };
});

const range = newList(([size]) => {
  const length = exactly(literalInt(size) ?? UNBOUNDED);
  return { cost: length, size: length };
});

/** Each element is compared with each. */
const pairs =
  (texts: boolean): Rule =>
  (args) =>
    newList(([list, keys]) => {
      const { type } = keys ?? list!;
      const isText = texts && type.kind === 'list' && ['string', 'bytes'].includes(type.element.kind);
      const compared = scaled(times(list!.size, list!.size), isText ? 2 + STRING_FACTOR : 2);
      // Upstream takes the number of comparisons for the size of the result.
      return { cost: compared, size: times(list!.size, list!.size) };
    })(args);

const sets =
  (factor: number): Rule =>
  ([a, b]) => ({ cost: plus(scaled(times(a!.size, b!.size), factor), ONE) });

const validate: Rule = ([, text]) => ({
  cost: times(tenth(text!.size), exactly(Math.ceil(FORMAT_PATTERN * REGEX_FACTOR))),
});

const BY_FUNCTION: Readonly<Record<string, Rule>> = {
  check: fixed(AUTHORIZER_CHECK_COST),
  fieldSelector: walk(1),
  labelSelector: walk(1),
  isSorted: eachElement,
  sum: eachElement,
  max: eachElement,
  min: eachElement,
  indexOf: eachElement,
  lastIndexOf: eachElement,
  url: same,
  lowerAscii: same,
  upperAscii: same,
  substring: same,
  trim: same,
  'jsonpatch.escapeKey': same,
  replace,
  split,
  join,
  find,
  findAll: find,
  cidr: walk(0),
  isIP: walk(0),
  isCIDR: walk(0),
  ip: walk(0),
  'ip.isCanonical': walkTwice,
  containsIP,
  containsCIDR,
  quantity: walk(0),
  isQuantity: walk(0),
  semver: walk(0),
  isSemver: walk(0),
  validate,
  slice,
  flatten,
  'lists.range': range,
  sort: pairs(true),
  '@sortByAssociatedKeys': pairs(true),
  distinct: pairs(false),
  reverse: newList(([list]) => ({ cost: list!.size, size: list!.size })),
  'sets.contains': sets(1),
  'sets.intersects': sets(1),
  'sets.equivalent': sets(2),
};

export function estimateCall(functionName: string, overload: string, args: readonly Sized[]): CallEstimate {
  return (BY_OVERLOAD[overload] ?? BY_FUNCTION[functionName])?.(args) ?? { cost: ONE };
}

export const unionOf = (a: CallEstimate | undefined, b: CallEstimate): CallEstimate => {
  if (a === undefined) return b;
  const resultSize = a.resultSize && b.resultSize ? union(a.resultSize, b.resultSize) : (a.resultSize ?? b.resultSize);
  return { cost: union(a.cost, b.cost), resultSize };
};
