// From what the user typed to what is meant: the Service and its port, the pods behind it, and how the client's packets get there.
// Pure, and run twice: before the probe by what names should mean, after it by the addresses that the client really got.
import type { Pod, Service, ServicePort } from '#generated/api/core-v1.ts';
import type { Ingress } from '#generated/api/networking-v1.ts';
import { cidrContains, formatIP, parseCIDR, parseIP } from '#base/ip.ts';
import type { Facts, Forward } from './facts.ts';
import { couldNot } from './facts.ts';
import {
  isAddress,
  isLocalhost,
  type Meaning,
  meaningOf,
  meantService,
  nearNames,
  type Near,
  slicesOf,
} from './meaning.ts';
import {
  containerPorts,
  ipsOf,
  isEnded,
  isReady,
  isTerminating,
  nameOf,
  namespaceOf,
  selectedPods,
  targetPortIn,
} from './pods.ts';
import type { ProbeProtocol } from './probe/result.ts';
import type { ObjectField } from './report.ts';

/** How packets get to the pods. */
export type Via =
  | 'cluster-ip'
  | 'headless'
  | 'node-port'
  | 'load-balancer'
  | 'external-ip'
  | 'pod-ip'
  | 'node'
  | 'localhost'
  | 'forward'
  | 'ingress'
  | 'outside'
  | 'nothing';

export interface Backend {
  readonly pod: Pod | undefined;
  readonly ip: string | undefined;
  /** Undefined: the Service's targetPort names none of this pod's. */
  readonly port: number | undefined;
  readonly node: string | undefined;
  /** As its EndpointSlice says; `absent` is in none. */
  readonly endpoint: 'ready' | 'serving' | 'not ready' | 'absent';
}

export interface Located {
  readonly protocol: ProbeProtocol;
  readonly transport: 'tcp' | 'udp';
  readonly host: string;
  readonly port: number | undefined;
  readonly via: Via;
  readonly meaning: Meaning | undefined;
  /** What the client connects to. */
  readonly addresses: readonly string[];
  readonly service: Service | undefined;
  readonly servicePort: ServicePort | undefined;
  readonly backends: readonly Backend[];
  /** For what comes after a broken link: pods that seem to be meant, though nothing leads there. */
  readonly isAssumed: boolean;
  readonly ingress: Ingress | undefined;
  readonly forward: Forward | undefined;
  readonly near: readonly Near[];
  /** A named object that is not there. */
  readonly absent: ObjectField | undefined;
  /** The node whose address is dialled. */
  readonly node: string | undefined;
}

const nothingLocated = {
  meaning: undefined,
  addresses: [],
  service: undefined,
  servicePort: undefined,
  backends: [],
  isAssumed: false,
  ingress: undefined,
  forward: undefined,
  near: [],
  absent: undefined,
  node: undefined,
} as const;

export function locate(facts: Facts): Located {
  const { target } = facts;
  if (target.kind !== 'address') return locateObject(facts);
  const base = {
    ...nothingLocated,
    protocol: target.protocol,
    transport: target.protocol === 'udp' ? ('udp' as const) : ('tcp' as const),
    host: target.host,
    port: target.port,
  };
  if (isLocalhost(target.host)) return locateLocalhost(facts, base);
  if (isAddress(target.host)) return locateAddress(facts, base, [target.host]);
  const meaning = meaningOf(target.host, facts);
  const got = facts.main === undefined || couldNot(facts.main.result) ? [] : (facts.main.result.dns?.addresses ?? []);
  const ingress = ingressOf(facts, target.host, target.protocol);
  if (meaning.kind === 'hosts') {
    return withIngress({ ...locateAddress(facts, base, [meaning.address]), meaning }, ingress);
  }
  // What the client got counts more than what it should have got, outside the cluster's DNS.
  if (got.length > 0 && facts.source.at !== 'pod')
    return withIngress({ ...locateAddress(facts, base, got), meaning }, ingress);
  if (facts.source.at === 'pod') {
    const found = locateMeaning(facts, base, meaning);
    if (found !== undefined) return found;
    if (meaning.kind === 'outside' && got.length > 0)
      return withIngress({ ...locateAddress(facts, base, got), meaning }, ingress);
  }
  if (ingress !== undefined) return withIngress({ ...base, via: 'ingress', meaning }, ingress);
  return locateMeant(facts, base, meaning);
}

