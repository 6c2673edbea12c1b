// coracle down: stops a cluster and leaves the machine as it was; --delete also removes its data.
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { createLog } from '#base/log.ts';
import { dropIndex, readIndex } from '#cluster/clusters.ts';
import { readConfig } from '#cluster/config.ts';
import { UserError } from '#cluster/errors.ts';
import { contextName, removeEntry } from '#cluster/kubeconfig-file.ts';
import { livePart, recordedParts } from '#cluster/parts.ts';
import { clusterPaths, runtimeProgramsDir } from '#cluster/paths.ts';
import { tearDown } from '#cluster/teardown.ts';
import { run } from '#host/process.ts';
import { findPrograms } from '#install/programs.ts';
import { clock, env, home, index, openCluster, uid } from '../context.ts';
import { makeProgress } from '../progress.ts';

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
  const { name, config, paths } = openCluster(flags);
  if (!config.hollow && uid !== 0) throw new UserError(`cluster ${name} has real nodes; run this as root`);
  if (flags.delete === true && flags.yes !== true && process.stdin.isTTY) {
    const terminal = createInterface({ input: process.stdin, output: process.stderr });
    const answer = await terminal.question(`Delete cluster ${name} and everything in ${paths.data}? [y/N] `);
    terminal.close();
    if (!/^y(es)?$/i.test(answer.trim())) throw new UserError('nothing was deleted');
  }
  const progress = makeProgress();
  const running = recordedParts(paths).length > 0;
  if (!config.hollow) process.env['PATH'] = findPrograms({ privateDir: runtimeProgramsDir(home), path: env['PATH'] ?? '' }).programs.path;
  await tearDown(config, paths, {
    run,
    clock,
    log: createLog({ write: (line) => void process.stderr.write(line) }, { level: 'warn' }),
    say: progress.say,
    othersRunning: othersRun(name),
    graceSeconds: Number(flags.timeout),
  });
  const entry = readIndex(index).find((c) => c.name === name);
  if (flags.delete === true) {
    if (entry?.kubeconfig !== undefined) removeEntry(entry.kubeconfig, contextName(name), paths.data, entry.previousContext);
    rmSync(paths.data, { recursive: true, force: true });
    dropIndex(index, name);
    progress.say(`cluster ${name} is deleted`);
  } else {
    progress.say(running ? `cluster ${name} is down; its data is in ${paths.data}` : `cluster ${name} was not running`);
  }
}

/** Whether another cluster with real nodes runs on this machine. */
function othersRun(name: string): boolean {
  return readIndex(index).some((c) => {
    if (c.name === name) return false;
    const paths = clusterPaths(c.dataDir);
    const config = readConfig(paths.config);
    return config !== undefined && !config.hollow && livePart(paths, 'server') !== undefined;
  });
}
