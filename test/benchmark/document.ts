// docs/benchmarks.md: a section for each subject, written anew by `--write`, between marks; what stands around them is written by people.
import type { Figure } from './figures.ts';
import { rowOf } from './figures.ts';

export interface Circumstances {
  readonly date: string;
  readonly commit: string;
  readonly machine: string;
  readonly rounds: number;
  /** One-minute load averages before and after. */
  readonly loadBefore: number;
  readonly loadAfter: number;
  /** What the load generator reaches against a server that does nothing; only where it is used. */
  readonly ceiling?: { readonly perSecond: number; readonly cpuMicros: number };
}

/** A figure of Coracle alone, or beside something else than the reference. */
export interface PlainRow {
  readonly what: string;
  readonly values: readonly string[];
}

const HEADS = ['measure', 'Coracle', 'reference', 'ratio', 'CPU: Coracle', 'CPU: reference', 'CPU ratio'] as const;

export function comparisonTable(figures: readonly Figure[]): string {
  return table(HEADS, figures.map(rowOf).map(Object.values) as string[][]);
}

export function plainTable(rows: readonly PlainRow[]): string {
  return table(
    ['measure', 'figure', ''],
    rows.map(({ what, values }) => [what, values[0] ?? '', values.slice(1).join(', ')]),
  );
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n');
}

export function circumstancesText(c: Circumstances): string {
  const rounds = `${c.rounds} ${c.rounds === 1 ? 'round' : 'rounds'}`;
  const load = `load average ${c.loadBefore.toFixed(1)} before, ${c.loadAfter.toFixed(1)} at the end`;
  const ceiling =
    c.ceiling === undefined
      ? ''
      : ` Against a server that does nothing the load generator makes ${Math.round(c.ceiling.perSecond).toLocaleString('en')} requests a second, at ${c.ceiling.cpuMicros.toFixed(0)} µs of its own processor time each.`;
  return `${c.date}, commit ${c.commit}, ${c.machine}; ${rounds}, ${load}.${ceiling}`;
}

/** The document with another content between the marks of a subject. */
export function replaceSection(document: string, subject: string, content: string): string {
  const [begin, end] = [`<!-- ${subject} -->`, `<!-- end of ${subject} -->`];
  const [from, to] = [document.indexOf(begin), document.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`the document has no marks ${begin} and ${end}`);
  return `${document.slice(0, from + begin.length)}\n\n${content}\n\n${document.slice(to)}`;
}
