// Label selectors (string and object form) and field selectors: parsing with upstream's syntax and errors
// (apimachinery, labels and fields), matching, formatting.
import type { LabelSelector } from '#generated/api/meta-v1.ts';
import { isLabelValue, isQualifiedName } from './names.ts';

export type Labels = Readonly<Record<string, string>>;

export type LabelOperator = 'in' | 'notin' | '=' | '==' | '!=' | 'exists' | '!' | 'gt' | 'lt';

export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  readonly values: readonly string[];
}

/** A conjunction; an empty one matches everything. `nothing` matches nothing at all. */
export interface LabelMatcher {
  readonly requirements: readonly LabelRequirement[];
  readonly nothing?: boolean;
}

export const everything: LabelMatcher = { requirements: [] };
export const nothing: LabelMatcher = { requirements: [], nothing: true };

/** Thrown for malformed selectors; the text is upstream's. */
export class SelectorError extends Error {
  override readonly name = 'SelectorError';
}

export function matchesLabels(matcher: LabelMatcher, labels: Labels | undefined): boolean {
  if (matcher.nothing === true) return false;
  for (const requirement of matcher.requirements) if (!matchesRequirement(requirement, labels)) return false;
  return true;
}

function matchesRequirement(requirement: LabelRequirement, labels: Labels | undefined): boolean {
  const value = labels !== undefined && Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined;
  switch (requirement.operator) {
    case 'in':
    case '=':
    case '==':
      return value !== undefined && requirement.values.includes(value);
    case 'notin':
    case '!=':
      return value === undefined || !requirement.values.includes(value);
    case 'exists':
      return value !== undefined;
    case '!':
      return value === undefined;
    default: {
      if (value === undefined || !/^[+-]?\d+$/.test(value)) return false;
      const wanted = BigInt(requirement.values[0]!);
      return requirement.operator === 'gt' ? BigInt(value) > wanted : BigInt(value) < wanted;
    }
  }
}

const OPERATORS: Readonly<Record<string, LabelOperator>> = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: '!',
  Gt: 'gt',
  Lt: 'lt',
};

/** The object form: undefined selects nothing, an empty one everything. */
export function matcherOf(selector: LabelSelector | undefined | null): LabelMatcher {
  if (selector === undefined || selector === null) return nothing;
  const requirements: LabelRequirement[] = [];
  for (const [key, value] of Object.entries(selector.matchLabels ?? {}))
    requirements.push({ key, operator: 'in', values: [value] });
  for (const expression of selector.matchExpressions ?? []) {
    const operator = OPERATORS[expression.operator];
    if (operator === undefined)
      throw new SelectorError(`"${expression.operator}" is not a valid label selector operator`);
    requirements.push({ key: expression.key, operator, values: expression.values ?? [] });
  }
  return requirements.length === 0 ? everything : { requirements };
}

/** A plain map (Service.spec.selector): every pair must be there. */
export function matcherOfMap(labels: Labels | undefined): LabelMatcher {
  const requirements = Object.entries(labels ?? {}).map(
    ([key, value]): LabelRequirement => ({ key, operator: '=', values: [value] }),
  );
  return requirements.length === 0 ? everything : { requirements };
}

/** `a=b,c in (d,e),!f`, requirements sorted by key as upstream writes them. */
export function formatLabelMatcher(matcher: LabelMatcher): string {
  const sorted = matcher.requirements.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return sorted.map(formatRequirement).join(',');
}

function formatRequirement(r: LabelRequirement): string {
  switch (r.operator) {
    case 'exists':
      return r.key;
    case '!':
      return `!${r.key}`;
    case 'in':
    case 'notin':
      return `${r.key} ${r.operator} (${r.values.toSorted().join(',')})`;
    case 'gt':
      return `${r.key}>${r.values[0]}`;
    case 'lt':
      return `${r.key}<${r.values[0]}`;
    default:
      return `${r.key}${r.operator === '==' ? '==' : r.operator}${r.values[0]}`;
  }
}

