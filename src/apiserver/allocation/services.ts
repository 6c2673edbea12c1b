// What a Service gets from the cluster: addresses, node ports, a health check port. Taken before the commit, given back when
// that fails; what an update no longer needs is given back after it.
import { formatCIDR } from '#base/ip.ts';
import type { Clock } from '#base/clock.ts';
import type { Log } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import type { Service, ServicePort, ServiceSpec } from '#generated/api/core-v1.ts';
import type { KubeObject } from '#machinery/object.ts';
import { fieldError, StatusError } from '#machinery/status.ts';
import type { Store } from '#store/store.ts';
import type { Codec } from '../codec.ts';
import { rfc3339 } from '../context.ts';
import type { ServedResources } from '../served.ts';
import type { Allocation, Allocator } from './allocators.ts';
import { ClusterIPs, type Owner } from './cluster-ips.ts';
import { familyOf, type IPFamily, isHeadless, withFamilies } from './ip-families.ts';
import { NodePorts } from './node-ports.ts';

export interface ServiceAllocatorOptions {
  readonly serviceCIDR: string;
  /** A range of the other family: Services may have two. */
  readonly secondaryServiceCIDR?: string;
  readonly nodePortRange: readonly [number, number];
}

export interface ServiceAllocatorDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly store: Store;
  readonly codec: Codec;
  readonly resources: ServedResources;
}

type StoredService = Service & KubeObject;

export class ServiceAllocator implements Allocator {
  readonly group = '';
  readonly resource = 'services';
  /** Of the primary family. */
  readonly clusterIPs: ClusterIPs;
  /** Family → its addresses, the primary one first. */
  readonly #ranges: ReadonlyMap<IPFamily, ClusterIPs>;
  readonly #ports: NodePorts;
  readonly #deps: ServiceAllocatorDeps;

