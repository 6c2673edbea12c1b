// What Kubernetes looks at after type checking: literal arguments that can be seen to be wrong, and list and map literals
// whose elements differ in type.

import { children, type Expr, walk } from './ast.ts';
import type { CelEnvironment } from './environment.ts';
import type { Issue } from './source.ts';
import { compilePattern } from './standard.ts';
import { parseDuration, parseTimestamp } from './times.ts';
import { type CelType, formatType, isOptional, sameType } from './types.ts';
import { CelError } from './values.ts';

export function validateLiterals(expr: Expr, env: CelEnvironment): Issue[] {
  const issues: Issue[] = [];
  // Upstream looks for one kind of mistake after another.
  for (const { name, valid } of env.checkedLiterals ? ARGUMENTS : [])
    for (const node of walk(expr)) {
      if (node.kind !== 'call' || node.name !== name) continue;
      const arg = node.args.at(-1);
      if (arg?.kind !== 'const' || arg.constType.kind !== 'string' || valid(String(arg.value))) continue;
      issues.push({ offset: arg.offset, message: `invalid ${name} argument` });
    }
  if (env.homogeneousLiterals) collectMixedLiterals(expr, false, issues);
  return issues;
}

const ARGUMENTS: readonly { readonly name: string; readonly valid: (text: string) => boolean }[] = [
  { name: 'duration', valid: (text) => parseDuration(text) !== undefined },
  { name: 'timestamp', valid: (text) => parseTimestamp(text) !== undefined },
  { name: 'matches', valid: isPattern },
];

function isPattern(text: string): boolean {
  try {
    compilePattern(text);
    return true;
  } catch (error) {
    if (error instanceof CelError) return false;
    throw error;
  }
}

/** Arguments of format() may be of any types. */
function collectMixedLiterals(expr: Expr, exempt: boolean, issues: Issue[]): void {
  const agree = (exprs: readonly Expr[], isOptionalAt: (i: number) => boolean): void => {
    let expected: CelType | undefined;
    exprs.forEach((element, i) => {
      const type = isOptionalAt(i) && isOptional(element.type!) ? element.type.parameters[0]! : element.type!;
      expected ??= type;
      if (sameType(expected, type)) return;
      const message = `expected type '${formatType(expected)}' but found '${formatType(type)}'`;
      issues.push({ offset: element.offset, message });
    });
  };
  if (expr.kind === 'list' && !exempt) agree(expr.elements, (i) => expr.optional.has(i));
  if (expr.kind === 'map' && !exempt) {
    const { entries } = expr;
    agree(entries.map((entry) => entry.key), () => false);
    agree(entries.map((entry) => entry.value), (i) => entries[i]!.optional);
  }
  const inside = exempt || (expr.kind === 'call' && expr.name === 'format');
  for (const child of children(expr)) collectMixedLiterals(child, inside, issues);
}
