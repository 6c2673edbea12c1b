// How this same program is run as a part of the cluster: its words, and memory settings that fit what the part does.
import type { ClusterPaths } from './paths.ts';

export type PartProgram = 'server' | 'agent' | 'hollow-agents' | 'supervisor';

/** Limit of each half of V8's young generation, MiB (16 unless told). What an idle part keeps of it is resident for nothing, and a busy
 * one collects more often when it is small: 4 costs the API thread nothing that could be measured, 1 costs it 5 to 30 %. */
const YOUNG_MIB: Readonly<Record<PartProgram, number | undefined>> = {
  server: 4,
  agent: 1,
  // Hundreds of nodes in one process.
  'hollow-agents': undefined,
  supervisor: 1,
};

/** One arena for all threads: the C library's own habit of several leaves each half empty. */
const ENVIRONMENT = { MALLOC_ARENA_MAX: '1' };

export interface PartCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** `self`: the command that runs this program, Node first. */
export function partCommand(
  self: readonly string[],
  part: PartProgram,
  paths: ClusterPaths,
  options: readonly string[] = [],
): PartCommand {
  const [node, ...program] = self;
  const young = YOUNG_MIB[part];
  return {
    command: node!,
    args: [
      '--expose-gc', // for settle()
      ...(young === undefined ? [] : [`--max-semi-space-size=${young}`]),
      ...program,
      part === 'hollow-agents' ? 'agent' : part,
      '--data-dir',
      paths.data,
      ...options,
    ],
    env: ENVIRONMENT,
  };
}
