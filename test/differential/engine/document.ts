// docs/differential.md: how much is asked, and how much of it Coracle answers as the original does. Written by `replay --write`.
import type { Count } from './count.ts';
import { causes } from './report.ts';
import type { Judged, Verdict } from './run.ts';

/** What to mend first; all of it is one command away. */
const CAUSES = 40;

export function differentialDocument(
  judged: readonly Judged[],
  counts: readonly Count[],
  made: { readonly commit: string; readonly date: string },
): string {
  const rows = counts.map((count) => {
    const of = judged.filter((j) => count.area === 'all' || j.area === count.area);
    const number = (verdicts: readonly Verdict[]) => of.filter((j) => verdicts.includes(j.verdict)).length;
    const cells = [
      count.area,
      of.length,
      number(['equal', 'now equal']),
      number(['todo', 'new']),
      number(['by design']),
      number(['stale']),
      count.different,
      count.writes,
      `${Math.round((100 * count.good) / Math.max(1, count.answers))} %`,
    ];
    return `| ${cells.join(' | ')} |`;
  });
  const listed = causes(judged.filter((j) => j.verdict !== 'by design')).filter((line) => /^ *\d+ {2}\S/.test(line));
  return [
    '# The differential corpus',
    '',
    `Written by \`npm run differential -- replay --write\` at commit ${made.commit} on ${made.date}: Coracle's answers against those that`,
    'kube-apiserver 1.36.3 gave when they were recorded. Status, headers and body are compared field by field; what is normalised stands in',
    '`test/differential/engine/normalise.ts` (for command lines in `test/differential/kubectl/normalise.ts`). A case with one differing field counts as different.',
    '',
    '| area | cases | equal | different | by design | stale | different in kind, verb, outcome and field | of them writes | answers 2xx |',
    '|---|---|---|---|---|---|---|---|---|',
    ...rows,
    '',
    '## What differs first',
    '',
    `The ${Math.min(CAUSES, listed.length)} most frequent of ${listed.length} first differences (the original's value, then Coracle's), names and numbers masked.`,
    '',
    '```text',
    ...listed.slice(0, CAUSES),
    '```',
    '',
  ].join('\n');
}
