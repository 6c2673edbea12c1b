// The second half of `up`: the supervisor is started, and everything is waited for; a part that cannot start says why.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, sleep } from '#base/clock.ts';
import type { Client } from '#client/client.ts';
import { isNodeReady } from '#kinds/core/node.ts';
import type { Node } from '#generated/api/core-v1.ts';
import { nodes as nodeResource } from '#generated/resources.ts';
import { startedAtMs } from '#host/process.ts';
import { type ClusterConfig } from './config.ts';
import { callControl } from './control.ts';
import { UserError } from './errors.ts';
import { agentPart, HOLLOW_AGENTS } from './local-node.ts';
import { ensurePart, failures, livePart } from './parts.ts';
import { partCommand } from './part-program.ts';
import { type ClusterPaths } from './paths.ts';
import type { Prepared, UpDeps } from './up-options.ts';

/** Starts the supervisor in the background, or tells the running one that the configuration changed. */
export async function ensureSupervisor({ config, paths, programs }: Prepared, deps: UpDeps): Promise<void> {
  mkdirSync(paths.run, { recursive: true, mode: 0o700 });
  mkdirSync(paths.logs, { recursive: true, mode: 0o700 });
  if (livePart(paths, 'supervisor') !== undefined) {
    await callControl(join(paths.run, 'control.sock'), 'reload');
    return;
  }
  const { command, args, env } = partCommand(deps.self, 'supervisor', paths);
  ensurePart(paths, 'supervisor', command, args, {
    env: { ...env, PATH: programs.path, CORACLE_CLUSTER: config.name },
  });
}

/** A part that failed this often in a row will not come by waiting. */
const TRIES = 2;

/** A part that `up` started cannot run. */
export class StartError extends UserError {}

/** Throws with the sentence of a part that cannot start, or when the supervisor has ended. */
function refuseFailures(paths: ClusterPaths): void {
  const failure = failures(paths).find((f) => f.times >= TRIES || f.part === 'supervisor');
  if (failure !== undefined) throw new StartError(`${failure.part} does not start: ${failure.message}`);
  if (livePart(paths, 'supervisor') === undefined)
    throw new StartError(`the supervisor ended; see ${paths.log('supervisor')}`);
}

/** Waits for the API server; says why when it cannot come. */
export async function waitForApi(client: Client, paths: ClusterPaths, clock: Clock, timeoutMs: number): Promise<void> {
  const end = clock.monotonic() + timeoutMs;
  for (;;) {
    const ready = await client.raw('GET', '/readyz').then(
      (r) => r.status === 200,
      () => false,
    );
    if (ready) return;
    refuseFailures(paths);
    if (clock.monotonic() > end)
      throw new UserError(
        `the API server is not ready after ${Math.round(timeoutMs / 1000)} s; see ${paths.log('server')}`,
      );
    await sleep(clock, 20);
  }
}

/** Waits until every node that is on reports Ready. */
export async function waitForNodes(
  client: Client,
  config: ClusterConfig,
  paths: ClusterPaths,
  clock: Clock,
  timeoutMs: number,
  say: (line: string) => void,
): Promise<void> {
  const end = clock.monotonic() + timeoutMs;
  const wanted = config.nodes.filter((n) => n.power === 'on').map((n) => n.name);
  const seen = new Set<string>();
  for (;;) {
    const list = await client
      .resource(nodeResource)
      .list()
      .catch(() => undefined);
    for (const node of list?.items ?? []) {
      const name = node.metadata.name!;
      // A node whose agent has died, or has just started again, is still called Ready for a while: what it said since counts.
      const agent = livePart(paths, config.hollow ? HOLLOW_AGENTS : agentPart(name));
      const isNews = agent !== undefined && heardAtMs(node) >= wholeSecond(startedAtMs(agent, clock.now()));
      if (wanted.includes(name) && !seen.has(name) && isNews && isReady(node)) {
        seen.add(name);
        say(`${name} is Ready`);
      }
    }
    const waiting = wanted.filter((n) => !seen.has(n));
    if (waiting.length === 0) return;
    refuseFailures(paths);
    if (clock.monotonic() > end)
      throw new UserError(
        `not Ready after ${Math.round(timeoutMs / 1000)} s: ${waiting.join(', ')}; see ${paths.log(config.hollow ? HOLLOW_AGENTS : agentPart(waiting[0]!))}`,
      );
    await sleep(clock, 50);
  }
}

/** When the node's agent last reported; the API keeps whole seconds. */
const heardAtMs = (node: Node): number =>
  Date.parse(node.status?.conditions?.find((c) => c.type === 'Ready')?.lastHeartbeatTime ?? '') || 0;
const wholeSecond = (ms: number): number => Math.floor(ms / 1000) * 1000;

/** Ready, and open for pods: after a pause the taints of the old state go a moment later. */
function isReady(node: Node): boolean {
  const isTainted = (node.spec?.taints ?? []).some(
    (t) => t.key.startsWith('node.kubernetes.io/') && t.key !== 'node.kubernetes.io/unschedulable',
  );
  return isNodeReady(node) && !isTainted;
}
