// Command lines of a working week as data. A script is typed from top to bottom into a shell whose namespace is its own; each of its
// steps is a case: exit code, stdout and stderr, normalised, are what the original and Coracle must have in common.

export interface Step {
  /** As typed. `helm …` is helm, everything else are arguments of kubectl. Split at blanks outside quotes. */
  readonly run: string;
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Typed again until its stdout matches, for what controllers do; what was printed last is compared. */
  readonly until?: RegExp;
  /** Typed again until its exit code is 0. */
  readonly untilDone?: true;
  /** The order of lines is left to chance; they are compared sorted. */
  readonly sorted?: true;
  /** What is printed on the way depends on who is quicker; only the last line is compared. */
  readonly lastLine?: true;
  /** `kubectl explain`: upstream's descriptions are not ours; DESCRIPTION blocks and the texts below fields are left out. */
  readonly withoutDescriptions?: true;
  /** Ended with SIGINT when this is printed, as people end a watch. */
  readonly stopWhen?: RegExp;
  /** Prepares what follows: must succeed, and is not compared. */
  readonly isSetUp?: true;
}

export interface Script {
  /** Lower case and hyphens; the script's namespace is `kd-NAME`. */
  readonly name: string;
  /** Path → text, in the folder where the commands run. */
  readonly files?: Readonly<Record<string, string>>;
  readonly steps: readonly (Step | string)[];
}

export interface ScriptCase {
  readonly id: string;
  readonly step: Step;
}

export const namespaceOf = (script: Script): string => `kd-${script.name}`;

/** Steps with their ids: script, command line, and a count where a line is typed again. */
export function casesOf(script: Script): readonly ScriptCase[] {
  const seen = new Map<string, number>();
  return script.steps.map((given) => {
    const step = typeof given === 'string' ? { run: given } : given;
    const count = (seen.get(step.run) ?? 0) + 1;
    seen.set(step.run, count);
    const line = step.run.replace(/\s+/g, ' ');
    return { id: `kubectl/${script.name}/${line}${count === 1 ? '' : ` #${count}`}`, step };
  });
}

/** What a shell would make of a command line: blanks part words, single and double quotes keep them together. */
export function wordsOf(line: string): readonly string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (const c of line) {
    if (quote !== undefined) {
      if (c === quote) quote = undefined;
      else word += c;
    } else if (c === "'" || c === '"') {
      quote = c;
      word ??= '';
    } else if (/\s/.test(c)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + c;
  }
  if (quote !== undefined) throw new Error(`a quote is open: ${line}`);
  if (word !== undefined) words.push(word);
  return words;
}
