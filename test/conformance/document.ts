// docs/conformance.md, and the same figures for the terminal: what passed by class and by area, and what failed with its reason.
import { areaOf, CLASSES, type ConformanceTest } from './list.ts';
import type { Kept } from './results.ts';

export interface Figures {
  readonly tests: number;
  readonly passed: number;
  readonly failed: number;
  readonly notRun: number;
}

export function figuresOf(tests: readonly ConformanceTest[], results: ReadonlyMap<string, Kept>): Figures {
  const count = (outcome: string) => tests.filter((t) => results.get(t.name)?.outcome === outcome).length;
  const passed = count('passed');
  const failed = count('failed');
  return { tests: tests.length, passed, failed, notRun: tests.length - passed - failed };
}

const row = (...cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;
const heading = (...cells: readonly string[]): string[] => [row(...cells), row(...cells.map(() => '---'))];
const rowOf = (label: string, f: Figures): string => row(label, f.tests, f.passed, f.failed, f.notRun);
const FIGURES = ['tests', 'passed', 'failed', 'not run'];

export function classTable(all: readonly ConformanceTest[], results: ReadonlyMap<string, Kept>): string {
  return [
    ...heading('class', ...FIGURES),
    ...CLASSES.map((c) =>
      rowOf(
        c,
        figuresOf(
          all.filter((t) => t.class === c),
          results,
        ),
      ),
    ),
    rowOf('all', figuresOf(all, results)),
  ].join('\n');
}

export interface Provenance {
  /** Newest commit of the results. */
  readonly commit: string;
  /** Day the document was written, as YYYY-MM-DD. */
  readonly date: string;
  readonly against: string;
}

export function conformanceDocument(
  all: readonly ConformanceTest[],
  results: ReadonlyMap<string, Kept>,
  from: Provenance,
): string {
  const areas = [...Map.groupBy(all, areaOf)].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const failed = all.filter((t) => results.get(t.name)?.outcome === 'failed');
  const skipped = all.filter((t) => results.get(t.name)?.outcome === 'skipped');
  const withReason = (tests: readonly ConformanceTest[]) => [
    ...heading('class', 'test', 'first error line'),
    ...tests.map((t) => row(t.class, inCell(t.name), code(results.get(t.name)?.error ?? ''))),
  ];
  return `${[
    '# The official conformance suite',
    '',
    `Written by \`npm run conformance -- --write\` at commit ${from.commit} on ${from.date}, against ${from.against}. The tests are those`,
    'of Kubernetes 1.36.3, unchanged; the images they run were built here. These are results of a self-check, not of a certification.',
    '`api` needs the API server alone, `ctrl` controllers too, `run` real containers.',
    '',
    classTable(all, results),
    '',
    ...commitLines(results),
    ...(failed.some((t) => NO_CRD.test(results.get(t.name)?.error ?? '')) ? [VACUOUS, ''] : []),
    '## By area',
    '',
    ...heading('area', ...FIGURES),
    ...areas.map(([area, tests]) => rowOf(area, figuresOf(tests, results))),
    '',
    '## What failed',
    '',
    ...(failed.length === 0 ? ['Nothing.'] : withReason(failed)),
    ...(skipped.length === 0 ? [] : ['', '## What left itself out', '', ...withReason(skipped)]),
  ].join('\n')}\n`;
}

/** How tests fail that could not create a CustomResourceDefinition. */
const NO_CRD = /creat\w*( a)? (CRD|CustomResourceDefinition)/i;
const VACUOUS =
  'Custom resources cannot be defined. The suite ends some tests early and green then: those of webhooks for custom resources, of their conversion and of field selectors count as passed here and are not.';

/** Says so when not all results are of one commit. */
function commitLines(results: ReadonlyMap<string, Kept>): readonly string[] {
  const commits = [...Map.groupBy(results.values(), (r) => r.commit)].toSorted(([, a], [, b]) => b.length - a.length);
  if (commits.length < 2) return [];
  return [`Newest result of each test: ${commits.map(([c, r]) => `${r.length} of commit ${c}`).join(', ')}.`, ''];
}

const inCell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
const code = (text: string): string => (text === '' ? '' : `\`${text.replaceAll('`', "'").replaceAll('|', '\\|')}\``);