type Base = Omit<Located, 'via'>;

/** Names that the cluster's DNS answers. */
function locateMeaning(facts: Facts, base: Base, meaning: Meaning): Located | undefined {
  if (meaning.kind === 'service' || meaning.kind === 'empty') {
    const { service, hostname } = meaning;
    return { ...throughService(facts, base, service, base.port, hostname), meaning };
  }
  if (meaning.kind === 'address') return { ...locateAddress(facts, base, meaning.addresses), meaning };
  if (meaning.kind === 'alias') {
    if (isAddress(meaning.target))
      return { ...locateAddress(facts, base, [meaning.target]), meaning, service: meaning.service };
    const behind = meaningOf(meaning.target, facts);
    const found = behind.kind === 'alias' ? undefined : locateMeaning(facts, { ...base, host: meaning.target }, behind);
    return found === undefined
      ? { ...base, via: 'outside', meaning, near: nearNames(meaning.target, facts) }
      : { ...found, host: base.host, meaning };
  }
  return undefined;
}

/** A name that resolves to nothing for this client: what follows is said about the Service that seems to be meant. */
function locateMeant(facts: Facts, base: Base, meaning: Meaning): Located {
  const meant = meantService(base.host, facts);
  if (meant !== undefined) {
    const found = throughService(facts, base, meant.service, base.port, meant.hostname);
    return { ...found, meaning, isAssumed: true };
  }
  if (meaning.kind === 'outside') return { ...base, via: 'outside', meaning };
  const near = nearNames(base.host, facts);
  const first = near[0];
  if (first === undefined) return { ...base, via: 'nothing', meaning };
  return { ...throughService(facts, base, first.service, base.port), meaning, near, isAssumed: true };
}

export function isHeadless(service: Service): boolean {
  return service.spec?.type !== 'ExternalName' && (service.spec?.clusterIP ?? 'None') === 'None';
}

function throughService(
  facts: Facts,
  base: Base,
  service: Service,
  dialled: number | undefined,
  hostname?: string,
): Located {
  const headless = isHeadless(service);
  const ports = service.spec?.ports ?? [];
  const proto = base.transport.toUpperCase();
  const servicePort = ports.find((p) => p.port === dialled && (p.protocol ?? 'TCP') === proto);
  const backends = backendsOf(facts, service, servicePort, headless ? dialled : undefined).filter(
    (b) => hostname === undefined || isNamed(b, hostname, facts, service),
  );
  const clusterIPs = (service.spec?.clusterIPs ?? [service.spec?.clusterIP ?? '']).filter(isAddress);
  return {
    ...base,
    via: headless ? 'headless' : 'cluster-ip',
    service,
    servicePort,
    backends,
    addresses: headless
      ? backends.flatMap((b) => (b.endpoint === 'ready' && b.ip !== undefined ? [b.ip] : []))
      : clusterIPs,
  };
}

function isNamed(backend: Backend, hostname: string, facts: Facts, service: Service): boolean {
  if (backend.pod !== undefined && (nameOf(backend.pod) === hostname || backend.pod.spec?.hostname === hostname))
    return true;
  if (backend.ip?.replaceAll(/[.:]/g, '-') === hostname) return true;
  return slicesOf(facts, service).some((s) =>
    s.endpoints?.some((e) => e.hostname === hostname && e.addresses.includes(backend.ip ?? '')),
  );
}

