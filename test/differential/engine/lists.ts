// The two lists of cases that may differ, each by its whole id: what Coracle still has to learn (todo.txt), and what it does otherwise on
// purpose, with the reason (by-design.txt). A listed case that is equal is a mistake in the list.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Lists {
  readonly todo: ReadonlySet<string>;
  /** Id → reason. */
  readonly byDesign: ReadonlyMap<string, string>;
}

const DIR = join(import.meta.dirname, '..');
const TODO = 'todo.txt';
const BY_DESIGN = 'by-design.txt';
/** Between an id and its reason. */
const SEPARATOR = ' | ';

const TODO_HEAD =
  '# Cases in which Coracle still answers otherwise than the original: one id a line, written by `replay --write-todo`.\n';

function linesOf(path: string): string[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .map((l) => l.trim())
    .filter((l) => l !== '' && !l.startsWith('#'));
}

export function readLists(dir = DIR): Lists {
  const byDesign = new Map<string, string>();
  for (const line of linesOf(join(dir, BY_DESIGN))) {
    const at = line.indexOf(SEPARATOR);
    if (at < 0) throw new Error(`${BY_DESIGN}: "${line}" has no reason (id${SEPARATOR}reason)`);
    const id = line.slice(0, at);
    if (byDesign.has(id)) throw new Error(`${BY_DESIGN} names ${id} twice`);
    byDesign.set(id, line.slice(at + SEPARATOR.length));
  }
  const todo = new Set<string>();
  for (const id of linesOf(join(dir, TODO))) {
    if (todo.has(id)) throw new Error(`${TODO} names ${id} twice`);
    if (byDesign.has(id)) throw new Error(`${id} is in both lists`);
    todo.add(id);
  }
  return { todo, byDesign };
}

/** What was asked about is listed as `different` says; everything else stays as it was. */
export function writeTodo(
  asked: ReadonlySet<string>,
  different: ReadonlySet<string>,
  isKnown: (id: string) => boolean,
  dir = DIR,
): number {
  const { todo, byDesign } = readLists(dir);
  const kept = [...todo].filter((id) => !asked.has(id) && isKnown(id));
  const lines = [...new Set([...kept, ...different])].filter((id) => !byDesign.has(id)).toSorted();
  writeFileSync(join(dir, TODO), TODO_HEAD + lines.map((l) => `${l}\n`).join(''));
  return lines.length;
}
