// The network of one node, assembled: pod network, service proxy, network policy, DNS. Runs inside the node's network
// namespace. Parts that are switched off are replaced by somebody else's; the kubelet then does not wait for them.
import type { Clock } from '#base/clock.ts';
import { parseIP, parseIPRange } from '#base/ip.ts';
import { type Component, startAll, stopAll } from '#base/lifecycle.ts';
import type { Log } from '#base/log.ts';
import type { MetricsRegistry } from '#base/metrics.ts';
import type { Random } from '#base/random.ts';
import type { Client, EventRecorder, Informers } from '#client/client.ts';
import type { Run } from '#host/process.ts';
import { ensureFolder } from '#host/files.ts';
import { isOfFamily } from '#netmodel/family.ts';
import { SPEAKER_LABEL, SPEAKER_NAMESPACE } from '#netmodel/load-balancers.ts';
import type { LocalPod, NodeNetwork } from '#netmodel/node-network.ts';
import type { PodNetworkMode } from '#netmodel/pod-network.ts';
import { POLICY_TABLE } from '#netmodel/policy-rules.ts';
import { SERVICE_TABLE } from '#netmodel/service-rules.ts';
import { TUNNEL_TABLE } from '#netmodel/tunnel-rules.ts';
import { endpointslices, leases, namespaces, networkpolicies, nodes, pods, services } from '#generated/resources.ts';
import { DnsServer } from './dns/dns-server.ts';
import { createIngressProxy, haproxyIn } from './ingress/create.ts';
import { HealthCheckPorts } from './loadbalancer/health-check-ports.ts';
import { KernelCard } from './loadbalancer/card.ts';
import { Speaker } from './loadbalancer/speaker.ts';
import { type Nft, NftProgram } from './nftables/nft.ts';
import { IprouteKernel } from './podnetwork/kernel.ts';
import { PodNetwork } from './podnetwork/pod-network.ts';
import { TunnelGuard } from './podnetwork/tunnel-guard.ts';
import { PolicyEnforcer } from './policy/policy-enforcer.ts';
import { ServiceProxy } from './proxy/service-proxy.ts';
import { unlessAborted } from './unless-aborted.ts';

export interface NodeNetworkDeps {
  readonly informers: Informers;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
  readonly run: Run;
  /** Absent: the nft program. */
  readonly nft?: Nft;
  /** Writes the node's lease for load balancers; without it no addresses of theirs are held. */
  readonly client?: Client;
  /** Tells what went wrong about a Service on this node. */
  readonly events?: EventRecorder;
}

export interface NodeNetworkOptions {
  readonly nodeName: string;
  /** The primary one first. */
  readonly nodeIPs: readonly string[];
  /** How packets get to pods of other nodes. */
  readonly podNetwork: PodNetworkMode;
  readonly clusterCIDR: string;
  readonly serviceCIDR: string;
  /** The second family's ranges; absent in a cluster of one. */
  readonly ipv6?: { readonly clusterCIDR: string; readonly serviceCIDR: string };
  readonly dns: { readonly address: string; readonly domain: string; readonly upstreams: readonly string[] };
  /** `ours` false: the folder holds a configuration given by the user, which is left alone, and so are routes. */
  readonly cni: { readonly ours: boolean; readonly confDir: string; readonly dataDir: string };
  readonly nftPath: string;
  /** A private folder for rule scripts. */
  readonly folder: string;
  /** Ranges of load balancers' addresses that this node may answer for; absent: none. */
  readonly loadBalancerRanges?: readonly string[];
  readonly parts: {
    readonly proxy: boolean;
    readonly policy: boolean;
    readonly dns: boolean;
    /** Absent: never there. */
    readonly ingress?: IngressOptions;
  };
}

export interface IngressOptions {
  readonly enabled: boolean;
  /** Private folder on the node's own tmpfs: keys are in it. */
  readonly folder: string;
  readonly events: EventRecorder;
}