/** The backends that get connections, of one node or all: ready ones, else those that still serve while they terminate. */
export function takers(located: Located, node?: string): readonly Backend[] {
  const here = located.backends.filter((b) => b.port !== undefined && (node === undefined || b.node === node));
  const ready = here.filter((b) => b.endpoint === 'ready');
  // A headless Service's name gives the ready ones only.
  return ready.length > 0 || located.via === 'headless' ? ready : here.filter((b) => b.endpoint === 'serving');
}

/** The node whose endpoints alone are taken, when a policy Local says so and it is known. */
export function localNode(facts: Facts, located: Located): string | undefined {
  const { source } = facts;
  const spec = located.service?.spec;
  if (located.via === 'cluster-ip' && spec?.internalTrafficPolicy === 'Local')
    return source.at === 'pod' ? source.pod?.spec?.nodeName : source.at === 'node' ? source.wanted : undefined;
  const external = located.via === 'node-port' && source.at === 'laptop' && spec?.externalTrafficPolicy === 'Local';
  return external ? located.node : undefined;
}

/** The pods that a Service selects, and the endpoints that others wrote for it. */
export function backendsOf(
  facts: Facts,
  service: Service,
  port: ServicePort | undefined,
  fixedPort?: number,
): readonly Backend[] {
  const out = new Map<string, Backend>();
  const states = new Map<string, Backend['endpoint']>();
  for (const slice of slicesOf(facts, service)) {
    for (const endpoint of slice.endpoints ?? []) {
      const ready = endpoint.conditions?.ready ?? true;
      const serving = endpoint.conditions?.serving ?? ready;
      const state = ready ? 'ready' : serving && endpoint.conditions?.terminating === true ? 'serving' : 'not ready';
      for (const ip of endpoint.addresses) {
        states.set(ip, state);
        const slicePort = slice.ports?.find((p) => (p.name ?? '') === (port?.name ?? ''))?.port;
        const pod = podAt(facts, ip);
        out.set(ip, {
          pod,
          ip,
          port: fixedPort ?? slicePort,
          node: endpoint.nodeName ?? pod?.spec?.nodeName,
          endpoint: state,
        });
      }
    }
  }
  for (const pod of selectedPods(service, facts.objects.pods)) {
    const [ip] = ipsOf(pod);
    const target = fixedPort ?? (port === undefined ? undefined : targetPortIn(pod, port));
    const known = ip === undefined ? undefined : out.get(ip);
    out.set(ip ?? nameOf(pod), {
      pod,
      ip,
      port: target ?? known?.port,
      node: pod.spec?.nodeName,
      endpoint: (ip === undefined ? undefined : states.get(ip)) ?? 'absent',
    });
  }
  return [...out.values()];
}

/** Who has this pod address now. Pods on the host's network share their node's, and are not meant by it. */
export function podAt(facts: Facts, ip: string): Pod | undefined {
  const claims = facts.objects.pods.filter((p) => ipsOf(p).includes(ip) && p.spec?.hostNetwork !== true && !isEnded(p));
  return claims.find((p) => !isTerminating(p)) ?? claims[0];
}

function locateAddress(facts: Facts, base: Base, addresses: readonly string[]): Located {
  const dialled = base.port!;
  const proto = base.transport.toUpperCase();
  for (const text of addresses) {
    const ip = canonical(text);
    const holds = (list: readonly (string | undefined)[] | undefined) => list?.includes(ip) ?? false;
    const service = facts.objects.services.find((s) => holds(s.spec?.clusterIPs ?? [s.spec?.clusterIP]));
    if (service !== undefined) return { ...throughService(facts, base, service, dialled), addresses: [ip] };
    const pod = podAt(facts, ip);
    if (pod !== undefined) return { ...toPod(facts, base, pod), addresses: [ip] };
    const onPort = (s: Service) =>
      s.spec?.ports?.some((p) => p.port === dialled && (p.protocol ?? 'TCP') === proto) === true;
    const balanced = facts.objects.services.filter((s) => holds(s.status?.loadBalancer?.ingress?.map((i) => i.ip)));
    const balancer = balanced.find(onPort) ?? balanced[0];
    const byIngress = facts.objects.ingresses.find((i) => holds(i.status?.loadBalancer?.ingress?.map((x) => x.ip)));
    if (byIngress !== undefined && (balancer === undefined || balanced.length === 0))
      return { ...base, via: 'ingress', ingress: byIngress, addresses: [ip] };
    if (balancer !== undefined)
      return {
        ...throughService(facts, base, balancer, dialled),
        via: 'load-balancer',
        addresses: [ip],
        ingress: byIngress,
      };
    const external = facts.objects.services.find((s) => holds(s.spec?.externalIPs));
    if (external !== undefined)
      return { ...throughService(facts, base, external, dialled), via: 'external-ip', addresses: [ip] };
    const node = facts.objects.nodes.find((n) => holds(n.status?.addresses?.map((a) => a.address)));
    if (node !== undefined) return { ...throughNode(facts, base, nameOf(node)), addresses: [ip] };
  }
  const ip = canonical(addresses[0] ?? '');
  return { ...base, via: isPodRange(facts, ip) || isServiceRange(facts, ip) ? 'nothing' : 'outside', addresses: [ip] };
}

