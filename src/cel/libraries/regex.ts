// find and findAll: parts of a text that match an RE2 pattern.

import type { Int } from '../arithmetic.ts';
import { fn, type Library, member } from '../functions.ts';
import { compilePattern } from '../standard.ts';
import { INT, listOf, STRING } from '../types.ts';

function find(text: string, pattern: string): string {
  const matcher = compilePattern(pattern).matcher(text);
  return matcher.find() ? (matcher.group() ?? '') : '';
}

function findAll(text: string, pattern: string, limit: Int = -1): string[] {
  const matcher = compilePattern(pattern).matcher(text);
  const found: string[] = [];
  const most = limit < 0 ? Infinity : Number(limit);
  while (found.length < most && matcher.find()) found.push(matcher.group() ?? '');
  return found;
}

export const REGEX_LIBRARY: Library = {
  functions: [
    fn('find', member('string_find_string', [STRING, STRING], STRING, find)),
    fn(
      'findAll',
      member('string_find_all_string', [STRING, STRING], listOf(STRING), findAll),
      member('string_find_all_string_int', [STRING, STRING, INT], listOf(STRING), findAll),
    ),
  ],
};