/** Start it beside `informers.start`: it asks for its informers when made, and waits until they are synced. */
export function createNodeNetwork(options: NodeNetworkOptions, deps: NodeNetworkDeps): NodeNetwork & Component {
  const { informers, clock, random, metrics, run } = deps;
  const { nodeName, nodeIPs, dns, parts } = options;
  const log = deps.log.with({ part: 'network' });
  const nft = deps.nft ?? new NftProgram({ run, nft: options.nftPath, folder: ensureFolder(options.folder, 0o700) });
  const of = {
    services: informers.informer(services),
    slices: informers.informer(endpointslices),
    nodes: informers.informer(nodes),
    pods: informers.informer(pods),
    namespaces: informers.informer(namespaces),
    policies: informers.informer(networkpolicies),
  };
  const { ours, ...cni } = options.cni;
  const podNetwork = new PodNetwork({
    nodes: of.nodes,
    kernel: new IprouteKernel(run, nodeIPs),
    clock,
    log,
    nodeName,
    nodeIPs,
    mode: options.podNetwork,
    cni: ours ? cni : undefined,
  });
  const common = { nft, clock, log, metrics, nodeName };
  const guard = ours && options.podNetwork === 'vxlan' ? new TunnelGuard({ ...common, nodes: of.nodes }) : undefined;
  // One of each for every family, over tables of that family.
  const families = [
    { family: 4 as const, clusterCIDR: options.clusterCIDR, serviceCIDR: options.serviceCIDR },
    ...(options.ipv6 === undefined ? [] : [{ family: 6 as const, ...options.ipv6 }]),
  ];
  const proxies = !parts.proxy
    ? []
    : families.map(
        (family) =>
          new ServiceProxy({
            ...common,
            ...family,
            run,
            services: of.services,
            slices: of.slices,
            nodes: of.nodes,
            pods: of.pods,
            nodeIPs,
            dnsAddress: parts.dns ? dns.address : NO_ADDRESS,
          }),
      );
  const enforcers = !parts.policy
    ? []
    : families.map(
        ({ family }) =>
          new PolicyEnforcer({
            ...common,
            family,
            policies: of.policies,
            namespaces: of.namespaces,
            pods: of.pods,
            dnsAddress: parts.dns && isOfFamily(dns.address, family) ? dns.address : undefined,
          }),
      );
  const dnsServer = parts.dns
    ? new DnsServer({
        ...dns,
        services: of.services,
        slices: of.slices,
        namespaces: of.namespaces,
        run,
        clock,
        random,
        log,
        metrics,
      })
    : undefined;
  const ranges = (options.loadBalancerRanges ?? []).flatMap((text) => parseIPRange(text) ?? []);
  const nodeIPv4 = nodeIPs.find((ip) => parseIP(ip)?.family === 4);
  const speaker =
    ranges.length > 0 && deps.client !== undefined && nodeIPv4 !== undefined
      ? new Speaker({
          services: of.services,
          slices: of.slices,
          nodes: of.nodes,
          leases: informers.informer(leases, { namespace: SPEAKER_NAMESPACE, labelSelector: `${SPEAKER_LABEL}=true` }),
          client: deps.client,
          card: new KernelCard({ run, nodeIP: nodeIPv4, ranges }),
          clock,
          log,
          nodeName,
          ranges,
        })
      : undefined;
  const healthChecks =
    proxies.length === 0
      ? undefined
      : new HealthCheckPorts({
          services: of.services,
          slices: of.slices,
          clock,
          log,
          ...(deps.events === undefined ? {} : { events: deps.events }),
          nodeName,
          nodeIPs,
          isProxyHealthy: () => proxies.every((proxy) => proxy.healthy),
        });
  const ingress =
    parts.ingress?.enabled !== true
      ? undefined
      : createIngressProxy({ ...parts.ingress, ...of, informers, run, clock, log, metrics, nodeName, nodeIPs });
  // DNS first: it needs no rules. Policy before the pod network says ready: no pod is wired without protection; and no
  // tunnel stands that anybody could send into. Load balancers' addresses last: their rules are in the kernel then.
  const components: Component[] = [
    dnsServer,
    ...enforcers,
    ...proxies,
    guard,
    podNetwork,
    healthChecks,
    ingress,
    speaker,
  ].filter((c) => c !== undefined);
  let markStarted = (): void => {};
  const started = new Promise<void>((resolve) => {
    markStarted = resolve;
  });
  return {
    name: 'node-network',
    async start(signal) {
      // A part that is switched off leaves no rules of an earlier run behind.
      for (const { family } of families) {
        if (proxies.length === 0) await nft.remove(SERVICE_TABLE, family);
        if (enforcers.length === 0) await nft.remove(POLICY_TABLE, family);
      }
      if (guard === undefined) await nft.remove(TUNNEL_TABLE);
      if (parts.ingress?.enabled === false) await haproxyIn({ run, clock, folder: parts.ingress.folder }).stop();
      await startAll(components, signal);
      markStarted();
    },
    stop: () => stopAll(components),
    async ready(signal) {
      await unlessAborted(started, signal);
      await podNetwork.ready(signal);
    },
    async policiesInForce(pod: LocalPod, signal) {
      await Promise.all([
        ...enforcers.map((policy) => policy.inForce(pod, signal)),
        ...proxies.map((proxy) => proxy.hostPortsInForce(pod, signal)),
      ]);
    },
    podGone(uid) {
      for (const part of [...enforcers, ...proxies]) part.podGone(uid);
    },
  };
}

/** No service has this cluster IP: with DNS in real pods, its service is one like any other. */
const NO_ADDRESS = '255.255.255.255';
