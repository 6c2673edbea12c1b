// The service proxy: Services and EndpointSlices of the cluster, and this node's host ports, into the service table.
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';
import type { Node, Pod, Service } from '#generated/api/core-v1.ts';
import type { Clock } from '#base/clock.ts';
import { type CIDR, cidrContains, cidrSize, formatIP, parseCIDR, parseIP } from '#base/ip.ts';
import type { Log } from '#base/log.ts';
import type { MetricsRegistry } from '#base/metrics.ts';
import type { Informer } from '#client/client.ts';
import { Elements } from '#netmodel/elements.ts';
import { type Family, isOfFamily, partName } from '#netmodel/family.ts';
import { serviceKeyOf } from '#netmodel/names.ts';
import type { HostPort, LocalPod } from '#netmodel/node-network.ts';
import { podCIDRsOf } from '#netmodel/pod-network.ts';
import { type Element, elementKey } from '#netmodel/rules.ts';
import { SERVICE_TABLE, ServiceElements, serviceTable } from '#netmodel/service-rules.ts';
import { type ServicePortModel, servicePorts, type Target, ZONE_LABEL } from '#netmodel/services.ts';
import type { Run } from '#host/process.ts';
import type { Nft } from '../nftables/nft.ts';
import { TableSync } from '../nftables/table-sync.ts';
import { indexByService, slicesOf } from '../slices-of-service.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { Conntrack } from './conntrack.ts';

export interface ServiceProxyDeps {
  /** Whose Services it serves; a node of two families has two. Absent: 4. */
  readonly family?: Family;
  readonly services: Informer<Service>;
  readonly slices: Informer<EndpointSlice>;
  readonly nodes: Informer<Node>;
  readonly pods: Informer<Pod>;
  readonly nft: Nft;
  readonly run: Run;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
  readonly nodeName: string;
  readonly nodeIPs: readonly string[];
  /** Of the family. */
  readonly clusterCIDR: string;
  readonly serviceCIDR: string;
  readonly dnsAddress: string;
}

export class ServiceProxy {
  readonly name: string;
  readonly #deps: ServiceProxyDeps;
  readonly #family: Family;
  readonly #elements: Elements;
  readonly #model = new ServiceElements();
  readonly #sync: TableSync;
  /** Services whose elements may be out of date. */
  readonly #dirty = new Set<string>();
  /** `namespace/name` → its ports as last written. */
  readonly #ports = new Map<string, readonly ServicePortModel[]>();
  /** Affinity times that have a chain. */
  readonly #times = new Set<number>();
  #podRange: CIDR | undefined;
  /** The node's zone, which hints speak of. */
  #zone: string | undefined;
  /** Pods whose host ports the kubelet announced; the API's view does not change them. */
  readonly #announced = new Set<string>();
  readonly #conntrack: Conntrack;
  /** UDP endpoints that left since the last transaction. */
  #leftUdp: Target[] = [];
  readonly #unsubscribe: (() => void)[] = [];

