// Text to tree, by the grammar of the language (cel-spec, doc/langdef.md), with macros expanded on the way. What stands in
// a tree's `offset` is what upstream's messages point at.

import { children, type Expr, type MapEntry, OPERATORS, type StructField } from './ast.ts';
import { tokenize } from './lexer.ts';
import { parseDoubleLiteral, parseIntLiteral, parseUintLiteral, unquote } from './literals.ts';
import { expandMacro, type MacroSet } from './macros.ts';
import type { Issue } from './source.ts';
import { EXPRESSION_START, ParseAbandoned, TokenStream } from './token-stream.ts';
import { BOOL, BYTES, DOUBLE, INT, NULL, STRING, UINT } from './types.ts';

/** Upstream's limit, in code points. */
const EXPRESSION_MAX = 100_000;
/** Upstream's limit of expressions within expressions, and of operators within operators. */
const RECURSION_MAX = 250;

/** Words kept for languages that CEL is embedded in: no names of variables or functions. */
const RESERVED: ReadonlySet<string> = new Set(
  'as break const continue else for function if import let loop package namespace return var void while'.split(' '),
);
const RELATIONS: Readonly<Record<string, string>> = {
  '<': OPERATORS.less,
  '<=': OPERATORS.lessEquals,
  '>': OPERATORS.greater,
  '>=': OPERATORS.greaterEquals,
  '==': OPERATORS.equals,
  '!=': OPERATORS.notEquals,
  in: OPERATORS.in,
};
const SUMS: Readonly<Record<string, string>> = { '+': OPERATORS.add, '-': OPERATORS.subtract };
const PRODUCTS: Readonly<Record<string, string>> = {
  '*': OPERATORS.multiply,
  '/': OPERATORS.divide,
  '%': OPERATORS.modulo,
};

export interface ParseOptions {
  readonly macros: MacroSet;
  /** `a.?b`, `a[?b]`, `{?k: v}` */
  readonly optionalSyntax: boolean;
  /** a.`b-c` */
  readonly escapedIdentifiers: boolean;
}

export function parse(text: string, options: ParseOptions): { expr: Expr } | { issues: readonly Issue[] } {
  const size = text.length > EXPRESSION_MAX ? [...text].length : 0;
  if (size > EXPRESSION_MAX) {
    const message = `expression code point size exceeds limit: size: ${size}, limit ${EXPRESSION_MAX}`;
    return { issues: [{ offset: -1, message }] };
  }
  const { tokens, issues } = tokenize(text);
  const parser = new Parser(new TokenStream(tokens), options);
  const expr = parser.parse();
  const all = [...issues, ...parser.issues];
  return all.length === 0 ? { expr } : { issues: all };
}

class Parser {
  readonly #stream: TokenStream;
  readonly #options: ParseOptions;
  readonly #own: Issue[] = [];
  #depth = 0;

  constructor(stream: TokenStream, options: ParseOptions) {
    this.#stream = stream;
    this.#options = options;
  }

  get issues(): readonly Issue[] {
    return [...this.#stream.issues, ...this.#own];
  }

  parse(): Expr {
    try {
      const expr = this.#expression(['EOF']);
      this.#stream.recovering('start', () => this.#stream.expect('EOF', []));
      if (isTooDeep(expr)) return this.#wrong(-1, 'max recursion depth exceeded');
      return expr;
    } catch (error) {
      if (error instanceof ParseAbandoned) return nothing(0);
      throw error;
    }
  }

  #wrong(offset: number, message: string): Expr {
    this.#own.push({ offset, message });
    return nothing(offset);
  }

  /** expr = conditionalOr ["?" conditionalOr ":" expr] */
  #expression(awaited: readonly string[]): Expr {
    const stream = this.#stream;
    this.#depth += 1;
    if (this.#depth > RECURSION_MAX) {
      this.#wrong(-1, `expression recursion limit exceeded: ${RECURSION_MAX}`);
      throw new ParseAbandoned();
    }
    const parsed = stream.rule(awaited, () =>
      stream.recovering('expression', () => {
        const condition = this.#logical('||');
        const question = stream.accept('?');
        if (question === undefined) return condition;
        const yes = stream.rule([':'], () => this.#logical('||')) ?? condition;
        stream.expect(':', EXPRESSION_START);
        const no = this.#expression(awaited);
        return call(OPERATORS.conditional, question.offset, condition, yes, no);
      }),
    );
    this.#depth -= 1;
    return parsed ?? nothing(stream.peek().offset);
  }