  constructor(options: ServiceAllocatorOptions, deps: ServiceAllocatorDeps) {
    this.#deps = deps;
    this.#ports = new NodePorts(options.nodePortRange, deps.random);
    const { store, random, codec, clock, resources } = deps;
    const addresses = resources.get('networking.k8s.io', 'v1', 'ipaddresses');
    const makeRange = (cidr: string) =>
      new ClusterIPs(cidr, { store, random, codec, addresses, now: () => rfc3339(clock.now()) });
    this.clusterIPs = makeRange(options.serviceCIDR);
    const secondary = options.secondaryServiceCIDR === undefined ? [] : [makeRange(options.secondaryServiceCIDR)];
    this.#ranges = new Map(
      [this.clusterIPs, ...secondary].map((range) => [range.cidr.family === 6 ? 'IPv6' : 'IPv4', range]),
    );
  }

  /** Learns what stored services hold. The caches are filled. */
  async start(): Promise<void> {
    const { entries } = await this.#deps.resources.get('', 'v1', 'services').cache!.list({ resourceVersion: '0' });
    const used = new Map<string, Owner>();
    for (const entry of entries) {
      const service = entry.object as StoredService;
      const owner = { namespace: entry.namespace, name: entry.name };
      for (const ip of addressesOf(service.spec)) {
        if (used.has(ip))
          this.#deps.log.error('two services have the same cluster address', { ip, service: entry.key });
        else used.set(ip, owner);
      }
      for (const port of portsOf(service.spec)) {
        const taken = this.#ports.take(port, entry.key);
        if (!taken.ok)
          this.#deps.log.error('a service has a node port it cannot have', {
            port,
            service: entry.key,
            why: taken.why,
          });
      }
    }
    for (const [family, range] of this.#ranges)
      await range.repair(new Map([...used].filter(([ip]) => familyOf(ip) === family)));
  }

  async allocate(object: KubeObject, old: KubeObject | undefined, dryRun: boolean): Promise<Allocation> {
    const service = object as StoredService;
    const before = old as StoredService | undefined;
    const name = service.metadata.name!;
    const owner = { namespace: service.metadata.namespace!, name };
    const ownerKey = `${owner.namespace}/${name}`;
    const takenIPs: string[] = [];
    const takenPorts: number[] = [];
    const undo = async () => {
      for (const port of takenPorts) this.#ports.release(port, ownerKey);
      for (const ip of takenIPs) await this.#release(ip, owner);
    };
    try {
      let spec = withOldValues(service.spec ?? {}, before?.spec);
      spec = withFamilies(spec, before, [...this.#ranges.keys()], name);
      spec = await this.#addresses(spec, before, owner, name, dryRun, takenIPs);
      spec = this.#nodePorts(spec, before, ownerKey, name, dryRun, takenPorts);
      const committed = async () => {
        const ips = new Set(addressesOf(spec));
        const ports = new Set(portsOf(spec));
        for (const ip of addressesOf(before?.spec)) if (!ips.has(ip)) await this.#release(ip, owner);
        for (const port of portsOf(before?.spec)) if (!ports.has(port)) this.#ports.release(port, ownerKey);
      };
      return { object: { ...service, spec } as KubeObject, committed, undo };
    } catch (error) {
      await undo();
      throw error;
    }
  }

  async release(old: KubeObject): Promise<void> {
    const { spec, metadata } = old as StoredService;
    const owner = { namespace: metadata.namespace!, name: metadata.name! };
    for (const port of portsOf(spec)) this.#ports.release(port, `${owner.namespace}/${owner.name}`);
    for (const ip of addressesOf(spec)) await this.#release(ip, owner);
  }

  /** Also an address of a range that the cluster no longer has. */
  #release(ip: string, owner: Owner): Promise<void> {
    return (this.#ranges.get(familyOf(ip)) ?? this.clusterIPs).release(ip, owner);
  }

  async #addresses(
    spec: ServiceSpec,
    before: StoredService | undefined,
    owner: Owner,
    name: string,
    dryRun: boolean,
    taken: string[],
  ): Promise<ServiceSpec> {
    if (spec.type === 'ExternalName' || isHeadless(spec)) return spec;
    const invalid = (value: unknown, why: string) =>
      StatusError.invalid({ kind: 'Service' }, name, [fieldError.invalid('spec.clusterIPs', value, why)]);
    const asked = spec.clusterIPs ?? ((spec.clusterIP ?? '') === '' ? [] : [spec.clusterIP!]);
    const held = new Set(addressesOf(before?.spec));
    const out: string[] = [];
    for (const [index, family] of (spec.ipFamilies as readonly IPFamily[]).entries()) {
      const ip = asked[index] ?? '';
      if (ip !== '' && held.has(ip)) {
        out.push(ip);
        continue;
      }
      const range = this.#ranges.get(family)!;
      if (ip === '') {
        const given = await range.takeAny(owner, dryRun);
        if (given === undefined)
          throw new StatusError(500, 'InternalError', `failed to allocate a serviceIP: range is full`, {
            causes: [{ message: `range ${formatCIDR(range.cidr)} is full` }],
          });
        if (!dryRun) taken.push(given);
        out.push(given);
        continue;
      }
      const outcome = await range.take(ip, owner, dryRun);
      if (!outcome.ok) throw invalid(asked, `failed to allocate IP ${ip}: ${outcome.why}`);
      if (!dryRun) taken.push(outcome.ip);
      out.push(outcome.ip);
    }
    return { ...spec, clusterIP: out[0], clusterIPs: out };
  }

  #nodePorts(
    spec: ServiceSpec,
    before: StoredService | undefined,
    owner: string,
    name: string,
    dryRun: boolean,
    taken: number[],
  ): ServiceSpec {
    if (spec.type !== 'NodePort' && spec.type !== 'LoadBalancer') return spec;
    const held = new Set(portsOf(before?.spec));
    const mine = new Set<number>();
    const allocates = spec.type === 'NodePort' || spec.allocateLoadBalancerNodePorts !== false;
    const take = (port: number, field: string) => {
      if (held.has(port) || mine.has(port)) return;
      const outcome = this.#ports.take(port, owner);
      if (!outcome.ok)
        throw StatusError.invalid({ kind: 'Service' }, name, [fieldError.invalid(field, port, outcome.why)]);
      if (dryRun) this.#ports.release(port, owner);
      else taken.push(port);
    };
    // Ports asked for by number first, so that none of them is given away to another port of the same service.
    for (const [index, port] of (spec.ports ?? []).entries()) {
      if ((port.nodePort ?? 0) === 0) continue;
      take(port.nodePort!, `spec.ports[${index}].nodePort`);
      mine.add(port.nodePort!);
    }
    const any = (field: string): number => {
      const port = this.#ports.takeAny(owner);
      if (port === undefined)
        throw new StatusError(500, 'InternalError', `failed to allocate a nodePort: range is full`, {
          causes: [{ field, message: 'range is full' }],
        });
      if (dryRun) this.#ports.release(port, owner);
      else taken.push(port);
      mine.add(port);
      return port;
    };
    const byNumber = new Map<number, { readonly protocol: string; readonly nodePort: number }[]>();
    const ports = spec.ports?.map((port, index): ServicePort => {
      let nodePort = port.nodePort ?? 0;
      if (nodePort === 0 && allocates) {
        // The same port over another protocol shares the number (DNS).
        const shared = byNumber.get(port.port)?.find((p) => p.protocol !== (port.protocol ?? 'TCP'));
        nodePort =
          shared !== undefined && !byNumber.get(port.port)!.some((p) => p.protocol === (port.protocol ?? 'TCP'))
            ? shared.nodePort
            : any(`spec.ports[${index}].nodePort`);
      }
      if (nodePort === 0) return port;
      byNumber.getOrInsertComputed(port.port, () => []).push({ protocol: port.protocol ?? 'TCP', nodePort });
      return { ...port, nodePort };
    });
    let { healthCheckNodePort } = spec;
    if (spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local') {
      if ((healthCheckNodePort ?? 0) === 0) healthCheckNodePort = any('spec.healthCheckNodePort');
      else take(healthCheckNodePort!, 'spec.healthCheckNodePort');
    } else healthCheckNodePort = undefined;
    return { ...spec, ports, healthCheckNodePort };
  }
}

