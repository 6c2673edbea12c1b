// The tests that make up conformance for Kubernetes 1.36, and how they are chosen. tests.tsv has a line each: what must run for it
// (class), its file below test/e2e, its full name without the closing tag.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** `api`: the API server alone; `ctrl`: controllers too, but no container need ever run; `run`: real containers. */
export const CLASSES = ['api', 'ctrl', 'run'] as const;
export type TestClass = (typeof CLASSES)[number];

export interface ConformanceTest {
  readonly class: TestClass;
  /** Such as `common/node/pods`. */
  readonly file: string;
  /** As the suite prints it, with its last tag. */
  readonly name: string;
}

/** Every test of the list carries it, and nothing else does. */
export const TAG = '[Conformance]';

export function parseList(text: string): readonly ConformanceTest[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [kind, file, name] = line.split('\t');
      if (!CLASSES.includes(kind as TestClass) || file === undefined || name === undefined)
        throw new Error(`not a line of the list: ${line}`);
      return { class: kind as TestClass, file, name: `${name} ${TAG}` };
    });
}

export const readList = (): readonly ConformanceTest[] =>
  parseList(readFileSync(join(import.meta.dirname, 'tests.tsv'), 'utf8'));

export interface Choice {
  readonly class?: string;
  readonly focus?: string;
  readonly skip?: string;
}

/** The tests asked for; an unknown class is an error, so that a typing mistake is not a green run. */
export function chooseTests(all: readonly ConformanceTest[], choice: Choice): readonly ConformanceTest[] {
  const { class: kind = 'all' } = choice;
  const classes = kind === 'all' ? CLASSES : kind.split(',');
  for (const c of classes)
    if (!CLASSES.includes(c as TestClass)) throw new Error(`--class ${c}: it is ${CLASSES.join(', ')} or all`);
  const focus = choice.focus === undefined ? undefined : new RegExp(choice.focus);
  const skip = choice.skip === undefined ? undefined : new RegExp(choice.skip);
  // Also by file, since that is what people who look for an area know.
  const says = (pattern: RegExp, test: ConformanceTest) => pattern.test(test.name) || pattern.test(test.file);
  return all.filter(
    (t) =>
      classes.includes(t.class) && (focus === undefined || says(focus, t)) && (skip === undefined || !says(skip, t)),
  );
}

/** Must not share the cluster with other tests, or holds up the others so long that it is better alone. */
export const runsAlone = (test: ConformanceTest): boolean => /\[(Serial|Disruptive)\]/.test(test.name);

/** Such as `sig-node common/node/pods`. */
export const areaOf = (test: ConformanceTest): string =>
  `${/^\[(sig-[a-z-]+)\]/.exec(test.name)?.[1] ?? 'sig-unknown'} ${test.file}`;

/** A regular expression for ginkgo that matches exactly these tests. Go's syntax and ours agree on what is escaped here. */
export const focusOf = (tests: readonly ConformanceTest[]): string =>
  tests.map((t) => t.name.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('|');
