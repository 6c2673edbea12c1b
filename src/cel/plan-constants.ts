// What is known before anything runs: literals, lists and maps of literals, conversions of literals. Upstream computes these
// while it builds the program, so they cost nothing when it runs, and an impossible one (`int('a')`) is found at once.

import { type Expr } from './ast.ts';
import { typeConversionError } from './conversions.ts';
import type { CelEnvironment } from './environment.ts';
import { insert } from './map-entries.ts';
import { matcherOf } from './typed-values.ts';
import { CelMap, type Value } from './values.ts';

const FOLDED: ReadonlySet<string> = new Set('bool bytes double duration dyn int string timestamp type uint'.split(' '));

/** Undefined: not known, or not worth a look. */
export function foldConstants(expr: Expr, env: CelEnvironment): { readonly value: Value } | undefined {
  switch (expr.kind) {
    case 'const':
      return { value: expr.value };
    case 'ident':
    case 'select':
      return expr.constant === undefined ? undefined : { value: expr.constant };
    case 'list': {
      if (expr.optional.size > 0) return undefined;
      const list: Value[] = [];
      for (const element of expr.elements) {
        const folded = foldConstants(element, env);
        if (folded === undefined) return undefined;
        list.push(folded.value);
      }
      return { value: list };
    }
    case 'map': {
      const map = new Map<string | number | bigint | boolean, readonly [Value, Value]>();
      for (const entry of expr.entries) {
        const key = entry.optional ? undefined : foldConstants(entry.key, env);
        const value = key && foldConstants(entry.value, env);
        if (key === undefined || value === undefined) return undefined;
        insert(map, key.value, value.value);
      }
      return { value: new CelMap(map) };
    }
    case 'call':
      return foldConversion(expr, env);
    default:
      return undefined;
  }
}

function foldConversion(expr: Extract<Expr, { kind: 'call' }>, env: CelEnvironment): { value: Value } | undefined {
  if (!FOLDED.has(expr.name) || expr.target !== undefined || expr.args.length !== 1) return undefined;
  const arg = foldConstants(expr.args[0]!, env);
  if (arg === undefined) return undefined;
  const overload = expr.overloads?.find((candidate) => matcherOf(candidate.args[0]!)(arg.value));
  if (overload?.run === undefined) throw typeConversionError(expr.name, arg.value);
  return { value: (overload.run as (value: Value) => Value)(arg.value) };
}

/** The value of a literal; undefined for everything else. */
export const constantOf = (expr: Expr): Value | undefined => (expr.kind === 'const' ? expr.value : undefined);