export function addressesOf(spec: ServiceSpec | undefined): readonly string[] {
  if (spec === undefined || spec.type === 'ExternalName' || isHeadless(spec)) return [];
  return spec.clusterIPs ?? ((spec.clusterIP ?? '') === '' ? [] : [spec.clusterIP!]);
}

function portsOf(spec: ServiceSpec | undefined): readonly number[] {
  const out = new Set<number>();
  for (const port of spec?.ports ?? []) if ((port.nodePort ?? 0) !== 0) out.add(port.nodePort!);
  if ((spec?.healthCheckNodePort ?? 0) !== 0) out.add(spec!.healthCheckNodePort!);
  return [...out];
}

/** Allocated values that an update leaves out stay; those of a type that no longer has them go. */
function withOldValues(spec: ServiceSpec, old: ServiceSpec | undefined): ServiceSpec {
  let out: ServiceSpec = spec;
  if (spec.type === 'ExternalName') {
    const same = spec.clusterIP === old?.clusterIP;
    return same || (spec.clusterIP ?? '') === ''
      ? {
          ...out,
          clusterIP: undefined,
          clusterIPs: undefined,
          ipFamilies: undefined,
          ipFamilyPolicy: undefined,
          internalTrafficPolicy: undefined,
          ports: withoutNodePorts(out.ports),
        }
      : out;
  }
  if (isHeadless(spec)) out = { ...out, clusterIP: 'None', clusterIPs: ['None'] };
  else if (old !== undefined && old.type !== 'ExternalName') {
    const unset = (out.clusterIP ?? '') === '';
    if (unset && (out.clusterIPs?.length ?? 0) === 0)
      out = { ...out, clusterIP: old.clusterIP, clusterIPs: old.clusterIPs };
    else if ((out.clusterIPs?.length ?? 0) === 0) out = { ...out, clusterIPs: [out.clusterIP!] };
    else if (unset) out = { ...out, clusterIP: out.clusterIPs![0] };
  }
  const needsPorts = out.type === 'NodePort' || out.type === 'LoadBalancer';
  if (old === undefined) return out;
  const oldPorts = old.ports ?? [];
  if (needsPorts) {
    const used = new Set((out.ports ?? []).map((p) => p.nodePort ?? 0));
    const ports = out.ports?.map((port): ServicePort => {
      if ((port.nodePort ?? 0) !== 0) return port;
      const match = oldPorts.find(
        (p) =>
          p.port === port.port &&
          (p.protocol ?? 'TCP') === (port.protocol ?? 'TCP') &&
          (p.nodePort ?? 0) !== 0 &&
          !used.has(p.nodePort!),
      );
      return match === undefined ? port : { ...port, nodePort: match.nodePort };
    });
    return { ...out, ports, healthCheckNodePort: out.healthCheckNodePort ?? old.healthCheckNodePort };
  }
  if (old.type === 'NodePort' || old.type === 'LoadBalancer') {
    const held = new Set(portsOf(old));
    return {
      ...out,
      ports: out.ports?.map((p) => (held.has(p.nodePort ?? 0) ? omitNodePort(p) : p)),
      // External addresses are an entrance, too.
      ...((out.externalIPs ?? []).length > 0 ? {} : { externalTrafficPolicy: undefined }),
      healthCheckNodePort: undefined,
    };
  }
  return out;
}

function omitNodePort(port: ServicePort): ServicePort {
  const { nodePort: _nodePort, ...rest } = port;
  return rest;
}

const withoutNodePorts = (ports: readonly ServicePort[] | undefined): readonly ServicePort[] | undefined =>
  ports?.map(omitNodePort);