  constructor(deps: ServiceProxyDeps) {
    this.#deps = deps;
    const { nft, clock, log, metrics, family = 4 } = deps;
    this.#family = family;
    this.name = partName('service-proxy', family);
    this.#elements = new Elements(SERVICE_TABLE, family);
    const table = () => serviceTable({ ...deps, affinitySeconds: [...this.#times].sort((a, b) => a - b) });
    this.#sync = new TableSync({
      nft,
      clock,
      log,
      metrics,
      elements: this.#elements,
      table,
      prepare: () => this.#prepare(),
      written: () => this.#written(),
    });
    this.#conntrack = new Conntrack({ run: deps.run, log });
  }

  async start(signal: AbortSignal): Promise<void> {
    const { services, slices, nodes, pods } = this.#deps;
    indexByService(slices);
    for (const informer of [services, slices, nodes, pods]) await unlessAborted(informer.whenSynced(), signal);
    this.#unsubscribe.push(
      services.subscribe(({ key }) => this.#changed(key)),
      slices.subscribe(({ old, object }) => {
        for (const slice of [old, object]) {
          const key = serviceKeyOf(slice);
          if (key !== undefined) this.#changed(key);
        }
      }),
      nodes.subscribe(({ key, object }) => this.#nodeChanged(key, object)),
      pods.subscribe(({ old, object }) => this.#podChanged(old, object)),
    );
    this.#elements.replace(
      'own addresses',
      this.#nodeIPs.map((ip) => ({ set: 'node_addresses', key: ip, value: '' })),
    );
    await this.#sync.start(signal);
  }

  /** Whether the kernel's rules follow what the API says. */
  get healthy(): boolean {
    return this.#sync.healthy;
  }

  /** The rules stay in the kernel: traffic goes on while the agent is away. */
  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    this.#sync.stop();
  }

  /** Resolves when the pod's host ports are in the kernel. */
  async hostPortsInForce(pod: LocalPod, signal: AbortSignal): Promise<void> {
    if (pod.hostPorts.length === 0) return;
    this.#announced.add(pod.uid);
    this.#elements.replace(`host ports ${pod.uid}`, hostPortElements(pod.ips, pod.hostPorts, this.#family));
    await this.#sync.inForce(signal);
  }

  podGone(uid: string): void {
    this.#announced.delete(uid);
    this.#elements.replace(`host ports ${uid}`, []);
    this.#sync.poke();
  }

  #changed(key: string): void {
    this.#dirty.add(key);
    this.#sync.poke();
  }

