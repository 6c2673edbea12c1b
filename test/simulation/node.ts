// A hollow node of the simulation: the real kubelet with containers in memory and what lets volumes go, under the node's two
// identities, each at the end of its own link.
import type { Clock } from '#base/clock.ts';
import { type CIDR, parseCIDR, parseIPRange } from '#base/ip.ts';
import type { Component } from '#base/lifecycle.ts';
import type { Log } from '#base/log.ts';
import { MetricsRegistry } from '#base/metrics.ts';
import type { Random } from '#base/random.ts';
import { endpointslices, leases, nodes, services } from '#generated/resources.ts';
import { ALL_AUTHENTICATED, NODE_USER_PREFIX, NODES_GROUP } from '#apiserver/authentication/users.ts';
import type { Client, Informers } from '#client/client.ts';
import { QueuedEventRecorder } from '#client/events.ts';
import { createInformers } from '#client/informers.ts';
import { createClient } from '#client/rest-client.ts';
import type { Transport } from '#client/transports/transport.ts';
import { NODE_AGENT_GROUP } from '#apiserver/authentication/users.ts';
import { podAddress } from '#cluster/hollow-program.ts';
import type { UserInfo } from '#machinery/exchange.ts';
import { SPEAKER_LABEL, SPEAKER_NAMESPACE } from '#netmodel/load-balancers.ts';
import { noNetwork } from '#netmodel/node-network.ts';
import type { EndingOf } from '#node/cri/fake.ts';
import type { Card } from '#network/loadbalancer/card.ts';
import { Speaker } from '#network/loadbalancer/speaker.ts';
import { createHollowKubelet, createHollowReclaimer } from '#node/hollow/hollow.ts';
import { AGENT_USER_PREFIX } from '#tunnel/protocol.ts';

export interface NodeShape {
  readonly cpus?: string;
  readonly memory?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** How containers end by themselves; see FakeRuntime. */
  readonly endingOf?: EndingOf;
}

export interface NodeDeps {
  /** The kubelet's, and that of what else runs on a node. */
  readonly links: { readonly kubelet: Transport; readonly agent: Transport };
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Where the node has load balancers' addresses; absent: it has none. */
  readonly card?: Card;
}

/** Of the simulated network, beyond what nodes have. */
export const LOAD_BALANCER_RANGE = '192.0.2.201-192.0.2.253';

export const nodeUser = (name: string): UserInfo => ({
  name: `${NODE_USER_PREFIX}${name}`,
  groups: [NODES_GROUP, ALL_AUTHENTICATED],
});

export const agentUser = (name: string): UserInfo => ({
  name: `${AGENT_USER_PREFIX}${name}`,
  groups: [NODE_AGENT_GROUP, ALL_AUTHENTICATED],
});

/** In the order to start them. `ip` is the node's own address. */
export function hollowNode(name: string, ip: string, shape: NodeShape, deps: NodeDeps): readonly Component[] {
  const { clock, random } = deps;
  const log = deps.log.with({ node: name });
  const client = createClient({ transport: deps.links.kubelet, clock, userAgent: 'kubelet', freeze: true });
  const informers = createInformers({ client, clock, random, log }, { freeze: true });
  const events = new QueuedEventRecorder({ client, clock, random, log }, { component: 'kubelet', host: name });
  const self = informers.informer(nodes, { fieldSelector: `metadata.name=${name}` });
  const range = (): CIDR | undefined => parseCIDR(self.get(name)?.spec?.podCIDR ?? '');
  const agentClient = createClient({
    transport: deps.links.agent,
    clock,
    userAgent: 'coracle-agent',
    freeze: true,
  });
  const agentInformers = createInformers({ client: agentClient, clock, random, log }, { freeze: true });
  const reclaimer = createHollowReclaimer({ client: agentClient, informers: agentInformers, clock, log });
  const kubelet = createHollowKubelet({
    client,
    informers,
    events,
    clock,
    random,
    log,
    metrics: new MetricsRegistry(),
    machineFiles: { readText: () => undefined },
    ipOf: (n) => podAddress(range()!, n),
    ...(shape.endingOf === undefined ? {} : { endingOf: shape.endingOf }),
    network: {
      ...noNetwork,
      // Ready once the node has its range, as in the real program.
      ready: (signal) =>
        new Promise((resolve, reject) => {
          self.subscribe(() => range() !== undefined && resolve());
          signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        }),
    },
    options: {
      nodeName: name,
      nodeIPs: [ip],
      rootDir: `/${name}`,
      volumesDir: '/volumes',
      cgroupRoot: `/${name}`,
      clusterDnsIPs: ['10.96.0.10'],
      clusterDomain: 'cluster.local',
      cpus: shape.cpus ?? '8',
      memory: shape.memory ?? '16Gi',
      ...(shape.labels === undefined ? {} : { labels: shape.labels }),
    },
  });
  const speaker = deps.card === undefined ? undefined : speakerOf(name, deps.card, agentClient, agentInformers, deps);
  return [
    events,
    {
      name: `kubelet-${name}`,
      start: async (signal) => void (await Promise.all([informers.start(signal), kubelet.start(signal)])),
      stop: async () => {
        await kubelet.stop();
        await informers.stop();
      },
    },
    {
      name: `volumes-${name}`,
      start: async (signal) =>
        void (await Promise.all([agentInformers.start(signal), reclaimer.start(signal), speaker?.start(signal)])),
      stop: async () => {
        await speaker?.stop();
        await reclaimer.stop();
        await agentInformers.stop();
      },
    },
  ];
}

function speakerOf(
  nodeName: string,
  card: Card,
  client: Client,
  informers: Informers,
  { clock, log }: NodeDeps,
): Speaker {
  return new Speaker({
    services: informers.informer(services),
    slices: informers.informer(endpointslices),
    nodes: informers.informer(nodes),
    leases: informers.informer(leases, { namespace: SPEAKER_NAMESPACE, labelSelector: `${SPEAKER_LABEL}=true` }),
    client,
    card,
    clock,
    log,
    nodeName,
    ranges: [parseIPRange(LOAD_BALANCER_RANGE)!],
  });
}