function throughNode(facts: Facts, base: Base, node: string): Located {
  const proto = base.transport.toUpperCase();
  for (const service of facts.objects.services) {
    const port = service.spec?.ports?.find((p) => p.nodePort === base.port && (p.protocol ?? 'TCP') === proto);
    if (port === undefined) continue;
    return { ...throughService(facts, base, service, port.port), port: base.port, via: 'node-port', node };
  }
  const onHost = facts.objects.pods.find(
    (p) =>
      p.spec?.nodeName === node &&
      !isEnded(p) &&
      ((p.spec.hostNetwork === true && containerPorts(p).some((c) => c.port === base.port)) ||
        p.spec.containers.some((c) => c.ports?.some((x) => x.hostPort === base.port))),
  );
  // A hostPort leads to the container's own port.
  const mapped = onHost?.spec?.containers.flatMap((c) => c.ports ?? []).find((p) => p.hostPort === base.port);
  const backends =
    onHost === undefined ? [] : toPod(facts, { ...base, port: mapped?.containerPort ?? base.port }, onHost).backends;
  return { ...base, via: 'node', node, backends };
}

function toPod(facts: Facts, base: Base, pod: Pod): Located {
  const service = facts.objects.services.find((s) => selectedPods(s, facts.objects.pods).includes(pod));
  const [ip] = ipsOf(pod);
  const backend: Backend = {
    pod,
    ip,
    port: base.port,
    node: pod.spec?.nodeName,
    endpoint: isReady(pod) ? 'ready' : 'not ready',
  };
  return { ...base, via: 'pod-ip', service, backends: [backend] };
}

/** By which clients of the protocol find servers when nothing is said. */
export const USUAL_PORTS: Readonly<Partial<Record<ProbeProtocol, number>>> = {
  postgres: 5432,
  mysql: 3306,
  redis: 6379,
  amqp: 5672,
  mongodb: 27_017,
};

