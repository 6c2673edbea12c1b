// The parts that `up` starts: server, agent, supervisor. Each runs alone just as well.
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { createLog, describeError, type Log } from '#base/log.ts';
import type { Component } from '#base/lifecycle.ts';
import { clusterPaths, runtimeProgramsDir } from '#cluster/paths.ts';
import { readConfig, type ClusterConfig } from '#cluster/config.ts';
import { UserError } from '#cluster/errors.ts';
import { clock, home, self } from '../context.ts';

interface Flags {
  readonly dataDir: string;
  readonly node?: string;
}

export function addParts(program: Command): void {
  const part = (name: string, description: string) => program.command(name, { hidden: name === 'supervisor' }).description(description).requiredOption('--data-dir <dir>', 'the cluster’s data directory');
  part('server', 'API server, store, controllers and scheduler').action((flags: Flags) => serve('server', flags, startServerPart));
  part('agent', 'kubelet, service proxy, network policy, pod network and DNS of one node')
    .requiredOption('--node <name>', 'the node')
    .action((flags: Flags) => serve('agent', flags, startAgentPart));
  part('supervisor', 'keeps the parts running').action((flags: Flags) => serve('supervisor', flags, startSupervisorPart));
}

type Start = (config: ClusterConfig, flags: Flags, log: Log, signal: AbortSignal) => Promise<Component>;

/** Runs a part until SIGTERM or SIGINT. */
async function serve(name: string, flags: Flags, start: Start): Promise<void> {
  const paths = clusterPaths(resolve(flags.dataDir));
  const config = readConfig(paths.config);
  if (config === undefined) throw new UserError(`there is no cluster in ${paths.data}; make one with: coracle up --data-dir ${paths.data}`);
  const log = createLog({ write: (line) => void process.stderr.write(line) }, { level: process.env['CORACLE_LOG'] === 'debug' ? 'debug' : 'info' });
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort(new Error(`${signal} received`)));
  process.on('unhandledRejection', (error) => log.error('a rejection was not handled', { error: describeError(error), stack: error instanceof Error ? error.stack : undefined }));
  const running = await start(config, flags, log, stop.signal);
  log.info(`${name} runs`, { pid: process.pid, sinceProcessStartMs: Math.round(performance.now()) });
  await new Promise<void>((done) => (stop.signal.aborted ? done() : stop.signal.addEventListener('abort', () => done(), { once: true })));
  await running.stop();
  process.exit(0);
}

const startServerPart: Start = async (config, flags, log, signal) => {
  const { startServer } = await import('#cluster/server-program.ts');
  const { ensureMaterials } = await import('#cluster/materials.ts');
  const paths = clusterPaths(resolve(flags.dataDir));
  const { pki } = await ensureMaterials(config, paths, clock.now());
  return startServer(config, paths, { clock, log, pki, bundleDir: dirname(process.argv[1]!) }, signal);
};

const startAgentPart: Start = async (config, flags, log, signal) => {
  const { startAgent } = await import('#cluster/agent-program.ts');
  return startAgent(config, clusterPaths(resolve(flags.dataDir)), flags.node!, { clock, log }, signal);
};

const startSupervisorPart: Start = async (config, flags, log, signal) => {
  const [{ Supervisor }, { tryLock }, { examineHost }, { findPrograms }, { run }, { adminClient }] = await Promise.all([
    import('#cluster/supervisor.ts'),
    import('#cluster/lock.ts'),
    import('#cluster/host-check.ts'),
    import('#install/programs.ts'),
    import('#host/process.ts'),
    import('../context.ts'),
  ]);
  const paths = clusterPaths(resolve(flags.dataDir));
  if ((await tryLock(paths.data)) === undefined) throw new UserError(`another supervisor already looks after ${paths.data}`);
  const facts = await examineHost(run, process.platform, process.getuid?.() ?? -1);
  const path = process.env['PATH'] ?? '';
  const { programs } = findPrograms({ privateDir: runtimeProgramsDir(home), path, ...(config.runtimeDir === undefined ? {} : { runtimeDir: config.runtimeDir }) });
  const supervisor = new Supervisor(config, paths, { run, scratch: paths.run, clock, log, programs, self, canSetOomScore: facts.canSetOomScore, client: adminClient({ config, paths }, 'coracle-supervisor') });
  await supervisor.start(signal);
  return supervisor;
};
