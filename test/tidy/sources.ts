// What the tidy tests look at: the repository's files and the imports in them. Statements are found by a simple pattern, not by a
// parser: imports stand at the start of a line and the formatter keeps them in one shape.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

export const ROOT = join(import.meta.dirname, '..', '..');

export interface Import {
  readonly from: string;
  /** Only types: erased before the program runs. */
  readonly typeOnly: boolean;
  /** Names as the other file exports them; empty for side effects, `*` for a namespace, `default` for a default import. */
  readonly names: readonly string[];
}

export interface SourceFile {
  /** From the repository's root, such as `src/base/ip.ts`. */
  readonly path: string;
  readonly text: string;
  readonly lines: number;
  readonly imports: readonly Import[];
}

/** Tests and what only tests use: they may have the outside world. */
export const isTest = (path: string): boolean =>
  /(\.test|\.suite)\.ts$|(^|\/)(testing|fixture|builders|fake)\.ts$/.test(path);

/** What .gitignore names, and the history itself. A walk, not `git ls-files`: a checkout may have no git, or another owner. */
const IGNORED = /^(\.git|node_modules|\.build|\.cache)$|\.log$/;

/** Every file of the repository. */
export function repositoryFiles(): readonly string[] {
  return walk('').toSorted();
}

function walk(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (IGNORED.test(entry.name)) return [];
    return entry.isDirectory() ? walk(path) : [path];
  });
}

export const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

const sources = new Map<string, readonly SourceFile[]>();

/** TypeScript files below a folder of the root. */
export function sourceFiles(folder: string): readonly SourceFile[] {
  return sources.getOrInsertComputed(folder, () =>
    repositoryFiles()
      .filter((f) => f.startsWith(`${folder}/`) && f.endsWith('.ts'))
      .map((path) => {
        const text = read(path);
        return { path, text, lines: text.split('\n').length, imports: importsOf(text) };
      }),
  );
}

const STATEMENT =
  /^(?:import|export)\s+(type\s+)?([^;'"]*?)\s*from\s+['"]([^'"]+)['"]|^import\s+['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)/gm;

export function importsOf(text: string): readonly Import[] {
  return [...text.matchAll(STATEMENT)].map(([, type, clause, from, bare, dynamic]) => {
    if (from === undefined)
      return { from: (bare ?? dynamic)!, typeOnly: false, names: dynamic === undefined ? [] : ['*'] };
    const named =
      /\{([^}]*)\}/
        .exec(clause!)?.[1]
        ?.split(',')
        .map((n) => n.trim())
        .filter((n) => n !== '') ?? [];
    const rest = clause!
      .replace(/\{[^}]*\}/, '')
      .replaceAll(',', '')
      .trim();
    const values = named.filter((n) => !n.startsWith('type '));
    return {
      from,
      typeOnly: type !== undefined || (rest === '' && named.length > 0 && values.length === 0),
      names: [
        ...values.map((n) => n.split(/\s+as\s+/)[0]!),
        ...(rest === '' ? [] : [rest.startsWith('*') ? '*' : 'default']),
      ],
    };
  });
}

/** The file of the repository that an import names; undefined for packages and builtins. */
export function resolveImport(importer: string, from: string): string | undefined {
  if (from.startsWith('#generated/') || from.startsWith('#test/')) return from.slice(1);
  if (from.startsWith('#')) return `src/${from.slice(1)}`;
  if (from.startsWith('.')) return normalize(join(dirname(importer), from));
  return undefined;
}
