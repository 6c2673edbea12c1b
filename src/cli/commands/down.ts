// coracle down: stops a cluster and leaves the machine as it was; --delete also removes its data.
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { MissingError, UsageError, UserError } from '#cluster/errors.ts';
import { recordedParts } from '#cluster/parts.ts';
import { openCluster, uid } from '../context.ts';
import { makeProgress } from '../progress.ts';
import { lockCommands, stopCluster } from '../stop-cluster.ts';

interface Flags {
  readonly name?: string;
  readonly delete?: boolean;
  readonly yes?: boolean;
  readonly timeout: string;
}

export function addDown(program: Command): void {
  program
    .command('down')
    .description('stop a cluster; its data stays unless --delete is given')
    .option('--name <name>', 'the cluster (default: local, or CORACLE_NAME)')
    .option('--delete', 'remove the cluster’s data as well')
    .option('--yes', 'do not ask')
    .option('--timeout <seconds>', 'longest grace for containers', '30')
    .action((flags: Flags, command: Command) => down({ ...command.optsWithGlobals<Flags>(), ...flags }));
}

async function down(flags: Flags): Promise<void> {
  const graceSeconds = Number(flags.timeout);
  if (!/^\d+$/.test(flags.timeout)) throw new UsageError(`--timeout wants a number of seconds, not "${flags.timeout}"`);
  const { name, config, paths } = openCluster(flags);
  if (!config.hollow && uid !== 0) throw new MissingError(`cluster ${name} has real nodes; run this as root`);
  if (flags.delete === true && flags.yes !== true && process.stdin.isTTY) {
    const terminal = createInterface({ input: process.stdin, output: process.stderr });
    const answer = await terminal.question(`Delete cluster ${name} and everything in ${paths.data}? [y/N] `);
    terminal.close();
    if (!/^y(es)?$/i.test(answer.trim())) throw new UserError('nothing was deleted');
  }
  const progress = makeProgress();
  await lockCommands(paths.data, name);
  const running = recordedParts(paths).length > 0;
  await stopCluster(name, config, paths, { say: progress.say, graceSeconds, remove: flags.delete === true });
  if (flags.delete === true) progress.say(`cluster ${name} is deleted`);
  else
    progress.say(running ? `cluster ${name} is down; its data is in ${paths.data}` : `cluster ${name} was not running`);
}
