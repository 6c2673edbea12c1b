// `coracle agent`: one node's kubelet and network, born inside the node's namespaces. The wiring, and nothing else.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '#base/clock.ts';
import { type Component, startAll, stopAll } from '#base/lifecycle.ts';
import type { Log } from '#base/log.ts';
import { MetricsRegistry } from '#base/metrics.ts';
import { SystemRandom } from '#base/random.ts';
import { QueuedEventRecorder } from '#client/events.ts';
import { createInformers } from '#client/informers.ts';
import { createCgroups } from '#host/cgroups.ts';
import { realFileSystem } from '#host/file-system.ts';
import { KernelMounts } from '#host/mounts.ts';
import { run } from '#host/process.ts';
import { createNodeNetwork } from '#network/node-network.ts';
import { GrpcRuntime } from '#node/cri/grpc.ts';
import { createKubelet } from '#node/kubelet.ts';
import { KUBELET_PORT } from '#node/server/http-server.ts';
import { createDiskReclaimer } from '#node/volumes/disk-reclaimer.ts';
import { loadBalancerRanges } from './addresses.ts';
import { type ClusterConfig, zoneLabel } from './config.ts';
import { DNS_RELAY_PORT } from './dns-relay.ts';
import { nodeIPs } from './ipv6.ts';
import { nodeApi } from './node-api.ts';
import { nodeClient } from './node-client.ts';
import type { ClusterPaths } from './paths.ts';
import { cgroupRoot } from './teardown.ts';

export interface AgentProgramDeps {
  readonly clock: Clock;
  readonly log: Log;
}

/** Kubernetes' own shares of the disk are for machines that do nothing else: a user's disk is often fuller than that, and its nodes share it. */
const LOCAL_EVICTION =
  'memory.available<100Mi,nodefs.available<512Mi,nodefs.inodesFree<1%,imagefs.available<512Mi,imagefs.inodesFree<1%';
/** Images were loaded by hand and can be pulled from nowhere: they go last. */
const LOCAL_IMAGE_GC = { high: 0.98, low: 0.97 };
/** Inside the node's own /run. */
const CONTAINERD_SOCKET = '/run/containerd/containerd.sock';
const IPAM_FOLDER = '/run/coracle/ipam';
const INGRESS_FOLDER = '/run/coracle/ingress';

