// coracle node: the article's "node terminal", and a machine's death.
import { join } from 'node:path';
import type { Command } from 'commander';
import { nodes as nodeResource } from '#generated/resources.ts';
import { callControl } from '#cluster/control.ts';
import { UserError } from '#cluster/errors.ts';
import { initPart } from '#cluster/local-node.ts';
import { livePart } from '#cluster/parts.ts';
import { enterNode } from '#host/namespaces.ts';
import { runInteractive } from '#host/process.ts';
import { findPrograms } from '#install/programs.ts';
import { runtimeProgramsDir } from '#cluster/paths.ts';
import { adminClient } from '../admin-client.ts';
import { env, home, openCluster } from '../context.ts';
import { readinessOf } from '../readiness.ts';
import { printTable } from '../table.ts';

interface Flags {
  readonly name?: string;
  readonly hard?: boolean;
}

export function addNode(program: Command): void {
  const node = program
    .command('node')
    .description('the nodes of a cluster')
    .enablePositionalOptions()
    .option('--name <name>', 'the cluster (default: local, or CORACLE_NAME)');
  const named = (command: Command) => command.option('--name <name>', 'the cluster (default: local, or CORACLE_NAME)');
  named(node.command('list').description('nodes, their addresses and states')).action(
    (_flags: Flags, command: Command) => list(command.optsWithGlobals()),
  );
  named(
    node
      .command('exec')
      .description('run a command on a node (default: a shell)')
      .argument('<node>')
      .argument('[command...]'),
  )
    .passThroughOptions()
    .allowUnknownOption()
    .action(async (name: string, args: string[], _flags: Flags, command: Command) => {
      const own = takeName(args);
      process.exitCode = await exec(name, own.command, {
        ...command.optsWithGlobals<Flags>(),
        ...(own.name === undefined ? {} : { name: own.name }),
      });
    });
  named(
    node
      .command('stop')
      .description('turn a node’s machine off')
      .argument('<node>')
      .option('--hard', 'as if the power went'),
  ).action((name: string, _flags: Flags, command: Command) => control('stop-node', name, command.optsWithGlobals()));
  named(node.command('start').description('turn it on again').argument('<node>')).action(
    (name: string, _flags: Flags, command: Command) => control('start-node', name, command.optsWithGlobals()),
  );
}

async function list(flags: Flags): Promise<void> {
  const cluster = openCluster(flags);
  const known = await adminClient(cluster)
    .resource(nodeResource)
    .list()
    .catch(() => undefined);
  const rows = cluster.config.nodes.map((n) => {
    const object = known?.items.find((o) => o.metadata.name === n.name);
    const ready = readinessOf(object);
    return [n.name, n.ip, n.power, ready, object?.spec?.podCIDR ?? ''];
  });
  printTable(['NAME', 'ADDRESS', 'POWER', 'STATUS', 'PODS'], rows);
}

async function exec(name: string, args: readonly string[], flags: Flags): Promise<number> {
  const { config, paths } = openCluster(flags);
  if (!config.nodes.some((n) => n.name === name))
    throw new UserError(`there is no node ${name}; the nodes are ${config.nodes.map((n) => n.name).join(', ')}`);
  if (config.hollow) throw new UserError('hollow nodes have no terminal: there is no machine behind them');
  const init = livePart(paths, initPart(name));
  if (init === undefined) throw new UserError(`${name} is not running; start it with: coracle node start ${name}`);
  const inside = enterNode(init.pid, args.length === 0 ? [env['SHELL'] ?? '/bin/sh'] : args);
  const path = findPrograms({ privateDir: runtimeProgramsDir(home), path: env['PATH'] ?? '' }).programs.path;
  return runInteractive(inside.command, inside.args, { PATH: path });
}

/** `--name` between the node and its command is ours; from `--`, or the first other word, on it is the command. */
export function takeName(args: readonly string[]): { readonly name?: string; readonly command: readonly string[] } {
  const [first, second] = args;
  if (first === '--') return { command: args.slice(1) };
  if (first === '--name' && second !== undefined) return { name: second, ...dropName(takeName(args.slice(2))) };
  if (first?.startsWith('--name=') === true)
    return { name: first.slice('--name='.length), ...dropName(takeName(args.slice(1))) };
  return { command: args };
}

const dropName = ({ command }: { readonly command: readonly string[] }) => ({ command });

async function control(what: 'stop-node' | 'start-node', name: string, flags: Flags): Promise<void> {
  const { paths, name: cluster } = openCluster(flags);
  const answer = await callControl<{ power: string }>(join(paths.run, 'control.sock'), what, {
    name,
    hard: flags.hard === true,
  });
  if (answer === undefined) throw new UserError(`cluster ${cluster} is not running; start it with: coracle up`);
  process.stdout.write(`${name} is ${answer.power}\n`);
}
