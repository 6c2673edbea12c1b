// Where in the text something stands, and how upstream prints a problem with it:
//
//   ERROR: <input>:1:5: undeclared reference to 'x' (in container '')
//    | a + x
//    | ....^

import type { CompileError } from './program.ts';

/** Lines longer than this are not repeated in messages. */
const SNIPPET_MAX = 16_384;

/** A problem at a place (UTF-16 offset) of the text; -1: of the text as a whole. */
export interface Issue {
  readonly offset: number;
  readonly message: string;
}

/** 1-based line, 0-based column, both counted in code points. */
export function locate(text: string, offset: number): { line: number; column: number; start: number } {
  if (offset < 0) return { line: -1, column: -1, start: 0 };
  let line = 1;
  let start = 0;
  for (let i = text.indexOf('\n'); i >= 0 && i < offset; i = text.indexOf('\n', i + 1)) {
    line += 1;
    start = i + 1;
  }
  return { line, column: [...text.slice(start, offset)].length, start };
}

export function toCompileErrors(text: string, issues: readonly Issue[]): CompileError[] {
  return issues
    .slice(0, ISSUES_MAX)
    .map((issue) => {
      const { line, column } = locate(text, issue.offset);
      return { line, column, message: issue.message };
    })
    .sort((a, b) => a.line - b.line || a.column - b.column);
}

/** Upstream's limit: what more is found is only counted. */
const ISSUES_MAX = 100;

/** The issues in order of place, one under another. */
export function formatIssues(text: string, issues: readonly Issue[]): string {
  const shown = toCompileErrors(text, issues).map((error) => formatError(text, error));
  if (issues.length > ISSUES_MAX) shown.push(`${issues.length - ISSUES_MAX} more errors were truncated`);
  return shown.join('\n');
}

export function formatError(text: string, error: CompileError): string {
  const head = `ERROR: <input>:${error.line}:${error.column + 1}: ${error.message}`;
  const line = error.line > 0 ? text.split('\n')[error.line - 1] : undefined;
  if (line === undefined || line.length > SNIPPET_MAX) return head;
  const shown = line.replaceAll('\t', ' ');
  const characters = [...shown];
  // What is not ASCII is drawn two columns wide, and so are its dot and mark.
  const isWide = (character: string | undefined): boolean => (character?.codePointAt(0) ?? 0) > 0x7f;
  const dots = characters.slice(0, error.column).map((character) => (isWide(character) ? '．' : '.'));
  return `${head}\n | ${shown}\n | ${dots.join('')}${isWide(characters[error.column]) ? '＾' : '^'}`;
}
