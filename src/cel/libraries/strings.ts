// String functions beyond the language's own (cel-go's strings extension). Positions count code points.

import type { Int } from '../arithmetic.ts';
import { fn, global, type Library, member } from '../functions.ts';
import { INT, LIST_OF_DYN, listOf, STRING } from '../types.ts';
import { celError, type Value } from '../values.ts';
import { type FormatStyle, formatString } from './string-format.ts';

const LIST_OF_STRINGS = listOf(STRING);
const ASCII_ONLY = /^[\0-\x7f]*$/;

/** Most text is ASCII, where units are code points. */
const points = (text: string): readonly string[] | string => (ASCII_ONLY.test(text) ? text : [...text]);
const joined = (part: readonly string[] | string): string => (typeof part === 'string' ? part : part.join(''));

function charAt(text: string, index: Int): string {
  const characters = points(text);
  const at = Number(index);
  if (at < 0 || at > characters.length) throw celError(`index out of range: ${index}`);
  return at === characters.length ? '' : characters[at]!;
}

function indexOf(text: string, wanted: string, from: Int = 0): number {
  const characters = points(text);
  const start = Number(from);
  if (wanted === '') return start;
  if (start < 0) throw celError(`index out of range: ${from}`);
  if (start >= characters.length) return -1;
  if (typeof characters === 'string') return characters.indexOf(wanted, start);
  const found = text.indexOf(wanted, joined(characters.slice(0, start)).length);
  return found < 0 ? -1 : [...text.slice(0, found)].length;
}

function lastIndexOf(text: string, wanted: string, from?: Int): number {
  const characters = points(text);
  if (from === undefined && wanted === '') return characters.length;
  const start = from === undefined ? characters.length - 1 : Number(from);
  if (from !== undefined && wanted === '') return start;
  if (from !== undefined && start < 0) throw celError(`index out of range: ${from}`);
  if (from !== undefined && start >= characters.length) return -1;
  const unit = typeof characters === 'string' ? start : joined(characters.slice(0, start)).length;
  const found = text.lastIndexOf(wanted, Math.max(unit, 0));
  return found < 0 ? -1 : [...text.slice(0, found)].length;
}

function substring(text: string, start: Int, end?: Int): string {
  const characters = points(text);
  const from = Number(start);
  const to = end === undefined ? characters.length : Number(end);
  if (end !== undefined && from > to) throw celError(`invalid substring range. start: ${start}, end: ${end}`);
  if (from < 0 || from > characters.length) throw celError(`index out of range: ${start}`);
  if (to < 0 || to > characters.length) throw celError(`index out of range: ${end}`);
  return joined(characters.slice(from, to));
}

function replace(text: string, old: string, replacement: string, count: Int = -1): string {
  if (count < 0) return text.replaceAll(old, () => replacement);
  let result = '';
  let rest = text;
  for (let left = Number(count); left > 0; left -= 1) {
    const found = rest.indexOf(old);
    if (found < 0) break;
    // An empty pattern matches before each character, and once at the end.
    const kept = old === '' ? joined(points(rest).slice(0, 1)) : '';
    result += rest.slice(0, found) + replacement + kept;
    const done = rest === '';
    rest = rest.slice(found + old.length + kept.length);
    if (old === '' && done) break;
  }
  return result + rest;
}

function split(text: string, separator: string, limit: Int = -1): string[] {
  const parts = separator === '' ? [...text] : text.split(separator);
  const most = Number(limit);
  if (most < 0 || parts.length <= most) return most === 0 ? [] : parts;
  if (most === 0) return [];
  return [...parts.slice(0, most - 1), parts.slice(most - 1).join(separator)];
}

function join(list: readonly Value[], given?: string): string {
  const separator = given ?? '';
  for (const element of list)
    if (typeof element !== 'string')
      throw celError(`no such overload: join(list${given === undefined ? '' : ', string'})`);
  return list.join(separator);
}

const SPACE = '[\\u0009-\\u000d\\u0020\\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+';
const OUTER_SPACE = new RegExp(`^${SPACE}|${SPACE}$`, 'g');

const QUOTED: Readonly<Record<string, string>> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
};

const quote = (text: string): string =>
  `"${text.toWellFormed().replaceAll(/[\u0007\b\f\n\r\t\v\\"]/g, (c) => QUOTED[c]!)}"`;

export const STRINGS_LIBRARY: Library = {
  functions: [
    fn('charAt', member('string_char_at_int', [STRING, INT], STRING, charAt)),
    fn(
      'indexOf',
      member('string_index_of_string', [STRING, STRING], INT, indexOf),
      member('string_index_of_string_int', [STRING, STRING, INT], INT, indexOf),
    ),
    fn(
      'lastIndexOf',
      member('string_last_index_of_string', [STRING, STRING], INT, lastIndexOf),
      member('string_last_index_of_string_int', [STRING, STRING, INT], INT, lastIndexOf),
    ),
    fn(
      'join',
      member('list_join', [LIST_OF_STRINGS], STRING, join),
      member('list_join_string', [LIST_OF_STRINGS, STRING], STRING, join),
    ),
    fn(
      'lowerAscii',
      member('string_lower_ascii', [STRING], STRING, (text: string) =>
        text.replaceAll(/[A-Z]+/g, (part) => part.toLowerCase()),
      ),
    ),
    fn(
      'upperAscii',
      member('string_upper_ascii', [STRING], STRING, (text: string) =>
        text.replaceAll(/[a-z]+/g, (part) => part.toUpperCase()),
      ),
    ),
    fn(
      'replace',
      member('string_replace_string_string', [STRING, STRING, STRING], STRING, replace),
      member('string_replace_string_string_int', [STRING, STRING, STRING, INT], STRING, replace),
    ),
    fn(
      'split',
      member('string_split_string', [STRING, STRING], LIST_OF_STRINGS, split),
      member('string_split_string_int', [STRING, STRING, INT], LIST_OF_STRINGS, split),
    ),
    fn(
      'substring',
      member('string_substring_int', [STRING, INT], STRING, substring),
      member('string_substring_int_int', [STRING, INT, INT], STRING, substring),
    ),
    fn(
      'trim',
      member('string_trim', [STRING], STRING, (text: string) => text.replaceAll(OUTER_SPACE, '')),
    ),
  ],
};

/** With format() and quote(), from version 1 of the extension on. */
export const stringFormatLibrary = (style: FormatStyle): Library => ({
  functions: [
    fn('format', member('string_format', [STRING, LIST_OF_DYN], STRING, formatString(style))),
    fn('strings.quote', global('strings_quote', [STRING], STRING, quote)),
  ],
});

/** From version 3 of the extension on. */
export const STRING_REVERSE_LIBRARY: Library = {
  functions: [
    fn(
      'reverse',
      member('string_reverse', [STRING], STRING, (text: string) => [...text].reverse().join('')),
    ),
  ],
};
