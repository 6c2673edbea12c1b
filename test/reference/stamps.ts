// Whether a program has to be built (again), and whether this machine can: decisions of `npm run reference`, without doing anything.
import { createHash } from 'node:crypto';
import { goArguments, PROGRAMS, type Program } from './programs.ts';

export interface ModuleFiles {
  readonly mod: string;
  readonly sum: string;
}

/** Equal stamps mean equal programs: the module's files, the Go version and every flag are in it. */
export function stampOf(program: Program, files: ModuleFiles, goVersion: string): string {
  return createHash('sha256')
    .update(JSON.stringify([files.mod, files.sum, goVersion, goArguments(program, '')]))
    .digest('hex');
}

/** Programs to build, in the list's order, as asked on the command line; none named means all. */
export function chosenPrograms(names: readonly string[]): {
  readonly programs: readonly Program[];
  readonly runtime: boolean;
  readonly unknown: readonly string[];
} {
  const known = new Set([RUNTIME, ...PROGRAMS.map((p) => p.name)]);
  return {
    programs: PROGRAMS.filter((p) => names.length === 0 || names.includes(p.name)),
    runtime: names.length === 0 || names.includes(RUNTIME),
    unknown: names.filter((n) => !known.has(n)),
  };
}

/** containerd, runc and the CNI plugins: `npm run runtime` builds them. */
export const RUNTIME = 'runtime';

/** The version that `go` says of itself; undefined for other output. */
export function parseGoVersion(output: string): string | undefined {
  return /\bgo(\d+\.\d+(?:\.\d+)?)/.exec(output)?.[1];
}

/** What go.mod asks for. */
export function requiredGo(mod: string): string {
  return /^go (\S+)$/m.exec(mod)![1]!;
}

/** Why the programs cannot be built with this Go; undefined when they can. `output` is undefined when there is no `go`. */
export function goProblem(output: string | undefined, required: string): string | undefined {
  const cure = `install Go ${required} or newer (https://go.dev/dl) and put its bin folder first in PATH, then run \`npm run reference\` again`;
  if (output === undefined) return `the reference is built with Go, and there is no \`go\` in PATH: ${cure}`;
  const version = parseGoVersion(output);
  if (version === undefined)
    return `\`go version\` says ${JSON.stringify(output.trim())}, which is no version: ${cure}`;
  if (isOlder(version, required))
    return `Go ${version} is too old for the reference, which asks for ${required}: ${cure}`;
  return undefined;
}

function isOlder(version: string, than: string): boolean {
  const [a, b] = [version, than].map((v) => v.split('.').map(Number)) as [number[], number[]];
  for (let i = 0; i < 3; i++) if ((a[i] ?? 0) !== (b[i] ?? 0)) return (a[i] ?? 0) < (b[i] ?? 0);
  return false;
}
