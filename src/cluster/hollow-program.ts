// `coracle agent` of a hollow cluster: all its nodes in one process, each with a kubelet whose containers exist in memory only.
// Nodes come and go with the configuration, which is read again on SIGHUP.
import { join } from 'node:path';
import type { Clock } from '#base/clock.ts';
import { type CIDR, formatIP, ipAt, parseCIDR } from '#base/ip.ts';
import { type Component, startAll, stopAll } from '#base/lifecycle.ts';
import { describeError, type Log } from '#base/log.ts';
import { MetricsRegistry } from '#base/metrics.ts';
import { SystemRandom } from '#base/random.ts';
import type { Client } from '#client/client.ts';
import { QueuedEventRecorder } from '#client/events.ts';
import { createInformers } from '#client/informers.ts';
import { nodes } from '#generated/resources.ts';
import { realFileSystem } from '#host/file-system.ts';
import { noNetwork } from '#netmodel/node-network.ts';
import { createHollowKubelet, createHollowReclaimer } from '#node/hollow/hollow.ts';
import { type ClusterConfig, type NodeConfig, zoneLabel } from './config.ts';
import { nodeApi } from './node-api.ts';
import { nodeClient } from './node-client.ts';
import type { ClusterPaths } from './paths.ts';

export interface HollowProgramDeps {
  readonly clock: Clock;
  readonly log: Log;
}

/** The first addresses of a range are the network's and the gateway's. */
const FIRST_POD = 2;

/** Address of the n-th pod in a node's range, starting again at its end. */
export function podAddress(range: CIDR, n: number): string {
  const usable = 2 ** (32 - range.prefix) - FIRST_POD - 1;
  return formatIP(ipAt(range, FIRST_POD + (n % usable)));
}

export class HollowNodes implements Component {
  readonly name = 'hollow-nodes';
  readonly #paths: ClusterPaths;
  readonly #deps: HollowProgramDeps;
  readonly #signal: AbortSignal;
  /** Node name → its parts. */
  readonly #running = new Map<string, readonly Component[]>();
  #config: ClusterConfig;
  /** Changes of the configuration are worked off one after another. */
  #changes: Promise<void> = Promise.resolve();

  constructor(config: ClusterConfig, paths: ClusterPaths, deps: HollowProgramDeps, signal: AbortSignal) {
    this.#config = config;
    this.#paths = paths;
    this.#deps = deps;
    this.#signal = signal;
  }

  start(): Promise<void> {
    return this.reload(this.#config);
  }

  async stop(): Promise<void> {
    await this.#changes;
    await Promise.all([...this.#running.values()].map((parts) => stopAll(parts)));
    this.#running.clear();
  }

  /** Nodes that were added or switched on start, those that were switched off stop. */
  reload(config: ClusterConfig): Promise<void> {
    this.#config = config;
    this.#changes = this.#changes.then(() => this.#follow());
    return this.#changes;
  }

  async #follow(): Promise<void> {
    const wanted = this.#config.nodes.filter((n) => n.power === 'on');
    const gone = [...this.#running].filter(([name]) => !wanted.some((n) => n.name === name));
    await Promise.all(
      gone.map(async ([name, parts]) => {
        this.#running.delete(name);
        await stopAll(parts);
      }),
    );
    await Promise.all(
      wanted
        .filter((n) => !this.#running.has(n.name))
        .map(async (node) => {
          const parts = this.#partsOf(node);
          this.#running.set(node.name, parts);
          try {
            await startAll(parts, this.#signal);
          } catch (error) {
            this.#running.delete(node.name);
            if (!this.#signal.aborted)
              this.#deps.log.error('a hollow node did not start', { node: node.name, error: describeError(error) });
          }
        }),
    );
  }

  #partsOf(node: NodeConfig): readonly Component[] {
    const { clock } = this.#deps;
    const config = this.#config;
    const log = this.#deps.log.with({ node: node.name });
    const random = new SystemRandom();
    const own = this.#paths.node(node.name);
    const metrics = new MetricsRegistry();
    const client: Client = nodeClient(config, this.#paths, join(own.root, 'kubelet-client'), clock, 'kubelet');
    const informers = createInformers({ client, clock, random, log });
    const agentClient = nodeClient(config, this.#paths, join(own.root, 'agent-client'), clock, 'coracle-agent');
    const agentInformers = createInformers({ client: agentClient, clock, random, log });
    const reclaimer = createHollowReclaimer({ client: agentClient, informers: agentInformers, clock, log });
    const events = new QueuedEventRecorder({ client, clock, random, log }, { component: 'kubelet', host: node.name });
    const self = informers.informer(nodes, { fieldSelector: `metadata.name=${node.name}` });
    const range = (): CIDR | undefined => parseCIDR(self.get(node.name)?.spec?.podCIDR ?? '');
    const kubelet = createHollowKubelet({
      client,
      informers,
      events,
      clock,
      random,
      log,
      metrics,
      machineFiles: realFileSystem,
      ipOf: (n) => podAddress(range()!, n),
      network: {
        ...noNetwork,
        // Ready once the node has its range: no pod is placed here before.
        ready: async (signal) => {
          if (range() !== undefined) return;
          const known = Promise.withResolvers<void>();
          const unsubscribe = self.subscribe(() => range() !== undefined && known.resolve());
          signal.addEventListener('abort', () => known.reject(signal.reason as Error), { once: true });
          await known.promise.finally(unsubscribe);
          log.info('pod addresses are known', { range: self.get(node.name)?.spec?.podCIDR });
        },
      },
      options: {
        nodeName: node.name,
        nodeIPs: [node.ip],
        rootDir: own.kubelet,
        volumesDir: this.#paths.volumes,
        cgroupRoot: `/${node.name}`,
        clusterDnsIPs: [config.clusterDNS],
        clusterDomain: config.clusterDomain,
        ...zoneLabel(
          config,
          config.nodes.findIndex((n) => n.name === node.name),
        ),
        ...(config.nodeCpus === undefined ? {} : { cpus: String(config.nodeCpus) }),
        ...(config.nodeMemory === undefined ? {} : { memory: String(config.nodeMemory) }),
      },
    });
    return [
      events,
      {
        name: 'kubelet',
        start: async (s) => void (await Promise.all([informers.start(s), kubelet.start(s)])),
        stop: async () => {
          await kubelet.stop();
          await informers.stop();
        },
      },
      {
        name: 'volumes',
        start: async (s) => void (await Promise.all([agentInformers.start(s), reclaimer.start(s)])),
        stop: async () => {
          await reclaimer.stop();
          await agentInformers.stop();
        },
      },
      ...nodeApi(config, this.#paths, node, kubelet.server, client, { clock, log, metrics }),
    ];
  }
}