/** LabelSelector as `kubectl` and status.selector write it: matchLabels as `k=v`. `<none>` for an empty one. */
export function formatLabelSelector(selector: LabelSelector | undefined | null): string {
  if (selector === undefined || selector === null) return '<none>';
  const matcher = matcherOf(selector);
  const plain = matcher.requirements.map(
    (r): LabelRequirement =>
      r.operator === 'in' && r.values.length === 1 && selector.matchLabels?.[r.key] === r.values[0]
        ? { ...r, operator: '=' }
        : r,
  );
  const text = formatLabelMatcher({ requirements: plain });
  return text === '' ? '<none>' : text;
}

// --- the string form of label selectors

type Token = {
  readonly kind: 'end' | ',' | '!' | '=' | '==' | '!=' | '>' | '<' | '(' | ')' | 'in' | 'notin' | 'word' | 'error';
  readonly text: string;
};

const SPECIAL = new Set(['=', '!', '(', ')', ',', '>', '<']);
const isSpace = (c: string): boolean => c === ' ' || c === '\t' || c === '\r' || c === '\n';

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let i = 0;
  while (i < text.length) {
    const c = text[i]!;
    if (isSpace(c)) {
      i += 1;
      continue;
    }
    if (SPECIAL.has(c)) {
      let end = i;
      while (end < text.length && SPECIAL.has(text[end]!)) end += 1;
      const run = text.slice(i, end);
      // The longest known symbol at this place: '(' followed by ')' is two tokens.
      const symbol = ['==', '!='].find((s) => run.startsWith(s)) ?? run[0]!;
      tokens.push({ kind: symbol as Token['kind'], text: symbol });
      i += symbol.length;
      continue;
    }
    let end = i;
    while (end < text.length && !SPECIAL.has(text[end]!) && !isSpace(text[end]!)) end += 1;
    const word = text.slice(i, end);
    tokens.push({ kind: word === 'in' || word === 'notin' ? word : 'word', text: word });
    i = end;
  }
  tokens.push({ kind: 'end', text: '' });
  return tokens;
}

/** `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1`. Throws SelectorError. */
export function parseLabelSelector(text: string): LabelMatcher {
  const parser = new LabelParser(tokenize(text));
  const requirements = parser.parse();
  return requirements.length === 0 ? everything : { requirements };
}