function locateLocalhost(facts: Facts, base: Base): Located {
  if (facts.source.at === 'pod') {
    const { pod } = facts.source;
    const found = pod === undefined ? [] : toPod(facts, base, pod).backends;
    return { ...base, via: 'localhost', addresses: ['127.0.0.1'], backends: found };
  }
  if (facts.source.at === 'node') return { ...base, via: 'localhost', addresses: ['127.0.0.1'] };
  const forward = facts.source.forwards.find((f) => f.localPort === base.port);
  const located = { ...base, via: 'forward' as const, addresses: ['127.0.0.1'], forward };
  const [kind, name] = forward?.target.split('/') ?? [];
  const namespace = forward?.namespace ?? facts.namespace;
  if (forward === undefined) {
    // Nothing says what is meant: the Service of the namespace that has this port, else the protocol's usual one.
    const withPort = (port: number | undefined) =>
      facts.objects.services.find(
        (s) => namespaceOf(s) === facts.namespace && s.spec?.ports?.some((p) => p.port === port) === true,
      );
    const usual = USUAL_PORTS[base.protocol];
    const service = withPort(base.port) ?? withPort(usual);
    if (service === undefined) return located;
    const remote = withPort(base.port) === undefined ? usual : base.port;
    return {
      ...throughService(facts, base, service, remote),
      port: base.port,
      via: 'forward',
      addresses: ['127.0.0.1'],
      isAssumed: true,
    };
  }
  const remote = Number(forward.remotePort);
  if (kind === 'svc' || kind === 'service' || kind === 'services') {
    const service = facts.objects.services.find((s) => nameOf(s) === name && namespaceOf(s) === namespace);
    if (service === undefined)
      return { ...located, absent: { apiVersion: 'v1', kind: 'Service', namespace, name: name! } };
    const found = throughService(facts, base, service, remote);
    return { ...found, via: 'forward', addresses: ['127.0.0.1'], forward };
  }
  const pod = facts.objects.pods.find((p) => nameOf(p) === (name ?? kind) && namespaceOf(p) === namespace);
  if (pod === undefined && (kind === 'pod' || kind === 'pods' || name === undefined))
    return { ...located, absent: { apiVersion: 'v1', kind: 'Pod', namespace, name: name ?? kind! } };
  if (pod === undefined) return located;
  return {
    ...toPod(facts, { ...base, port: remote }, pod),
    port: base.port,
    via: 'forward',
    addresses: ['127.0.0.1'],
    forward,
  };
}

