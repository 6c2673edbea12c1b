// The parts that `up` starts: server, agent, supervisor. Each runs alone just as well.
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { createLog, describeError, type Log } from '#base/log.ts';
import type { Component } from '#base/lifecycle.ts';
import { clusterPaths, runtimeProgramsDir } from '#cluster/paths.ts';
import { readConfig, type ClusterConfig } from '#cluster/config.ts';
import { describeForUser, UsageError, UserError } from '#cluster/errors.ts';
import { agentPart, HOLLOW_AGENTS } from '#cluster/local-node.ts';
import { forgetFailure, recordFailure, recordPart } from '#cluster/parts.ts';
import { settle } from '#cluster/settle.ts';
import { clock, home, self } from '../context.ts';

interface Flags {
  readonly dataDir: string;
  readonly node?: string;
}

export function addParts(program: Command): void {
  const part = (name: string, description: string) =>
    program
      .command(name, { hidden: name === 'supervisor' })
      .description(description)
      .requiredOption('--data-dir <dir>', 'the cluster’s data directory');
  part('server', 'API server, store, controllers and scheduler').action((flags: Flags) =>
    serve('server', flags, startServerPart),
  );
  part('agent', 'kubelet, service proxy, network policy, pod network and DNS of one node')
    .option('--node <name>', 'the node; hollow clusters have one agent for all')
    .action((flags: Flags) => serve('agent', flags, startAgentPart));
  part('supervisor', 'keeps the parts running').action((flags: Flags) =>
    serve('supervisor', flags, startSupervisorPart),
  );
}

/** A part that follows changes of the configuration is told by SIGHUP. */
interface Part extends Component {
  reload?(config: ClusterConfig): Promise<void>;
}

type Start = (config: ClusterConfig, flags: Flags, log: Log, signal: AbortSignal) => Promise<Part>;

/** What a start may take to notice that it is no longer wanted. */
const START_ABORT_MS = 1_000;

/** Runs a part until SIGTERM or SIGINT. */
async function serve(name: string, flags: Flags, start: Start): Promise<void> {
  const paths = clusterPaths(resolve(flags.dataDir));
  const config = readConfig(paths.config);
  if (config === undefined)
    throw new UserError(`there is no cluster in ${paths.data}; make one with: coracle up --data-dir ${paths.data}`);
  const log = createLog(
    { write: (line) => void process.stderr.write(line) },
    { level: process.env['CORACLE_LOG'] === 'debug' ? 'debug' : 'info' },
  );
  const stop = new AbortController();
  let running: Part | undefined;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      stop.abort(new Error(`${signal} received`));
      // A start that waits for something else is not worth waiting for: a part may be killed at any time anyway.
      if (running === undefined) clock.setTimer(START_ABORT_MS, () => running === undefined && process.exit(0));
    });
  }
  process.on('unhandledRejection', (error) =>
    log.error('a rejection was not handled', {
      error: describeError(error),
      stack: error instanceof Error ? error.stack : undefined,
    }),
  );
  // A signal without a listener would end the process.
  process.on('SIGHUP', () => {
    const changed = readConfig(paths.config);
    if (changed !== undefined) void running?.reload?.(changed);
  });
  const record = name === 'agent' ? (config.hollow ? HOLLOW_AGENTS : agentPart(flags.node ?? '')) : name;
  try {
    running = await start(config, flags, log, stop.signal);
  } catch (error) {
    if (stop.signal.aborted) process.exit(0);
    // `up` waits for this part in another process: leave it a sentence.
    if (existsSync(paths.run) && !(error instanceof UsageError)) recordFailure(paths, record, describeForUser(error));
    throw error;
  }
  forgetFailure(paths, record);
  log.info(`${name} runs`, { pid: process.pid, sinceProcessStartMs: Math.round(performance.now()) });
  settle(clock);
  await new Promise<void>((done) =>
    stop.signal.aborted ? done() : stop.signal.addEventListener('abort', () => done(), { once: true }),
  );
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
  const paths = clusterPaths(resolve(flags.dataDir));
  if (config.hollow) {
    const { HollowNodes } = await import('#cluster/hollow-program.ts');
    const nodes = new HollowNodes(config, paths, { clock, log }, signal);
    await nodes.start();
    return nodes;
  }
  if (flags.node === undefined)
    throw new UsageError(`--node is missing; the nodes are ${config.nodes.map((n) => n.name).join(', ')}`);
  const { startAgent } = await import('#cluster/agent-program.ts');
  return startAgent(config, paths, flags.node, { clock, log }, signal);
};

const startSupervisorPart: Start = async (config, flags, log, signal) => {
  const [{ Supervisor }, { tryLock }, { examineHost }, { findPrograms }, { identify, run }, { adminClient }] =
    await Promise.all([
      import('#cluster/supervisor.ts'),
      import('#cluster/lock.ts'),
      import('#cluster/host-check.ts'),
      import('#install/programs.ts'),
      import('#host/process.ts'),
      import('../admin-client.ts'),
    ]);
  const paths = clusterPaths(resolve(flags.dataDir));
  if ((await tryLock(paths.data)) === undefined)
    throw new UsageError(`another supervisor already looks after ${paths.data}; end that one, or use: coracle down`);
  mkdirSync(paths.run, { recursive: true, mode: 0o700 });
  recordPart(paths, 'supervisor', identify(process.pid)!);
  const facts = await examineHost(run, process.platform, process.getuid?.() ?? -1);
  const path = process.env['PATH'] ?? '';
  const { programs } = findPrograms({
    privateDir: runtimeProgramsDir(home),
    path,
    ...(config.runtimeDir === undefined ? {} : { runtimeDir: config.runtimeDir }),
  });
  const supervisor = new Supervisor(config, paths, {
    run,
    scratch: paths.run,
    clock,
    log,
    programs,
    self,
    canSetOomScore: facts.canSetOomScore,
    client: adminClient({ config, paths }, 'coracle-supervisor'),
  });
  await supervisor.start(signal);
  return supervisor;
};
