// `down`: containers get SIGTERM and their grace, then everything that the cluster made on the machine goes. Works from
// the data directory alone: with a dead server, after a reboot, and twice.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describeError, type Log } from '#base/log.ts';
import { createCgroups } from '#host/cgroups.ts';
import { GrpcRuntime } from '#node/cri/grpc.ts';
import { processesWhere, type Run, signalProcess, waitForExit } from '#host/process.ts';
import type { Clock } from '#base/clock.ts';
import type { ClusterConfig } from './config.ts';
import { agentPart, containerdPart, containerdSocket, HOLLOW_AGENTS, initPart, killNode } from './local-node.ts';
import { livePart, stopPart } from './parts.ts';
import type { ClusterPaths } from './paths.ts';
import { removeSwitch } from './switch.ts';

export interface TeardownDeps {
  readonly run: Run;
  readonly clock: Clock;
  readonly log: Log;
  readonly say: (line: string) => void;
  /** Whether other clusters of this machine run and need ip_forward: asked once this one has stopped, as others may be stopping too. */
  readonly othersRun: () => boolean;
  /** Longest grace given to containers. */
  readonly graceSeconds: number;
}

/** Annotation of the kubelet on containers: the pod's terminationGracePeriodSeconds. */
const GRACE_LABEL = 'io.kubernetes.pod.terminationGracePeriod';
const DEFAULT_GRACE_SECONDS = 30;

export const cgroupRoot = (config: ClusterConfig): string => `/coracle-${config.id}`;

export async function tearDown(config: ClusterConfig, paths: ClusterPaths, deps: TeardownDeps): Promise<void> {
  const { clock, say } = deps;
  // The supervisor first, so that nothing is started again; then agents, so that nothing restarts in its pods.
  await stopPart(paths, 'supervisor', 10_000, clock);
  await Promise.all(
    [HOLLOW_AGENTS, ...config.nodes.map((node) => agentPart(node.name))].map((part) =>
      stopPart(paths, part, 10_000, clock),
    ),
  );
  if (!config.hollow) {
    say('stopping containers');
    await Promise.all(config.nodes.map((node) => stopContainers(node.name, paths, deps)));
    say('removing nodes');
    await Promise.all(
      config.nodes.map(async (node) => {
        await stopPart(paths, containerdPart(node.name), 5_000, clock);
        await killNode(node.name, paths, clock);
      }),
    );
  }
  await stopPart(paths, 'server', 20_000, clock);
  await endUnrecorded(paths, clock);
  if (!config.hollow) {
    await detachLoops(paths, deps.run);
    await removeSwitch(config, deps, deps.othersRun());
    await removeCgroups(config, deps);
  }
  rmSync(paths.run, { recursive: true, force: true });
}

/** Processes of this cluster without a record: their starter was killed before it could write one. */
async function endUnrecorded(paths: ClusterPaths, clock: Clock): Promise<void> {
  const scripts = join(paths.data, 'nodes', '/');
  const isOurs = (args: readonly string[]): boolean => {
    if (args.some((a) => a.startsWith(scripts) && a.endsWith('/init.sh'))) return true;
    const at = args.indexOf('--data-dir');
    return at > 0 && args[at + 1] === paths.data && ['supervisor', 'server', 'agent'].includes(args[at - 1]!);
  };
  await Promise.all(
    processesWhere(isOurs).map(async (identity) => {
      signalProcess(identity, 'SIGKILL');
      await waitForExit(identity, 5_000, clock);
    }),
  );
}

async function stopContainers(node: string, paths: ClusterPaths, deps: TeardownDeps): Promise<void> {
  const init = livePart(paths, initPart(node));
  if (init === undefined || livePart(paths, containerdPart(node)) === undefined) return;
  const runtime = new GrpcRuntime({ socket: containerdSocket(init.pid), now: () => deps.clock.now() });
  try {
    const running = (await runtime.listContainers()).filter((c) => c.state === 'CONTAINER_RUNNING');
    await Promise.all(
      running.map(async (container) => {
        const asked = Number(
          container.annotations[GRACE_LABEL] ?? container.labels[GRACE_LABEL] ?? DEFAULT_GRACE_SECONDS,
        );
        await runtime.stopContainer(
          container.id,
          Math.min(deps.graceSeconds, Number.isFinite(asked) ? asked : DEFAULT_GRACE_SECONDS),
        );
      }),
    );
  } catch (error) {
    // The node's end kills them all the same.
    deps.log.warn('containers could not be stopped one by one', { node, error: describeError(error) });
  } finally {
    runtime.close();
  }
}

/** Loop devices whose backing file is one of our volumes. */
async function detachLoops(paths: ClusterPaths, run: Run): Promise<void> {
  const listed = await run('losetup', ['--list', '--json', '--output', 'NAME,BACK-FILE']);
  if (listed.code !== 0 || listed.stdout.trim() === '') return;
  const devices = (JSON.parse(listed.stdout) as { loopdevices: { name: string; 'back-file': string | null }[] })
    .loopdevices;
  for (const device of devices) {
    if (device['back-file']?.startsWith(join(paths.volumes, '/')) === true)
      await run('losetup', ['--detach', device.name]);
  }
}

const CGROUP_TRIES = 50;

async function removeCgroups(config: ClusterConfig, deps: TeardownDeps): Promise<void> {
  const cgroups = createCgroups();
  // The kernel takes a moment to let go of the groups of processes that were just killed.
  for (let tries = 0; tries < CGROUP_TRIES; tries++) {
    if (cgroups.remove(cgroupRoot(config))) return;
    await new Promise<void>((resolve) => deps.clock.setTimer(40, resolve));
  }
  deps.log.warn('control groups are still in use', { path: cgroupRoot(config) });
}