export async function startAgent(
  config: ClusterConfig,
  paths: ClusterPaths,
  nodeName: string,
  deps: AgentProgramDeps,
  signal: AbortSignal,
): Promise<Component> {
  const { clock, log } = deps;
  const node = config.nodes.find((n) => n.name === nodeName);
  if (node === undefined) throw new Error(`the configuration knows no node ${nodeName}`);
  const own = paths.node(nodeName);
  const random = new SystemRandom();
  const metrics = new MetricsRegistry();
  mkdirSync(own.kubelet, { recursive: true, mode: 0o755 });
  mkdirSync(paths.volumes, { recursive: true, mode: 0o700 });

  const kubeletClient = nodeClient(config, paths, join(own.root, 'kubelet-client'), clock, 'kubelet');
  const agentClient = nodeClient(config, paths, join(own.root, 'agent-client'), clock, 'coracle-agent');
  const kubeletInformers = createInformers({ client: kubeletClient, clock, random, log });
  const events = new QueuedEventRecorder(
    { client: kubeletClient, clock, random, log },
    { component: 'kubelet', host: nodeName },
  );

  const ingressEvents = new QueuedEventRecorder(
    { client: agentClient, clock, random, log },
    { component: 'ingress', host: nodeName },
  );
  const agentInformers = createInformers({ client: agentClient, clock, random, log });
  const mounts = new KernelMounts(run);
  const networkEvents = new QueuedEventRecorder(
    { client: agentClient, clock, random, log },
    { component: 'kube-proxy', host: nodeName },
  );
  const network = createNodeNetwork(
    {
      nodeName,
      nodeIPs: nodeIPs(config, node),
      podNetwork: config.podNetwork ?? 'routes',
      clusterCIDR: config.podCIDR,
      serviceCIDR: config.serviceCIDR,
      ...(config.ipv6 === undefined
        ? {}
        : { ipv6: { clusterCIDR: config.ipv6.podCIDR, serviceCIDR: config.ipv6.serviceCIDR } }),
      dns: {
        address: config.clusterDNS,
        domain: config.clusterDomain,
        upstreams: [`${config.machineIP}:${DNS_RELAY_PORT}`],
      },
      // Which addresses are taken is forgotten with the node, as its pods are: on the node's own /run.
      cni: {
        ours: config.cniConfDir === undefined,
        confDir: config.cniConfDir ?? own.cniConf,
        dataDir: IPAM_FOLDER,
      },
      loadBalancerRanges: loadBalancerRanges(config),
      nftPath: 'nft',
      folder: join(own.root, 'rules'),
      parts: {
        proxy: !config.disabled.includes('proxy'),
        policy: !config.disabled.includes('policy'),
        dns: !config.disabled.includes('dns'),
        ingress: { enabled: !config.disabled.includes('ingress'), folder: INGRESS_FOLDER, events: ingressEvents },
      },
    },
    { informers: agentInformers, client: agentClient, events: networkEvents, clock, random, log, metrics, run },
  );
  const reclaimer = createDiskReclaimer({
    client: agentClient,
    informers: agentInformers,
    files: realFileSystem,
    mounts,
    clock,
    log,
    volumesDir: paths.volumes,
  });
  const parts: Component[] = [
    events,
    networkEvents,
    ingressEvents,
    {
      name: 'network',
      start: async (s) => void (await Promise.all([agentInformers.start(s), network.start(s), reclaimer.start(s)])),
      stop: async () => {
        await reclaimer.stop();
        await network.stop();
        await agentInformers.stop();
      },
    },
  ];
  const runtime = new GrpcRuntime({ socket: CONTAINERD_SOCKET, now: () => clock.now() });
  const resolvConf = join(own.root, 'resolv.conf');
  // Pods with dnsPolicy Default ask what the node asks: the relay to the machine's resolver is on a port that resolv.conf cannot name.
  writeFileSync(resolvConf, `nameserver ${config.clusterDNS}\n`);
  const kubelet = createKubelet({
    client: kubeletClient,
    informers: kubeletInformers,
    events,
    clock,
    random,
    log,
    metrics,
    network,
    runtime,
    files: realFileSystem,
    mounts,
    cgroups: createCgroups(),
    options: {
      nodeName,
      nodeIPs: nodeIPs(config, node),
      rootDir: own.kubelet,
      volumesDir: paths.volumes,
      cgroupRoot: `${cgroupRoot(config)}/${nodeName}`,
      clusterDnsIPs: [config.clusterDNS],
      clusterDomain: config.clusterDomain,
      resolvConf,
      port: KUBELET_PORT,
      userNamespacesDir: config.userNamespacesDir ?? join(paths.data, 'user-namespaces'),
      ...(config.seccompDefault === true ? { seccompDefault: true } : {}),
      eviction: { hard: LOCAL_EVICTION, ...config.eviction },
      imageGc: LOCAL_IMAGE_GC,
      ...(config.allowedUnsafeSysctls === undefined ? {} : { allowedUnsafeSysctls: config.allowedUnsafeSysctls }),
      ...zoneLabel(config, config.nodes.indexOf(node)),
      ...(config.nodeCpus === undefined ? {} : { cpus: String(config.nodeCpus) }),
      ...(config.nodeMemory === undefined ? {} : { memory: String(config.nodeMemory) }),
    },
  });
  parts.push({
    name: 'kubelet',
    start: async (s) => void (await Promise.all([kubeletInformers.start(s), kubelet.start(s)])),
    stop: async () => {
      await kubelet.stop();
      await kubeletInformers.stop();
    },
  });
  parts.push(...nodeApi(config, paths, node, kubelet.server, kubeletClient, { clock, log, metrics }));
  await startAll(parts, signal);
  return { name: 'agent', start: async () => {}, stop: () => stopAll(parts) };
}
