// What Kubernetes looks at after type checking: literal arguments that can be seen to be wrong, and list and map literals
// whose elements differ in type.

import { children, type Expr, walk } from './ast.ts';
import type { CelEnvironment } from './environment.ts';
import { parseFormat, type Verb, verbAccepts } from './libraries/string-format.ts';
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
  if (env.checkedLiterals) for (const node of walk(expr)) collectFormatProblems(node, issues);
  if (env.homogeneousLiterals) collectMixedLiterals(expr, false, issues);
  return issues;
}

const ARGUMENTS: readonly { readonly name: string; readonly valid: (text: string) => boolean }[] = [
  { name: 'duration', valid: (text) => parseDuration(text) !== undefined },
  { name: 'timestamp', valid: (text) => parseTimestamp(text) !== undefined },
  { name: 'matches', valid: isPattern },
];

/** 'literal'.format([literal, …]): verbs that do not exist, arguments too many or too few or of types that a verb does not take. */
function collectFormatProblems(node: Expr, issues: Issue[]): void {
  if (node.kind !== 'call' || node.name !== 'format' || node.target?.kind !== 'const') return;
  const list = node.args[0];
  if (list?.kind !== 'list' || typeof node.target.value !== 'string') return;
  let verbs: Verb[];
  try {
    verbs = parseFormat(node.target.value).filter((part) => typeof part !== 'string');
  } catch (error) {
    if (!(error instanceof CelError)) throw error;
    issues.push({ offset: node.offset, message: error.message });
    return;
  }
  for (const [i, { verb }] of verbs.entries()) {
    const element = list.elements[i];
    if (element === undefined) {
      issues.push({ offset: node.offset, message: `index ${i} out of range` });
      return;
    }
    const problem = verbAccepts(verb, element.type!);
    if (problem === undefined) continue;
    issues.push({ offset: element.offset, message: `error during formatting: ${problem}` });
    return;
  }
  if (list.elements.length <= verbs.length) return;
  const counts = `expected ${verbs.length}, got ${list.elements.length}`;
  issues.push({ offset: node.offset, message: `too many arguments supplied to string.format (${counts})` });
}

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
    agree(
      entries.map((entry) => entry.key),
      () => false,
    );
    agree(
      entries.map((entry) => entry.value),
      (i) => entries[i]!.optional,
    );
  }
  const inside = exempt || (expr.kind === 'call' && expr.name === 'format');
  for (const child of children(expr)) collectMixedLiterals(child, inside, issues);
}