class LabelParser {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /** `in` and `notin` are words where a value or key is expected. */
  #peek(values: boolean): Token {
    const token = this.#tokens[this.#at]!;
    return values && (token.kind === 'in' || token.kind === 'notin') ? { kind: 'word', text: token.text } : token;
  }

  #next(values: boolean): Token {
    const token = this.#peek(values);
    if (token.kind !== 'end') this.#at += 1;
    return token;
  }

  parse(): LabelRequirement[] {
    const requirements: LabelRequirement[] = [];
    for (;;) {
      const token = this.#peek(true);
      if (token.kind === 'end') return requirements;
      if (token.kind !== 'word' && token.kind !== '!')
        fail(`found '${token.text}', expected: !, identifier, or 'end of string'`);
      requirements.push(this.#requirement());
      const after = this.#next(false);
      if (after.kind === 'end') return requirements;
      if (after.kind !== ',') fail(`found '${after.text}', expected: ',' or 'end of string'`);
      const following = this.#peek(true);
      if (following.kind !== 'word' && following.kind !== '!')
        fail(`found '${following.text}', expected: identifier after ','`);
    }
  }

  #requirement(): LabelRequirement {
    const negated = this.#peek(true).kind === '!';
    if (negated) this.#next(true);
    const key = this.#next(true);
    if (key.kind !== 'word') fail(`found '${key.text}', expected: identifier`);
    checkKey(key.text);
    const after = this.#peek(false).kind;
    if (negated || after === 'end' || after === ',') {
      if (after !== 'end' && after !== ',') fail(`found '${this.#peek(false).text}', expected: ',' or 'end of string'`);
      return { key: key.text, operator: negated ? '!' : 'exists', values: [] };
    }
    const operator = this.#next(false);
    switch (operator.kind) {
      case 'in':
      case 'notin':
        return checked({ key: key.text, operator: operator.kind, values: this.#values() });
      case '=':
      case '==':
      case '!=':
      case '>':
      case '<': {
        const names = { '>': 'gt', '<': 'lt' } as const;
        const kind = operator.kind === '>' || operator.kind === '<' ? names[operator.kind] : operator.kind;
        return checked({ key: key.text, operator: kind, values: [this.#exactValue()] });
      }
      default:
        return fail(`found '${operator.text}', expected: in, notin, =, ==, !=, gt, lt`);
    }
  }

  #values(): string[] {
    const open = this.#next(true);
    if (open.kind !== '(') fail(`found '${open.text}' expected: '('`);
    const values: string[] = [];
    let expectValue = true;
    for (;;) {
      const token = this.#next(true);
      if (token.kind === 'word' && expectValue) {
        values.push(token.text);
        expectValue = false;
      } else if (token.kind === ',') {
        if (expectValue) values.push('');
        expectValue = true;
      } else if (token.kind === ')') {
        if (expectValue) values.push('');
        return [...new Set(values)].sort();
      } else {
        fail(`found '${token.text}', expected: ',', ')' or identifier`);
      }
    }
  }

  #exactValue(): string {
    const token = this.#peek(true);
    if (token.kind === 'end' || token.kind === ',') return '';
    if (token.kind !== 'word') fail(`found '${token.text}', expected: identifier`);
    return this.#next(true).text;
  }
}

function fail(message: string): never {
  throw new SelectorError(`unable to parse requirement: ${message}`);
}

function checkKey(key: string): void {
  const messages = isQualifiedName(key);
  if (messages.length > 0) fail(`<nil>: Invalid value: ${JSON.stringify(key)}: ${messages.join('; ')}`);
}

function checked(requirement: LabelRequirement): LabelRequirement {
  const { operator, values, key } = requirement;
  if ((operator === 'gt' || operator === 'lt') && !/^[+-]?\d+$/.test(values[0]!)) {
    fail(
      `values[0][${key}]: Invalid value: ${JSON.stringify(values[0])}: for 'Gt', 'Lt' operators, the value must be an integer`,
    );
  }
  for (const [index, value] of values.entries()) {
    const messages = isLabelValue(value);
    if (messages.length > 0)
      fail(`values[${index}][${key}]: Invalid value: ${JSON.stringify(value)}: ${messages.join('; ')}`);
  }
  return requirement;
}

// --- field selectors

export interface FieldRequirement {
  readonly field: string;
  readonly operator: '=' | '!=';
  readonly value: string;
}

/** `a=b,c!=d` with `\` escaping `,`, `=` and `\`. Throws SelectorError. */
export function parseFieldSelector(text: string): readonly FieldRequirement[] {
  const requirements: FieldRequirement[] = [];
  for (const term of splitTerms(text)) {
    if (term === '') continue;
    const split = splitTerm(term);
    if (split === undefined) throw new SelectorError(`invalid selector: '${text}'; can't understand '${term}'`);
    requirements.push(split);
  }
  return requirements;
}

function splitTerms(text: string): string[] {
  const terms: string[] = [];
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\') i += 1;
    else if (text[i] === ',') {
      terms.push(text.slice(start, i));
      start = i + 1;
    }
  }
  terms.push(text.slice(start));
  return terms;
}

function splitTerm(term: string): FieldRequirement | undefined {
  for (let i = 0; i < term.length; i++) {
    for (const operator of ['!=', '==', '=']) {
      if (!term.startsWith(operator, i)) continue;
      const value = unescapeValue(term.slice(i + operator.length));
      return { field: term.slice(0, i), operator: operator === '!=' ? '!=' : '=', value };
    }
  }
  return undefined;
}

function unescapeValue(text: string): string {
  let out = '';
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === '\\') {
      i += 1;
      const escaped = text[i];
      if (escaped !== '\\' && escaped !== ',' && escaped !== '=')
        throw new SelectorError(`invalid field selector: invalid escape sequence: \\${escaped ?? ''}`);
      out += escaped;
    } else if (c === ',' || c === '=') {
      throw new SelectorError(`invalid field selector: unescaped character in value: ${c}`);
    } else out += c;
  }
  return out;
}

export function formatFieldSelector(requirements: readonly FieldRequirement[]): string {
  return requirements.map((r) => `${r.field}${r.operator}${r.value.replace(/[\\,=]/g, '\\$&')}`).join(',');
}

/** `read` gives the object's value of a field, '' when unset. */
export function matchesFields(requirements: readonly FieldRequirement[], read: (field: string) => string): boolean {
  return requirements.every((r) => (read(r.field) === r.value) === (r.operator === '='));
}
