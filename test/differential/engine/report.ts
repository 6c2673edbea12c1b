// What a run says: a table an area, the first difference of each case, and the two lines at the end.
import { causeOf, describeDifference } from './compare.ts';
import { isFailure, type Judged, type Verdict } from './run.ts';

const COLUMNS: readonly Verdict[] = ['equal', 'todo', 'by design', 'new', 'now equal', 'stale'];
/** Sorts of cases named below a cause. */
const SORTS = 4;

export function table(judged: readonly Judged[]): string[] {
  const areas = [...new Set(judged.map((j) => j.area))];
  const rows = [...areas, 'all'].map((area) => {
    const of = judged.filter((j) => area === 'all' || j.area === area);
    return [area, String(of.length), ...COLUMNS.map((v) => String(of.filter((j) => j.verdict === v).length))];
  });
  const head = ['area', 'cases', ...COLUMNS];
  const widths = head.map((h, i) => Math.max(h.length, ...rows.map((r) => r[i]!.length)));
  const line = (cells: readonly string[]) =>
    cells.map((c, i) => (i === 0 ? c.padEnd(widths[i]!) : c.padStart(widths[i]!))).join('  ');
  return [line(head), ...rows.map(line)];
}

/** A case with its first difference; with `verbose` all of them. */
export function details(judged: Judged, verbose: boolean): string[] {
  const shown = verbose ? judged.differences : judged.differences.slice(0, 1);
  const more = judged.differences.length - shown.length;
  return [
    `${judged.verdict}: ${judged.id}`,
    ...(judged.problem === undefined ? [] : [`    ${judged.problem}`]),
    ...shown.map((d) => `    ${describeDifference(d, verbose ? 4_000 : 200)}`),
    ...(more > 0 ? [`    and ${more} more`] : []),
  ];
}

/** The differing cases by their first difference, most frequent first: what to mend first. */
export function causes(judged: readonly Judged[]): string[] {
  const groups = new Map<string, string[]>();
  for (const one of judged) {
    if (one.differences.length === 0 && one.problem === undefined) continue;
    const cause = one.problem ?? causeOf(one.differences[0]!, kindWords(one.id));
    groups.set(cause, [...(groups.get(cause) ?? []), one.id]);
  }
  return [...groups]
    .toSorted(([a, x], [b, y]) => y.length - x.length || (a < b ? -1 : 1))
    .flatMap(([cause, ids]) => [
      `${String(ids.length).padStart(5)}  ${cause}`,
      ...sorts(ids).map((line) => `         ${line}`),
    ]);
}

/** The last parts of these ids, with how many have it, and one whole id of each to ask for. */
function sorts(ids: readonly string[]): string[] {
  const of = new Map<string, string[]>();
  for (const id of ids) {
    const sort = id.slice(id.indexOf('/', id.indexOf('/') + 1) + 1);
    of.set(sort, [...(of.get(sort) ?? []), id]);
  }
  const lines = [...of]
    .toSorted(([, a], [, b]) => b.length - a.length)
    .map(([, same]) => `${same.length} × ${same[0]!}`);
  return lines.length <= SORTS ? lines : [...lines.slice(0, SORTS), `and ${lines.length - SORTS} sorts more`];
}

/** How messages name the kind of a case: `Deployment`, `deployments`, `deployment`. */
function kindWords(id: string): string[] {
  const kind = id.split('/')[1]?.split('.').at(-1) ?? '';
  if (!/^[A-Z]/.test(kind)) return [];
  const lower = kind.toLowerCase();
  return [kind, `${lower}s`, `${lower}es`, `${lower.slice(0, -1)}ies`, lower].filter((w) => w.length > 2);
}

export function lastLines(judged: readonly Judged[]): string[] {
  const count = (verdict: Verdict) => judged.filter((j) => j.verdict === verdict).length;
  const failed = judged.filter((j) => isFailure(j.verdict)).length;
  return [
    `${judged.length - failed} passed, ${failed} failed`,
    `differential: ${count('equal')} equal, ${count('todo')} todo, ${count('by design')} by design, ${failed} new of ${judged.length}`,
  ];
}
