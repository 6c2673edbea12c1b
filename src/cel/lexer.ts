// Text to tokens, by the language's grammar. What is no token is reported as upstream's generated lexer does and skipped.

import type { Issue } from './source.ts';

/** Punctuation and keywords are their own kind. */
export type TokenKind = string;

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  readonly offset: number;
}

const SPACE = /(?:[ \t\r\n\f]|\/\/[^\n]*)+/y;
const NUMBER =
  /(\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)|((?:0x[0-9a-fA-F]+|\d+)[uU])|(0x[0-9a-fA-F]+|\d+)/y;
const IDENTIFIER = /[A-Za-z_][A-Za-z0-9_]*/y;
const ESCAPED_IDENTIFIER = /`[A-Za-z0-9_.\-/ ]+`/y;
const PUNCTUATION = /==|!=|<=|>=|&&|\|\||[<>[\]{}().,\-!?:+*/%]/y;
const ESCAPE = String.raw`\\(?:[abfnrtv"'\x60\\?]|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7][0-7])`;
const STRING = new RegExp(
  [
    `[bB]?[rR]"""[^]*?"""`,
    `[bB]?[rR]'''[^]*?'''`,
    `[bB]?[rR]"[^"\\n\\r]*"`,
    `[bB]?[rR]'[^'\\n\\r]*'`,
    `[bB]?"""(?:${ESCAPE}|[^\\\\])*?"""`,
    `[bB]?'''(?:${ESCAPE}|[^\\\\])*?'''`,
    `[bB]?"(?:${ESCAPE}|[^\\\\"\\n\\r])*"`,
    `[bB]?'(?:${ESCAPE}|[^\\\\'\\n\\r])*'`,
  ].join('|'),
  'y',
);
/** The part of a broken string that the lexer read before it met what cannot be there. */
const BROKEN_STRING = new RegExp(
  `"""(?:${ESCAPE}|[^\\\\])*|'''(?:${ESCAPE}|[^\\\\])*|"(?:${ESCAPE}|[^\\\\"\\n\\r])*|'(?:${ESCAPE}|[^\\\\'\\n\\r])*`,
  'y',
);
const PARTIAL_ESCAPE = /\\(?:[xX][0-9a-fA-F]?|u[0-9a-fA-F]{0,3}|U[0-9a-fA-F]{0,7}|[0-3][0-7]?)?/y;
const KEYWORDS: ReadonlySet<string> = new Set(['in', 'true', 'false', 'null']);

export function tokenize(text: string): { tokens: Token[]; issues: Issue[] } {
  const tokens: Token[] = [];
  const issues: Issue[] = [];
  let at = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0];
  };
  const push = (kind: TokenKind, matched: string): void => {
    tokens.push({ kind, text: matched, offset: at });
    at += matched.length;
  };
  while (at < text.length) {
    const space = take(SPACE);
    if (space !== undefined) {
      at += space.length;
      continue;
    }
    const string = take(STRING);
    if (string !== undefined) {
      push(/^[bB]/.test(string) ? 'BYTES' : 'STRING', string);
      continue;
    }
    const identifier = take(IDENTIFIER);
    if (identifier !== undefined) {
      push(KEYWORDS.has(identifier) ? identifier : 'IDENTIFIER', identifier);
      continue;
    }
    NUMBER.lastIndex = at;
    const number = NUMBER.exec(text);
    if (number !== null) {
      push(number[1] !== undefined ? 'NUM_FLOAT' : number[2] !== undefined ? 'NUM_UINT' : 'NUM_INT', number[0]);
      continue;
    }
    const escaped = take(ESCAPED_IDENTIFIER);
    if (escaped !== undefined) {
      push('ESC_IDENTIFIER', escaped);
      continue;
    }
    const punctuation = take(PUNCTUATION);
    if (punctuation !== undefined) {
      push(punctuation, punctuation);
      continue;
    }
    const skipped = text.slice(at, at + unrecognized(text, at));
    issues.push({ offset: at, message: `Syntax error: token recognition error at: '${escapeControl(skipped)}'` });
    at += skipped.length;
  }
  tokens.push({ kind: 'EOF', text: '<EOF>', offset: text.length });
  return { tokens, issues };
}

/** How much of the text the lexer gives up: what could have begun a token, and the character after it. */
function unrecognized(text: string, at: number): number {
  const first = text[at]!;
  if (first === '"' || first === "'") {
    BROKEN_STRING.lastIndex = at;
    let end = at + (BROKEN_STRING.exec(text)?.[0].length ?? 1);
    PARTIAL_ESCAPE.lastIndex = end;
    end += PARTIAL_ESCAPE.exec(text)?.[0].length ?? 0;
    return end - at + characterLength(text, end);
  }
  if (first === '&' || first === '|' || first === '=') return 1 + characterLength(text, at + 1);
  if (first === '`') {
    let end = at + 1;
    while (/[A-Za-z0-9_.\-/ ]/.test(text[end] ?? '')) end += 1;
    return end - at + characterLength(text, end);
  }
  return characterLength(text, at);
}

function characterLength(text: string, at: number): number {
  if (at >= text.length) return 0;
  return text.codePointAt(at)! > 0xffff ? 2 : 1;
}

export const escapeControl = (text: string): string =>
  text.replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll('\t', '\\t');
