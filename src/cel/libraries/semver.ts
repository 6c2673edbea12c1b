// Semantic versions (semver.org 2.0.0), read strictly or, on request, with what people leave out.

import { fn, global, type Library, member } from '../functions.ts';
import { BOOL, INT, opaque, STRING } from '../types.ts';
import { canonicalInt, celError, type Opaque } from '../values.ts';
import type { Int } from '../arithmetic.ts';

export const SEMVER_TYPE = opaque('kubernetes.Semver');

export class Semver implements Opaque {
  readonly typeName = 'kubernetes.Semver';
  readonly numbers: readonly [bigint, bigint, bigint];
  readonly prerelease: readonly string[];
  readonly build: readonly string[];
  constructor(numbers: readonly [bigint, bigint, bigint], prerelease: readonly string[], build: readonly string[]) {
    this.numbers = numbers;
    this.prerelease = prerelease;
    this.build = build;
  }
  equals(other: Opaque): boolean {
    return other instanceof Semver && compareSemver(this, other) === 0;
  }
}

const PARTS = ['Major', 'Minor', 'Patch'] as const;

/** The reason when the text is no version. */
export function parseSemver(text: string): Semver | { readonly reason: string } {
  if (text === '') return { reason: 'Version string empty' };
  const [first, second, ...rest] = text.split('.');
  if (second === undefined || rest.length === 0) return { reason: 'No Major.Minor.Patch elements found' };
  let patch = rest.join('.');
  let build: string | undefined;
  let prerelease: string | undefined;
  const plus = patch.indexOf('+');
  if (plus >= 0) [patch, build] = [patch.slice(0, plus), patch.slice(plus + 1)];
  const dash = patch.indexOf('-');
  if (dash >= 0) [patch, prerelease] = [patch.slice(0, dash), patch.slice(dash + 1)];
  const numbers: bigint[] = [];
  for (const [i, part] of [first!, second, patch].entries()) {
    if (!/^\d+$/.test(part))
      return { reason: `Invalid character(s) found in ${PARTS[i]!.toLowerCase()} number ${JSON.stringify(part)}` };
    if (part.length > 1 && part.startsWith('0'))
      return { reason: `${PARTS[i]} number must not contain leading zeroes ${JSON.stringify(part)}` };
    numbers.push(BigInt(part));
  }
  const wrong = identifierProblem(prerelease, build);
  if (wrong !== undefined) return { reason: wrong };
  return new Semver(
    numbers as unknown as [bigint, bigint, bigint],
    prerelease?.split('.') ?? [],
    build?.split('.') ?? [],
  );
}

function identifierProblem(prerelease: string | undefined, build: string | undefined): string | undefined {
  for (const part of prerelease?.split('.') ?? []) {
    if (part === '') return 'Prerelease is empty';
    if (!/^[0-9A-Za-z-]+$/.test(part)) return `Invalid character(s) found in prerelease ${JSON.stringify(part)}`;
    if (/^0\d+$/.test(part))
      return `Numeric PreRelease version must not contain leading zeroes ${JSON.stringify(part)}`;
  }
  for (const part of build?.split('.') ?? []) {
    if (part === '') return 'Build meta data is empty';
    if (!/^[0-9A-Za-z-]+$/.test(part)) return `Invalid character(s) found in build meta data ${JSON.stringify(part)}`;
  }
  return undefined;
}

/** Without a leading v and leading zeros, with missing parts as 0. */
function normalized(text: string): string {
  const bare = text.replace(/^v/, '');
  const parts = bare.split('.');
  const fixed = parts.map((part, i) => (i < 3 && /^0+\d/.test(part) ? part.replace(/^0+(?=\d)/, '') : part));
  if (fixed.length >= 3 || /[+-]/.test(fixed.at(-1) ?? '')) return fixed.join('.');
  while (fixed.length < 3) fixed.push('0');
  return fixed.join('.');
}

/** Build metadata does not count. */
export function compareSemver(a: Semver, b: Semver): number {
  for (let i = 0; i < 3; i += 1) {
    const [x, y] = [a.numbers[i]!, b.numbers[i]!];
    if (x !== y) return x < y ? -1 : 1;
  }
  if (a.prerelease.length === 0 || b.prerelease.length === 0)
    return Math.sign(Number(a.prerelease.length === 0) - Number(b.prerelease.length === 0));
  for (let i = 0; i < Math.min(a.prerelease.length, b.prerelease.length); i += 1) {
    const order = compareIdentifiers(a.prerelease[i]!, b.prerelease[i]!);
    if (order !== 0) return order;
  }
  return Math.sign(a.prerelease.length - b.prerelease.length);
}

/** Numbers come before words. */
function compareIdentifiers(a: string, b: string): number {
  const numericA = /^\d+$/.test(a);
  const numericB = /^\d+$/.test(b);
  if (numericA !== numericB) return numericA ? -1 : 1;
  if (numericA && BigInt(a) !== BigInt(b)) return BigInt(a) < BigInt(b) ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

function semver(text: string, normalize = false): Semver {
  const parsed = parseSemver(normalize ? normalized(text) : text);
  if (parsed instanceof Semver) return parsed;
  throw celError(parsed.reason);
}

const isSemver = (text: string, normalize = false): boolean =>
  parseSemver(normalize ? normalized(text) : text) instanceof Semver;
const part =
  (i: 0 | 1 | 2) =>
  (version: Semver): Int =>
    canonicalInt(version.numbers[i]);
const S = SEMVER_TYPE;

export const SEMVER_LIBRARY: Library = {
  functions: [
    fn(
      'semver',
      global('string_to_semver', [STRING], S, semver),
      global('string_bool_to_semver', [STRING, BOOL], S, semver),
    ),
    fn(
      'isSemver',
      global('is_semver_string', [STRING], BOOL, isSemver),
      global('is_semver_string_bool', [STRING, BOOL], BOOL, isSemver),
    ),
    fn(
      'isGreaterThan',
      member('semver_is_greater_than', [S, S], BOOL, (a: Semver, b: Semver) => compareSemver(a, b) > 0),
    ),
    fn(
      'isLessThan',
      member('semver_is_less_than', [S, S], BOOL, (a: Semver, b: Semver) => compareSemver(a, b) < 0),
    ),
    fn('compareTo', member('semver_compare_to', [S, S], INT, compareSemver)),
    fn('major', member('semver_major', [S], INT, part(0))),
    fn('minor', member('semver_minor', [S], INT, part(1))),
    fn('patch', member('semver_patch', [S], INT, part(2))),
  ],
};
