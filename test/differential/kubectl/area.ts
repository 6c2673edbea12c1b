// The area `kubectl` of the corpus: its cases, how the original's answers are recorded, and how they are replayed against Coracle.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { runScripts, type StepAnswer } from './run-scripts.ts';
import { casesOf, type Script } from './script.ts';
import { SCRIPTS } from './scripts.ts';
import { type RunningWorld, startCoracleWorld, startReferenceWorld } from './worlds.ts';

export interface AreaOptions {
  /** Only scripts of which a case's id contains this. */
  readonly filter?: string;
  readonly log?: (line: string) => void;
}

export interface KubectlResult {
  readonly id: string;
  /** The first line that differs, undefined where all is equal. */
  readonly difference?: { readonly field: string; readonly expected: string; readonly actual: string };
}

export interface KubectlArea {
  ids(): readonly string[];
  /** Asks the original and writes down what it says; answers of other scripts stay. */
  record(options?: AreaOptions): Promise<void>;
  /** Asks Coracle and compares with what is written down. */
  replay(options?: AreaOptions): Promise<readonly KubectlResult[]>;
}

const RECORDED = join(import.meta.dirname, '..', 'recorded', 'kubectl.json.gz');
const PROGRAMS = join(import.meta.dirname, '..', '..', '..', '.cache', 'kubectl');
const KUBECTL = process.env['KUBECTL'] ?? join(PROGRAMS, 'kubectl', 'kubectl');
const HELM = process.env['HELM'] ?? join(PROGRAMS, 'helm', 'helm');
/** Scripts at once: they wait for controllers more than they compute. */
const AT_ONCE = 6;

export const hasKubectl = (): boolean => existsSync(KUBECTL) && existsSync(HELM);

export function kubectlArea(): KubectlArea {
  return {
    ids: () => SCRIPTS.flatMap(compared).map((c) => c.id),
    record: async (options = {}) => {
      const scripts = chosen(options.filter);
      const answers = await runOn(startReferenceWorld, scripts, options);
      const kept = Object.entries(readRecorded()).filter(([id]) => !scripts.some((s) => isOf(id, s)));
      const known = new Set(SCRIPTS.flatMap(compared).map((c) => c.id));
      const all = [...kept, ...answers].filter(([id]) => known.has(id)).toSorted(([a], [b]) => (a < b ? -1 : 1));
      writeFileSync(RECORDED, gzipSync(JSON.stringify(Object.fromEntries(all)), { level: 9 }));
    },
    replay: async (options = {}) => {
      const scripts = chosen(options.filter);
      const recorded = readRecorded();
      const answers = await runOn(startCoracleWorld, scripts, options);
      return scripts.flatMap(compared).map(({ id }) => result(id, recorded[id], answers.get(id)));
    },
  };
}

const compared = (script: Script) => casesOf(script).filter((c) => c.step.isSetUp !== true);
const isOf = (id: string, script: Script): boolean => id.startsWith(`kubectl/${script.name}/`);

function chosen(filter: string | undefined): readonly Script[] {
  return filter === undefined ? SCRIPTS : SCRIPTS.filter((s) => compared(s).some((c) => c.id.includes(filter)));
}

function readRecorded(): Record<string, StepAnswer> {
  if (!existsSync(RECORDED)) return {};
  return JSON.parse(gunzipSync(readFileSync(RECORDED)).toString('utf8')) as Record<string, StepAnswer>;
}

async function runOn(
  start: (log?: (line: string) => void) => Promise<RunningWorld>,
  scripts: readonly Script[],
  { log }: AreaOptions,
): Promise<ReadonlyMap<string, StepAnswer>> {
  const world = await start(log);
  try {
    const shell = { kubectl: KUBECTL, helm: HELM, kubeconfig: world.kubeconfig, nodeIPs: world.nodeIPs };
    const done =
      log === undefined
        ? {}
        : { done: (id: string, answer: StepAnswer, ms: number) => log(`${answer.code} ${ms.toFixed(0)} ms ${id}`) };
    return await runScripts(scripts, shell, { atOnce: AT_ONCE, ...done });
  } finally {
    await world.stop();
  }
}

/** Exported for its test. */
export function result(id: string, expected: StepAnswer | undefined, actual: StepAnswer | undefined): KubectlResult {
  if (expected === undefined) return { id, difference: { field: 'recorded', expected: 'an answer', actual: 'none' } };
  if (actual === undefined) return { id, difference: { field: 'answered', expected: 'an answer', actual: 'none' } };
  if (expected.code !== actual.code)
    return {
      id,
      difference: {
        field: 'code',
        expected: `${expected.code} ${expected.stderr}`,
        actual: `${actual.code} ${actual.stderr}`,
      },
    };
  for (const field of ['stdout', 'stderr'] as const) {
    const [wanted, got] = [expected[field].split('\n'), actual[field].split('\n')];
    const line = Array.from({ length: Math.max(wanted.length, got.length) }, (_, i) => i).find(
      (i) => wanted[i] !== got[i],
    );
    if (line !== undefined)
      return {
        id,
        difference: {
          field: `${field}:${line + 1}`,
          expected: wanted[line] ?? '(no line)',
          actual: got[line] ?? '(no line)',
        },
      };
  }
  return { id };
}