function locateObject(facts: Facts): Located {
  const target = facts.target;
  if (target.kind === 'address') throw new Error('an address is no object');
  const namespace = target.namespace ?? facts.namespace;
  const base = { ...nothingLocated, protocol: 'tcp', transport: 'tcp', host: target.name, port: undefined } as const;
  const at = <T extends { readonly metadata: { readonly name?: string; readonly namespace?: string } }>(
    list: readonly T[],
  ) => list.find((o) => o.metadata.name === target.name && o.metadata.namespace === namespace);
  if (target.kind === 'pod') {
    const pod = at(facts.objects.pods);
    if (pod === undefined)
      return { ...base, via: 'nothing', absent: { apiVersion: 'v1', kind: 'Pod', namespace, name: target.name } };
    const ports = containerPorts(pod);
    const port =
      target.port === undefined
        ? ports[0]?.port
        : (ports.find((p) => p.name === target.port)?.port ?? Number(target.port));
    const [ip] = ipsOf(pod);
    const dialled = port === undefined || Number.isNaN(port) ? undefined : port;
    return {
      ...toPod(facts, { ...base, host: ip ?? '', port: dialled }, pod),
      addresses: ip === undefined ? [] : [ip],
    };
  }
  if (target.kind === 'service') {
    const service = at(facts.objects.services);
    const host = `${target.name}.${namespace}.svc.${facts.domain}`;
    const isHidden = facts.denied.some((d) => d.kind === 'services');
    // What may not be read may still be connected to.
    if (service === undefined && isHidden && facts.source.at === 'pod' && /^\d+$/.test(target.port ?? ''))
      return { ...base, host, port: Number(target.port), via: 'outside' };
    if (service === undefined) {
      const near = nearNames(`${target.name}.${namespace}`, facts);
      return {
        ...base,
        host,
        via: 'nothing',
        near,
        absent: { apiVersion: 'v1', kind: 'Service', namespace, name: target.name },
      };
    }
    return throughNamedService(facts, service, host, target.port);
  }
  const ingress = at(facts.objects.ingresses);
  if (ingress === undefined)
    return {
      ...base,
      via: 'nothing',
      absent: { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', namespace, name: target.name },
    };
  const rule = ingress.spec?.rules?.[0];
  const tls = ingress.spec?.tls?.some((t) => t.hosts?.includes(rule?.host ?? '') ?? true) === true;
  const address = ingress.status?.loadBalancer?.ingress?.[0]?.ip;
  return {
    ...base,
    protocol: 'http',
    host: rule?.host ?? address ?? '',
    port: tls ? 443 : 80,
    via: 'ingress',
    ingress,
    addresses: address === undefined ? [] : [address],
  };
}

/** A Service by its own name: from outside by the address that outside has, from inside by its name. */
function throughNamedService(facts: Facts, service: Service, host: string, wanted: string | undefined): Located {
  const ports = service.spec?.ports ?? [];
  const port = wanted === undefined ? ports[0] : ports.find((p) => p.name === wanted || p.port === Number(wanted));
  const dialled = port?.port ?? (wanted === undefined ? undefined : Number(wanted));
  const udp = port?.protocol === 'UDP';
  const base: Base = {
    ...nothingLocated,
    protocol: udp ? 'udp' : 'tcp',
    transport: udp ? 'udp' : 'tcp',
    host,
    port: dialled,
  };
  if (service.spec?.type === 'ExternalName') {
    const meaning = meaningOf(host, facts);
    return locateMeaning(facts, base, meaning) ?? { ...base, via: 'outside', meaning, service };
  }
  if (facts.source.at === 'pod')
    return { ...throughService(facts, base, service, dialled), meaning: meaningOf(host, facts) };
  const found = throughService(facts, base, service, dialled);
  if (service.spec?.type === 'LoadBalancer') {
    const ip = service.status?.loadBalancer?.ingress?.[0]?.ip;
    return { ...found, host: ip ?? '', via: 'load-balancer', addresses: ip === undefined ? [] : [ip] };
  }
  const node = facts.objects.nodes[0]?.status?.addresses?.find((a) => a.type === 'InternalIP')?.address;
  if (service.spec?.type === 'NodePort' && port?.nodePort !== undefined && node !== undefined)
    return {
      ...found,
      host: node,
      port: port.nodePort,
      via: 'node-port',
      addresses: [node],
      node: nameOf(facts.objects.nodes[0]!),
    };
  return { ...found, host: found.addresses[0] ?? host };
}

function ingressOf(facts: Facts, host: string, protocol: ProbeProtocol): Ingress | undefined {
  if (protocol === 'udp') return undefined;
  const fits = (rule: string | undefined) =>
    rule !== undefined &&
    (rule === host ||
      (rule.startsWith('*.') && host.endsWith(rule.slice(1)) && !host.slice(0, -rule.length + 1).includes('.')));
  return facts.objects.ingresses.find((i) => i.spec?.rules?.some((r) => fits(r.host)));
}

const withIngress = (located: Located, ingress: Ingress | undefined): Located =>
  ingress === undefined || located.via === 'cluster-ip' || located.via === 'headless' || located.via === 'pod-ip'
    ? located
    : { ...located, via: 'ingress', ingress };

const canonical = (text: string): string => {
  const ip = parseIP(text);
  return ip === undefined ? text : formatIP(ip);
};

export function isPodRange(facts: Facts, address: string): boolean {
  return inRanges(
    address,
    facts.objects.nodes.flatMap((n) => n.spec?.podCIDRs ?? (n.spec?.podCIDR === undefined ? [] : [n.spec.podCIDR])),
  );
}

/** Without ServiceCIDR objects: the /16 of the API server's own Service. */
export function isServiceRange(facts: Facts, address: string): boolean {
  const said = facts.objects.serviceCIDRs.flatMap((c) => c.spec?.cidrs ?? []);
  const api = facts.objects.services.find((s) => nameOf(s) === 'kubernetes' && namespaceOf(s) === 'default')?.spec
    ?.clusterIP;
  return inRanges(
    address,
    said.length > 0 ? said : api === undefined ? [] : [`${api}/${api.includes(':') ? 112 : 16}`],
  );
}

export function inRanges(address: string, ranges: readonly string[]): boolean {
  const ip = parseIP(address);
  if (ip === undefined) return false;
  return ranges.some((r) => {
    const cidr = parseCIDR(r);
    return cidr !== undefined && cidrContains(cidr, ip);
  });
}