  #nodeChanged(key: string, node: Node | undefined): void {
    const addresses = (node?.status?.addresses ?? []).filter(
      (a) => a.type !== 'Hostname' && isOfFamily(a.address, this.#family),
    );
    this.#elements.replace(
      `node ${key}`,
      addresses.map((a) => ({ set: 'node_addresses', key: a.address, value: '' })),
    );
    if (key === this.#deps.nodeName && node !== undefined) {
      this.#setPodRange(node);
      this.#setZone(node);
    }
    this.#sync.poke();
  }

  #setZone(node: Node): void {
    const zone = node.metadata.labels?.[ZONE_LABEL];
    if (zone === this.#zone) return;
    this.#zone = zone;
    for (const service of this.#ports.keys()) this.#dirty.add(service);
  }

  #setPodRange(node: Node): void {
    const family = this.#family;
    const text = podCIDRsOf(node).find((c) => parseCIDR(c)?.family === family);
    const range = text === undefined ? undefined : parseCIDR(text);
    if (range?.base === this.#podRange?.base && range?.prefix === this.#podRange?.prefix) return;
    this.#podRange = range;
    const last = range === undefined ? 0n : range.base + cidrSize(range) - 1n;
    const key =
      range === undefined ? '' : `${formatIP({ family, value: range.base })}-${formatIP({ family, value: last })}`;
    this.#elements.replace('own pods', range === undefined ? [] : [{ set: 'local_pods', key, value: '' }]);
    for (const service of this.#ports.keys()) this.#dirty.add(service);
  }

  #podChanged(old: Pod | undefined, pod: Pod | undefined): void {
    const uid = (pod ?? old)!.metadata.uid ?? '';
    if (this.#announced.has(uid) || (pod ?? old)!.spec?.nodeName !== this.#deps.nodeName) return;
    const finished =
      pod === undefined ||
      pod.status?.phase === 'Succeeded' ||
      pod.status?.phase === 'Failed' ||
      pod.spec?.hostNetwork === true;
    const ips = (pod?.status?.podIPs ?? []).map((i) => i.ip);
    const elements = finished ? [] : hostPortElements(ips, hostPortsOf(pod), this.#family);
    this.#elements.replace(`host ports ${uid}`, elements);
    if (this.#elements.pending) this.#sync.poke();
  }

  #prepare(): void {
    for (const key of this.#dirty) this.#compute(key);
    this.#dirty.clear();
  }

  #written(): void {
    const left = this.#leftUdp;
    this.#leftUdp = [];
    if (left.length > 0) void this.#conntrack.forgetUdp(left);
  }

  #compute(key: string): void {
    const { services, slices, dnsAddress, log } = this.#deps;
    const node = { name: this.#deps.nodeName, zone: this.#zone };
    const service = services.get(key);
    const ports = service === undefined ? [] : servicePorts(service, slicesOf(slices, key), node, this.#family);
    const present = new Set(ports.map(portIdentity));
    const before = this.#ports.get(key) ?? [];
    for (const port of before) if (!present.has(portIdentity(port))) this.#model.forget(port);
    const targets = new Set(udpTargets(ports).map(targetText));
    this.#leftUdp.push(...udpTargets(before).filter((t) => !targets.has(targetText(t))));
    if (ports.length === 0) this.#ports.delete(key);
    else this.#ports.set(key, ports);
    for (const { affinitySeconds } of ports) {
      if (affinitySeconds === undefined || this.#times.has(affinitySeconds)) continue;
      this.#times.add(affinitySeconds);
      this.#sync.reload();
    }
    const facts = {
      dnsAddress,
      nodeIPs: this.#nodeIPs,
      isLocalPod: (ip: string) => this.#isLocalPod(ip),
    };
    this.#elements.replace(
      `service ${key}`,
      ports.flatMap((port) => this.#model.elementsOf(port, facts)),
    );
    log.debug('service', { key, ports: ports.length });
  }

  /** The node's own, of the family. */
  get #nodeIPs(): readonly string[] {
    return this.#deps.nodeIPs.filter((ip) => isOfFamily(ip, this.#family));
  }

  #isLocalPod(text: string): boolean {
    const ip = parseIP(text);
    return ip !== undefined && this.#podRange !== undefined && cidrContains(this.#podRange, ip);
  }
}

function udpTargets(ports: readonly ServicePortModel[]): Target[] {
  return ports
    .filter((p) => p.protocol === 'udp')
    .flatMap((p) => [p.internal, p.external].flatMap((d) => (d.to === 'targets' ? d.targets : [])));
}

function targetText(target: Target): string {
  return `${target.ip}:${target.port}`;
}

function portIdentity(port: ServicePortModel): string {
  return `${port.key}/${port.protocol}`;
}

function hostPortElements(ips: readonly string[], ports: readonly HostPort[], family: Family): Element[] {
  const ip = ips.find((i) => isOfFamily(i, family));
  if (ip === undefined || ports.length === 0) return [];
  const out: Element[] = [{ set: 'hairpin', key: elementKey(ip, ip), value: '' }];
  for (const { protocol, hostIP, hostPort, containerPort } of ports) {
    const [proto, value] = [protocol.toLowerCase(), elementKey(ip, containerPort)];
    if (hostIP === '' || hostIP === (family === 6 ? '::' : '0.0.0.0'))
      out.push({ set: 'host_ports', key: elementKey(proto, hostPort), value });
    else if (isOfFamily(hostIP, family))
      out.push({ set: 'host_ports_on', key: elementKey(hostIP, proto, hostPort), value });
  }
  return out;
}

/** The host ports a pod's manifest asks for; init containers count when they stay (native sidecars). */
function hostPortsOf(pod: Pod): HostPort[] {
  const staying = (pod.spec?.initContainers ?? []).filter((c) => c.restartPolicy === 'Always');
  return [...(pod.spec?.containers ?? []), ...staying].flatMap((c) =>
    (c.ports ?? [])
      .filter((p) => (p.hostPort ?? 0) > 0)
      .map((p) => ({
        protocol: (p.protocol ?? 'TCP') as HostPort['protocol'],
        hostIP: p.hostIP ?? '',
        hostPort: p.hostPort!,
        containerPort: p.containerPort,
      })),
  );
}
