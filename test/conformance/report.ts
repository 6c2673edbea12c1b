// What ginkgo reports, as results by test: its JSON report at the end of a run, and its verbose output while it runs.
import { stripVTControlCharacters } from 'node:util';
import { TAG } from './list.ts';

/** `failed` also covers panics and time limits; a test that was interrupted, or left itself out, was not run. */
export type Outcome = 'passed' | 'failed' | 'skipped';

export interface Result {
  readonly name: string;
  readonly outcome: Outcome;
  readonly seconds: number;
  /** First line of what went wrong, or of why it left itself out. */
  readonly error?: string;
}

/** The part of ginkgo's report that is read here. */
interface SpecReport {
  readonly ContainerHierarchyTexts?: readonly string[] | null;
  readonly LeafNodeText?: string;
  readonly LeafNodeType?: string;
  readonly State?: string;
  readonly RunTime?: number;
  readonly Failure?: { readonly Message?: string; readonly ForwardedPanic?: string };
}

interface SuiteReport {
  readonly SuiteSucceeded?: boolean;
  readonly SpecialSuiteFailureReasons?: readonly string[] | null;
  readonly SpecReports?: readonly SpecReport[] | null;
}

export interface Report {
  readonly results: readonly Result[];
  /** Failures outside tests, such as preparing the suite: they explain why nothing ran. */
  readonly problems: readonly string[];
}

const OUTCOMES: Readonly<Record<string, Outcome>> = {
  passed: 'passed',
  failed: 'failed',
  panicked: 'failed',
  timedout: 'failed',
};
const NS_PER_SECOND = 1e9;

export function parseReport(text: string): Report {
  const suites = JSON.parse(text) as readonly SuiteReport[];
  const results: Result[] = [];
  const problems: string[] = [];
  for (const suite of suites) {
    for (const spec of suite.SpecReports ?? []) {
      const error = firstErrorLine(spec.Failure);
      if (spec.LeafNodeType !== 'It') {
        if (spec.State !== undefined && OUTCOMES[spec.State] === 'failed')
          problems.push(`${spec.LeafNodeType}: ${error ?? spec.State}`);
        continue;
      }
      const name = [...(spec.ContainerHierarchyTexts ?? []), spec.LeafNodeText ?? ''].join(' ');
      // Most of the suite's tests are not for conformance, and are "skipped" because nobody asked for them, without a message.
      const outcome = spec.State === 'skipped' && error !== undefined ? 'skipped' : OUTCOMES[spec.State ?? ''];
      if (outcome === undefined || !name.endsWith(TAG)) continue;
      const seconds = Math.round((spec.RunTime ?? 0) / (NS_PER_SECOND / 10)) / 10;
      results.push({ name, outcome, seconds, ...(outcome === 'passed' || error === undefined ? {} : { error }) });
    }
  }
  return { results, problems };
}

/** Longest kept: a row of a table. */
const MAX_ERROR = 300;

/** Of a comparison: what is there, how it should be, what it is compared with. */
const COMPARED_LINES = 4;

/** Of a failure's message the first line that says something; a panic says it in its own field. */
export function firstErrorLine(failure: SpecReport['Failure']): string | undefined {
  const panic = failure?.ForwardedPanic ?? '';
  const said = panic === '' ? (failure?.Message ?? '') : `panic: ${panic}`;
  const lines = stripVTControlCharacters(said)
    .split('\n')
    .map((l) => l.trim())
    .filter((l) => l !== '');
  const first = lines[0];
  if (first === undefined) return undefined;
  // A heading: what it announces stands on the next line. A comparison: on the next few.
  const further = /^(Expected|Timed out after .*)$/.test(first) ? COMPARED_LINES : first.endsWith(':') ? 1 : 0;
  const whole = lines.slice(0, 1 + further).join(' ');
  return whole.length > MAX_ERROR ? `${whole.slice(0, MAX_ERROR - 1)}…` : whole;
}
