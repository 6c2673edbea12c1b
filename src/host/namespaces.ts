// Namespaces as handles: a node is held by an init process; a switch is a named network namespace.
import type { Run } from './process.ts';
import { mustRun } from './process.ts';

/** Argument list that runs a command inside all namespaces of the node whose init has this pid. */
export function enterNode(initPid: number, command: readonly string[]): { command: string; args: string[] } {
  return { command: 'nsenter', args: [`--target=${initPid}`, '--net', '--mount', '--pid', '--uts', '--', ...command] };
}

/** A runner whose programs run in the named network namespace. NOT `ip netns exec`, which remounts /sys and hides the cgroups. */
export function runInNetns(run: Run, name: string): Run {
  return (command, args, options) => run('nsenter', [`--net=/var/run/netns/${name}`, '--', command, ...args], options);
}

/** Several `ip` commands in one process, in order; stops at the first that fails. */
export async function ipBatch(
  run: Run,
  lines: readonly string[],
  writeScript: (text: string) => string,
): Promise<void> {
  if (lines.length === 0) return;
  await mustRun(run, 'ip', ['-batch', writeScript(`${lines.join('\n')}\n`)]);
}
