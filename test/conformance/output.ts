// ginkgo's verbose output while it runs, as results by test: what is known of a run that never came to write its report.
import { TAG } from './list.ts';
import type { Outcome, Result } from './report.ts';

/** `• [1.2 seconds]`, `• [FAILED] [3.4 seconds]`, `S [SKIPPED] [0.1 seconds]`. */
const END = /^[•S] (?:\[([A-Z]+)!?\] )?\[(\d+\.\d+) seconds\]$/;
const OUTCOMES: Readonly<Record<string, Outcome>> = {
  FAILED: 'failed',
  PANICKED: 'failed',
  TIMEDOUT: 'failed',
  SKIPPED: 'skipped',
};
const DELIMITER = /^-{20,}$/;
/** Of a failed test the part that broke is marked within its name. */
const BROKEN_PART = /(?<= )\[(?:It|Just\w+|Before\w+|After\w+|DeferCleanup \(Each\))\] /;
const NO_TEXT = 'no message';

/** Give it lines in order; it calls back with each result once it is whole. */
export class OutputReader {
  readonly #found: (result: Result) => void;
  #ended: { readonly outcome: Outcome; readonly seconds: number } | undefined;
  #name: string | undefined;
  #error: string | undefined;

  constructor(found: (result: Result) => void) {
    this.#found = found;
  }

  line(raw: string): void {
    const line = raw.trimEnd();
    const end = END.exec(line);
    if (end !== null) {
      const outcome = end[1] === undefined ? 'passed' : OUTCOMES[end[1]];
      this.#ended = outcome === undefined ? undefined : { outcome, seconds: Number(end[2]) };
      this.#name = undefined;
      this.#error = undefined;
    } else if (DELIMITER.test(line)) this.#finish();
    else if (this.#ended !== undefined && this.#name === undefined) {
      const at = line.indexOf(TAG);
      if (line.startsWith('[') && at >= 0) this.#name = line.slice(0, at + TAG.length).replace(BROKEN_PART, '');
    } else if (this.#ended !== undefined) {
      this.#error ??= /^\s*\[(?:FAILED|PANICKED!?|TIMEDOUT|SKIPPED)\] (?!in \[)(.+)$/.exec(line)?.[1];
    }
  }

  #finish(): void {
    if (this.#ended !== undefined && this.#name !== undefined) {
      const { outcome, seconds } = this.#ended;
      const error = outcome === 'passed' ? {} : { error: this.#error ?? NO_TEXT };
      this.#found({ name: this.#name, outcome, seconds, ...error });
    }
    this.#ended = undefined;
  }
}
