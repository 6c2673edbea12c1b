// A node on this machine: network, mount, pid and host-name namespaces held by one init that reaps. Killing the init is
// the node's death: the kernel ends everything inside and drops its mounts.
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, sleep } from '#base/clock.ts';
import { readTextIfExists } from '#host/files.ts';
import { enterNode } from '#host/namespaces.ts';
import { identify, type ProcessIdentity, signalProcess, waitForExit } from '#host/process.ts';
import type { RuntimePrograms } from '#install/programs.ts';
import type { ClusterConfig, NodeConfig } from './config.ts';
import { containerdConfig } from './containerd-config.ts';
import { UserError } from './errors.ts';
import { ensureForkedPart, ensurePart, livePart, type PartRecord, recordPart, stopPart } from './parts.ts';
import { partCommand } from './part-program.ts';
import type { ClusterPaths } from './paths.ts';
import { plugNode, type SwitchDeps } from './switch.ts';

export interface LocalNodeDeps extends SwitchDeps {
  readonly clock: Clock;
  readonly programs: RuntimePrograms;
  /** Command that runs this program again: [node, bundle]. */
  readonly self: readonly string[];
  /** Whether this process may raise OOM priorities (CAP_SYS_RESOURCE). */
  readonly canSetOomScore: boolean;
}

/** Where a machine's own containerd is told of mirrors. */
const SYSTEM_REGISTRIES = '/etc/containerd/certs.d';

/** Part names of a node. */
export const initPart = (node: string): string => `${node}-init`;
export const containerdPart = (node: string): string => `${node}-containerd`;
export const agentPart = (node: string): string => `${node}-agent`;
/** One process for all hollow nodes: what they hold in memory they share. */
export const HOLLOW_AGENTS = 'hollow-agents';

/**
 * First process of the node. Private /run and /proc; mounts of the machine still arrive, ours do not leave. Says its
 * pid as the machine counts it, then reaps for ever.
 */
const INIT_SCRIPT = `#!/bin/sh
set -e
read pid rest < /proc/self/stat
mount --make-rslave /
mount --make-rshared /
mount -t proc proc /proc
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs /run
mkdir -p /run/lock /run/netns
hostname "$1"
ip link set lo up
echo "$pid" > "$2.new"
mv "$2.new" "$2"
trap : HUP INT TERM
while :; do sleep 100000 & wait $!; done
`;

/** Containerd's own start takes 0.3 s on an idle machine; a loaded one is given its time. */
const CONTAINERD_TIMEOUT_MS = 60_000;
const INIT_TIMEOUT_MS = 15_000;

/** Path of the node's containerd socket as this process can open it. */
export const containerdSocket = (initPid: number): string => `/proc/${initPid}/root/run/containerd/containerd.sock`;

/** The node's init, adopted when it lives, else started with its network plugged in. */
export async function ensureInit(
  config: ClusterConfig,
  node: NodeConfig,
  paths: ClusterPaths,
  deps: LocalNodeDeps,
): Promise<{ record: PartRecord; started: boolean }> {
  const live = livePart(paths, initPart(node.name));
  if (live !== undefined) return { record: live, started: false };
  const own = paths.node(node.name);
  for (const folder of [own.root, own.containerd, own.kubelet, own.cniConf])
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  rmSync(own.initPid, { force: true });
  const script = join(own.root, 'init.sh');
  writeFileSync(script, INIT_SCRIPT);
  chmodSync(script, 0o755);
  ensurePart(
    paths,
    `${initPart(node.name)}-starter`,
    'unshare',
    ['--net', '--mount', '--pid', '--uts', '--fork', '/bin/sh', script, node.name, own.initPid],
    {
      env: { PATH: deps.programs.path },
    },
  );
  const pid = await waitForPid(own.initPid, deps.clock, paths.log(`${initPart(node.name)}-starter`));
  const identity = identify(pid);
  if (identity === undefined)
    throw new UserError(`the init of ${node.name} ended at once; see ${paths.log(`${initPart(node.name)}-starter`)}`);
  recordPart(paths, initPart(node.name), identity);
  await plugNode(config, { ...node, initPid: pid }, deps);
  return { record: { part: initPart(node.name), ...identity }, started: true };
}

async function waitForPid(file: string, clock: Clock, log: string): Promise<number> {
  for (const end = clock.monotonic() + INIT_TIMEOUT_MS; clock.monotonic() < end; await sleep(clock, 5)) {
    if (existsSync(file)) return Number(readFileSync(file, 'utf8'));
  }
  throw new UserError(`a node's namespaces did not come up within ${INIT_TIMEOUT_MS / 1000} s; see ${log}`);
}

/** The node's private containerd, adopted when it lives. */
export async function ensureContainerd(
  config: ClusterConfig,
  node: NodeConfig,
  init: ProcessIdentity,
  paths: ClusterPaths,
  deps: LocalNodeDeps,
): Promise<void> {
  const own = paths.node(node.name);
  writeFileSync(
    own.containerdConfig,
    containerdConfig({
      root: own.containerd,
      cniBinDirs: deps.programs.cniBinDirs,
      cniConfDir: config.cniConfDir ?? own.cniConf,
      restrictOomScore: !deps.canSetOomScore,
      registryConfigDirs: [join(paths.data, 'registries'), SYSTEM_REGISTRIES],
    }),
  );
  const inside = enterNode(init.pid, [
    deps.programs.found['containerd']!,
    '--config',
    own.containerdConfig,
    '--log-level',
    'warn',
  ]);
  const socket = containerdSocket(init.pid);
  // One that was killed leaves its socket behind, which would look like an answer.
  rmSync(socket, { force: true });
  const record = await ensureForkedPart(
    paths,
    containerdPart(node.name),
    inside.command,
    inside.args,
    { env: { PATH: deps.programs.path } },
    deps.clock,
  );
  for (const end = deps.clock.monotonic() + CONTAINERD_TIMEOUT_MS; !existsSync(socket); await sleep(deps.clock, 10)) {
    const dead = identify(record.pid) === undefined;
    if (dead || deps.clock.monotonic() > end) {
      throw new UserError(
        `containerd of ${node.name} ${dead ? `ended: ${lastLine(paths.log(containerdPart(node.name)))}` : 'does not answer'}; see ${paths.log(containerdPart(node.name))}`,
      );
    }
  }
}

const LINE_MAX = 300;

function lastLine(file: string): string {
  return (readTextIfExists(file)?.trimEnd().split('\n').at(-1) ?? '').slice(0, LINE_MAX);
}

/** The node's agent, adopted when it lives. */
export async function ensureAgent(
  node: NodeConfig,
  init: ProcessIdentity,
  paths: ClusterPaths,
  deps: LocalNodeDeps,
): Promise<void> {
  const { command, args, env } = partCommand(deps.self, 'agent', paths, ['--node', node.name]);
  const inside = enterNode(init.pid, [command, ...args]);
  await ensureForkedPart(
    paths,
    agentPart(node.name),
    inside.command,
    inside.args,
    { env: { ...env, PATH: deps.programs.path } },
    deps.clock,
  );
}

/** Ends the node at once, as a machine dies. Waits until the kernel has taken everything down. */
export async function killNode(name: string, paths: ClusterPaths, clock: Clock): Promise<void> {
  const init = livePart(paths, initPart(name));
  if (init !== undefined) {
    signalProcess(init, 'SIGKILL');
    await waitForExit(init, 20_000, clock);
  }
  for (const part of [agentPart(name), containerdPart(name), `${initPart(name)}-starter`, initPart(name)])
    await stopPart(paths, part, 2_000, clock);
}