  /** Terms of one operator become a balanced tree, so that long chains do not nest deeply. */
  #logical(operator: '||' | '&&'): Expr {
    const next = (): Expr => (operator === '||' ? this.#logical('&&') : this.#relation());
    const terms = [next()];
    const offsets: number[] = [];
    for (let token = this.#stream.accept(operator); token !== undefined; token = this.#stream.accept(operator)) {
      offsets.push(token.offset);
      terms.push(next());
    }
    if (offsets.length === 0) return terms[0]!;
    const name = operator === '||' ? OPERATORS.or : OPERATORS.and;
    const balanced = (low: number, high: number): Expr => {
      const middle = (low + high + 1) >> 1;
      const left = middle === low ? terms[middle]! : balanced(low, middle - 1);
      const right = middle === high ? terms[middle + 1]! : balanced(middle + 1, high);
      return call(name, offsets[middle]!, left, right);
    };
    return balanced(0, offsets.length - 1);
  }

  #relation(): Expr {
    return this.#leftAssociative(RELATIONS, () => this.#leftAssociative(SUMS, () => this.#product()));
  }

  #product(): Expr {
    return this.#leftAssociative(PRODUCTS, () => this.#unary());
  }

  #leftAssociative(operators: Readonly<Record<string, string>>, next: () => Expr): Expr {
    let left = next();
    for (;;) {
      const name = operators[this.#stream.peek().kind];
      if (name === undefined) return left;
      const { offset } = this.#stream.accept(this.#stream.peek().kind)!;
      left = call(name, offset, left, next());
    }
  }

  #unary(): Expr {
    const stream = this.#stream;
    return (
      stream.recovering('unary', () => {
        stream.sync(EXPRESSION_START);
        if (stream.is('!')) return this.#repeated('!', OPERATORS.not);
        if (stream.is('-') && !isNumber(stream.peek(1).kind)) return this.#repeated('-', OPERATORS.negate);
        return this.#member();
      }) ?? nothing(stream.peek().offset)
    );
  }

  /** An even number of `!` or `-` cancels itself. */
  #repeated(kind: '!' | '-', name: string): Expr {
    const stream = this.#stream;
    const { offset } = stream.peek();
    let count = 0;
    while (stream.is(kind)) {
      if (kind === '-' && ![...EXPRESSION_START].filter((start) => start !== '!').includes(stream.peek(1).kind))
        stream.noViableAlternative(1);
      stream.accept(kind);
      count += 1;
    }
    if (kind === '!' && !EXPRESSION_START.includes(stream.peek().kind)) stream.unwanted(EXPRESSION_START);
    const operand = this.#member();
    return count % 2 === 0 ? operand : call(name, offset, operand);
  }

  #member(): Expr {
    const stream = this.#stream;
    const primary = stream.rule(['.', '['], () => stream.recovering('primary', () => this.#primary()));
    let operand = primary ?? nothing(stream.peek().offset);
    for (;;) {
      if (stream.is('.')) operand = this.#selection(operand);
      else if (stream.is('[')) operand = this.#index(operand);
      else return operand;
    }
  }

  #selection(operand: Expr): Expr {
    const stream = this.#stream;
    const next = stream.peek(1).kind;
    if (next === 'true' || next === 'false' || next === 'null') {
      stream.accept('.');
      return stream.mismatched(['IDENTIFIER']) as never;
    }
    if (next !== 'IDENTIFIER' && next !== 'ESC_IDENTIFIER' && next !== '?') stream.noViableAlternative(1);
    const dot = stream.accept('.')!;
    const optional = stream.accept('?');
    if (optional !== undefined && !this.#options.optionalSyntax) this.#wrong(dot.offset, "unsupported syntax '.?'");
    const name = this.#fieldName();
    if (optional !== undefined) {
      const field: Expr = { kind: 'const', offset: name.offset, constType: STRING, value: name.text };
      return call(OPERATORS.optSelect, dot.offset, operand, field);
    }
    const open = name.escaped ? undefined : stream.accept('(');
    if (open === undefined) return { kind: 'select', offset: dot.offset, operand, field: name.text, testOnly: false };
    return this.#callOrMacro(name.text, open.offset, operand, this.#args());
  }

  #fieldName(): { text: string; offset: number; escaped: boolean } {
    const stream = this.#stream;
    if (!stream.is('IDENTIFIER') && !stream.is('ESC_IDENTIFIER')) {
      this.#wrong(stream.peek().offset, 'unsupported ident kind');
      return stream.mismatched(['IDENTIFIER', 'ESC_IDENTIFIER']);
    }
    const token = stream.accept(stream.peek().kind)!;
    if (token.kind === 'IDENTIFIER') return { ...token, escaped: false };
    if (!this.#options.escapedIdentifiers) this.#wrong(token.offset, "unsupported syntax: '`'");
    return { text: token.text.slice(1, -1), offset: token.offset, escaped: true };
  }

  #index(operand: Expr): Expr {
    const stream = this.#stream;
    const { offset } = stream.accept('[')!;
    stream.sync(['?', ...EXPRESSION_START]);
    const optional = stream.accept('?');
    if (optional !== undefined && !this.#options.optionalSyntax) this.#wrong(offset, "unsupported syntax '[?'");
    const index = this.#expression([']']);
    stream.expect(']');
    return call(optional === undefined ? OPERATORS.index : OPERATORS.optIndex, offset, operand, index);
  }

  /** Arguments and the closing parenthesis. */
  #args(): Expr[] {
    const stream = this.#stream;
    const args: Expr[] = [];
    stream.sync([')', ...EXPRESSION_START]);
    if (!stream.is(')')) {
      do args.push(this.#expression([',', ')']));
      while (stream.accept(',') !== undefined);
    }
    stream.expect(')');
    return args;
  }

  #primary(): Expr {
    const stream = this.#stream;
    const token = stream.peek();
    switch (token.kind) {
      case '(': {
        stream.accept('(');
        const inner = this.#expression([')']);
        stream.expect(')');
        return inner;
      }
      case '[':
        return this.#list();
      case '{':
        return this.#map();
      case '.':
      case 'IDENTIFIER':
        return this.#name();
      default:
        return this.#literal();
    }
  }

  #name(): Expr {
    const stream = this.#stream;
    if (stream.is('.') && stream.peek(1).kind !== 'IDENTIFIER') stream.noViableAlternative(1);
    if (this.#isStruct()) return this.#struct();
    const leading = stream.accept('.') === undefined ? '' : '.';
    const token = stream.expect('IDENTIFIER');
    if (RESERVED.has(token.text)) this.#wrong(token.offset, `reserved identifier: ${token.text}`);
    const open = stream.accept('(');
    const name = leading + token.text;
    if (open === undefined) return { kind: 'ident', offset: token.offset, name };
    return this.#callOrMacro(name, open.offset, undefined, this.#args());
  }

  /** ["."] IDENTIFIER {"." IDENTIFIER} "{" */
  #isStruct(): boolean {
    let ahead = this.#stream.is('.') ? 1 : 0;
    while (this.#stream.peek(ahead).kind === 'IDENTIFIER') {
      const after = this.#stream.peek(ahead + 1).kind;
      if (after === '{') return true;
      if (after !== '.') return false;
      ahead += 2;
    }
    return false;
  }

  #struct(): Expr {
    const stream = this.#stream;
    let typeName = stream.accept('.') === undefined ? '' : '.';
    do typeName += (typeName === '' || typeName === '.' ? '' : '.') + stream.accept('IDENTIFIER')!.text;
    while (stream.accept('.') !== undefined);
    const { offset } = stream.accept('{')!;
    const entries: StructField[] = [];
    this.#entries(['}', ',', '?', 'IDENTIFIER', 'ESC_IDENTIFIER'], () => {
      const optional = this.#optionalEntry();
      const name = this.#fieldName();
      const colon = stream.expect(':', EXPRESSION_START);
      const value = this.#expression([',', '}']);
      entries.push({ offset: colon.offset, field: name.text, value, optional });
    });
    return { kind: 'struct', offset, typeName, entries };
  }

  #map(): Expr {
    const stream = this.#stream;
    const { offset } = stream.accept('{')!;
    const entries: MapEntry[] = [];
    this.#entries(['}', ',', '?', ...EXPRESSION_START], () => {
      const optional = this.#optionalEntry();
      const key = this.#expression([':']);
      const colon = stream.expect(':', EXPRESSION_START);
      entries.push({ offset: colon.offset, key, value: this.#expression([',', '}']), optional });
    });
    return { kind: 'map', offset, entries };
  }

  /** Entries up to the closing brace; a comma may stand behind the last. */
  #entries(starts: readonly string[], entry: () => void): void {
    const stream = this.#stream;
    stream.sync(starts);
    const first = starts.filter((kind) => kind !== '}' && kind !== ',');
    if (!stream.is('}') && !stream.is(',')) {
      stream.rule(['}', ','], () =>
        stream.recovering('entries', () => {
          entry();
          while (stream.is(',') && first.includes(stream.peek(1).kind)) {
            stream.accept(',');
            entry();
          }
        }),
      );
      stream.sync(['}', ',']);
    }
    stream.accept(',');
    stream.expect('}');
  }

  #optionalEntry(): boolean {
    const token = this.#stream.accept('?');
    if (token !== undefined && !this.#options.optionalSyntax) this.#wrong(token.offset, "unsupported syntax '?'");
    return token !== undefined;
  }

  #list(): Expr {
    const stream = this.#stream;
    const { offset } = stream.accept('[')!;
    const elements: Expr[] = [];
    const optional = new Set<number>();
    const starts = ['?', ...EXPRESSION_START];
    const element = (): void => {
      if (this.#optionalEntry()) optional.add(elements.length);
      elements.push(this.#expression([',', ']']));
    };
    stream.sync([']', ',', ...starts]);
    if (!stream.is(']') && !stream.is(',')) {
      element();
      while (stream.is(',') && starts.includes(stream.peek(1).kind)) {
        stream.accept(',');
        element();
      }
      stream.sync([']', ',']);
    }
    stream.accept(',');
    stream.expect(']');
    return { kind: 'list', offset, elements, optional };
  }

  #literal(): Expr {
    const stream = this.#stream;
    const minus = stream.is('-') ? stream.accept('-') : undefined;
    const token = stream.peek();
    const offset = minus?.offset ?? token.offset;
    const text = (minus === undefined ? '' : '-') + token.text;
    if (!isLiteral(token.kind)) return stream.mismatched(EXPRESSION_START);
    stream.accept(token.kind);
    switch (token.kind) {
      case 'NUM_INT': {
        const value = parseIntLiteral(text);
        return value === undefined ? this.#wrong(offset, 'invalid int literal') : constant(offset, INT, value);
      }
      case 'NUM_UINT': {
        const value = parseUintLiteral(text);
        return value === undefined ? this.#wrong(offset, 'invalid uint literal') : constant(offset, UINT, value);
      }
      case 'NUM_FLOAT': {
        const value = parseDoubleLiteral(text);
        return value === undefined ? this.#wrong(offset, 'invalid double literal') : constant(offset, DOUBLE, value);
      }
      case 'STRING':
      case 'BYTES': {
        const unquoted = unquote(token.text);
        if ('wrong' in unquoted) return this.#wrong(offset, unquoted.wrong);
        return constant(offset, token.kind === 'BYTES' ? BYTES : STRING, unquoted.value);
      }
      case 'null':
        return constant(offset, NULL, null);
      default:
        return constant(offset, BOOL, token.kind === 'true');
    }
  }

  #callOrMacro(name: string, offset: number, target: Expr | undefined, args: readonly Expr[]): Expr {
    const expansion = expandMacro(this.#options.macros, { name, offset, target, args });
    if (expansion === undefined)
      return target === undefined ? { kind: 'call', offset, name, args } : { kind: 'call', offset, name, target, args };
    if ('expr' in expansion) return expansion.expr;
    const expr = this.#wrong(expansion.offset, expansion.wrong);
    if (expansion.fatal === true) throw new ParseAbandoned();
    return expr;
  }
}

/** Chains like a.b.c or 1 + 2 + 3 nest as deeply as they are long; what follows walks the tree by recursion. */
function isTooDeep(expr: Expr): boolean {
  const left: (readonly [Expr, number])[] = [[expr, 0]];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const [node, depth] = next;
    if (depth > RECURSION_MAX) return true;
    // What macros expand to is not written by anybody.
    const below = node.kind === 'comprehension' ? depth : depth + 1;
    for (const child of children(node)) left.push([child, below]);
  }
  return false;
}

const isNumber = (kind: string): boolean => kind === 'NUM_INT' || kind === 'NUM_FLOAT';
const isLiteral = (kind: string): boolean =>
  isNumber(kind) || ['NUM_UINT', 'STRING', 'BYTES', 'true', 'false', 'null'].includes(kind);

const call = (name: string, offset: number, ...args: Expr[]): Expr => ({ kind: 'call', offset, name, args });
const constant = (offset: number, constType: Extract<Expr, { kind: 'const' }>['constType'], value: unknown): Expr => ({
  kind: 'const',
  offset,
  constType,
  value,
});
/** Stands where something could not be parsed; never evaluated. */
const nothing = (offset: number): Expr => constant(offset, NULL, null);
