// The text of a literal to its value.

import { canonicalInt, Double, INT_MAX, INT_MIN, Uint, UINT_MAX } from './values.ts';

/** Undefined: out of range. */
export function parseIntLiteral(text: string): number | bigint | undefined {
  const negative = text.startsWith('-');
  const magnitude = BigInt(negative ? text.slice(1) : text);
  const value = negative ? -magnitude : magnitude;
  return value < INT_MIN || value > INT_MAX ? undefined : canonicalInt(value);
}

export function parseUintLiteral(text: string): Uint | undefined {
  const value = BigInt(text.slice(0, -1));
  return value > UINT_MAX ? undefined : new Uint(value);
}

export function parseDoubleLiteral(text: string): Double | undefined {
  const value = Number(text);
  return Number.isFinite(value) ? new Double(value) : undefined;
}

const SIMPLE: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '"': '"',
  "'": "'",
  '`': '`',
  '\\': '\\',
  '?': '?',
};

/** The value of a string or bytes token; a string says what is wrong with it. */
export function unquote(token: string): { value: string | Uint8Array } | { wrong: string } {
  let text = token;
  const bytes = /^[bB]/.test(text);
  if (bytes) text = text.slice(1);
  const raw = /^[rR]/.test(text);
  if (raw) text = text.slice(1);
  const quote = text.startsWith('"""') || text.startsWith("'''") ? 3 : 1;
  text = text.slice(quote, -quote).replaceAll(/\r\n?/g, '\n');
  if (raw || !text.includes('\\')) return { value: bytes ? new TextEncoder().encode(text) : text };
  return bytes ? unescapeBytes(text) : unescapeString(text);
}

const ESCAPES = /\\(?:[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|([^]))/g;

function unescapeString(text: string): { value: string } | { wrong: string } {
  let wrong: string | undefined;
  const value = text.replaceAll(ESCAPES, (...match) => {
    const [, hex, short, long, octal, simple] = match as (string | undefined)[];
    if (simple !== undefined) return SIMPLE[simple] ?? simple;
    const code = octal === undefined ? Number.parseInt((hex ?? short ?? long)!, 16) : Number.parseInt(octal, 8);
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
      wrong ??= 'invalid unicode code point';
      return '';
    }
    return String.fromCodePoint(code);
  });
  return wrong === undefined ? { value } : { wrong };
}

/** In bytes, \x and octal escapes are single bytes, and \u is not allowed. */
function unescapeBytes(text: string): { value: Uint8Array } | { wrong: string } {
  const parts: Uint8Array[] = [];
  const encoder = new TextEncoder();
  let at = 0;
  for (const match of text.matchAll(ESCAPES)) {
    parts.push(encoder.encode(text.slice(at, match.index)));
    at = match.index + match[0].length;
    const [, hex, short, long, octal, simple] = match;
    if (short !== undefined || long !== undefined) return { wrong: 'unable to unescape string' };
    if (simple !== undefined) parts.push(encoder.encode(SIMPLE[simple] ?? simple));
    else parts.push(Uint8Array.of(hex === undefined ? Number.parseInt(octal!, 8) : Number.parseInt(hex, 16)));
  }
  parts.push(encoder.encode(text.slice(at)));
  return { value: Buffer.concat(parts) };
}
