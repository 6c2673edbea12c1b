// Gives Services of type LoadBalancer an address of the node network and takes it back, as a cloud's controller does. Which node
// answers for the address the nodes settle among themselves (src/network/loadbalancer/). Upstream: k8s.io/cloud-provider
// controllers/service, whose events and finalizer these are.
import type { LoadBalancerIngress, Service } from '#generated/api/core-v1.ts';
import { services } from '#generated/resources.ts';
import { formatIP, type IPRange, parseIP, parseIPRange, rangeContains } from '#base/ip.ts';
import type { Informer } from '#client/client.ts';
import { keyOf, type ObjectKey } from '#machinery/object.ts';
import { isStatus } from '#machinery/status.ts';
import { isOwnLoadBalancer } from '#netmodel/load-balancers.ts';
import { type ControllerDefinition, type ControllerDeps, done, type Outcome, watch } from './runtime/controller.ts';
import { sameValue } from './runtime/equality.ts';
import { withFinalizer, withoutFinalizer } from './runtime/finalizers.ts';

export const LOAD_BALANCER_FINALIZER = 'service.kubernetes.io/load-balancer-cleanup';

/** Upstream's minRetryDelay and maxRetryDelay. */
const BACKOFF = { baseMs: 5_000, maxMs: 300_000 };

export const serviceLoadBalancerController: ControllerDefinition = {
  name: 'service-lb-controller',
  identity: 'service-controller',
  build: (deps) => {
    const own = deps.informers.informer(services);
    const reconciler = new LoadBalancerReconciler({ ...deps, services: own });
    return {
      watches: [watch(own, ({ key, old, object }) => reconciler.changed(key, old, object))],
      reconcile: (key) => reconciler.reconcile(key),
      // One at a time: two services would get the same address.
      workers: 1,
      backoff: BACKOFF,
    };
  },
};

const hasFinalizer = (service: Service): boolean =>
  service.metadata.finalizers?.includes(LOAD_BALANCER_FINALIZER) === true;

export const wantsLoadBalancer = (service: Service): boolean =>
  isOwnLoadBalancer(service) && service.metadata.deletionTimestamp === undefined;

/** Of another class it is that class's controller who set the finalizer. */
const needsCleanup = (service: Service): boolean =>
  hasFinalizer(service) && (service.spec?.type !== 'LoadBalancer' || isOwnLoadBalancer(service));

const addressesOf = (service: Service | undefined): readonly string[] =>
  (service?.status?.loadBalancer?.ingress ?? []).flatMap((i) => i.ip ?? []);

interface LoadBalancerDeps extends Pick<ControllerDeps, 'client' | 'events' | 'options' | 'enqueue'> {
  readonly services: Informer<Service>;
}

class LoadBalancerReconciler {
  readonly #deps: LoadBalancerDeps;
  readonly #ranges: readonly IPRange[];
  /** Address → the service that got it; the cache may not show it yet. */
  readonly #given = new Map<string, ObjectKey>();
  /** Services that wait for an address. */
  readonly #waiting = new Set<ObjectKey>();
  /** Services whose load balancer was asked to be another one since it was last ensured. */
  readonly #altered = new Set<ObjectKey>();

  constructor(deps: LoadBalancerDeps) {
    this.#deps = deps;
    this.#ranges = (deps.options.loadBalancerRanges ?? []).map((text) => {
      const range = parseIPRange(text);
      if (range === undefined) throw new Error(`${text} is no range of addresses for load balancers`);
      return range;
    });
  }

  /** Keys that a change concerns; tells what is asked for now in events, as upstream does. */
  changed(key: ObjectKey, old: Service | undefined, service: Service | undefined): readonly ObjectKey[] {
    if (this.#ranges.length === 0) return [];
    // What becomes free may be what others wait for.
    const freed = addressesOf(old).some((ip) => !addressesOf(service).includes(ip));
    const woken = freed ? [...this.#waiting] : [];
    if (service !== undefined && old !== undefined) {
      for (const { reason, message } of alterations(old, service)) {
        this.#altered.add(key);
        if (message !== '') this.#deps.events.event(service, services, 'Normal', reason, message);
      }
    }
    return [key, ...woken];
  }

  async reconcile(key: ObjectKey): Promise<Outcome> {
    const service = this.#deps.services.get(key);
    if (service === undefined || !wantsLoadBalancer(service)) {
      this.#waiting.delete(key);
      this.#altered.delete(key);
      if (service !== undefined && needsCleanup(service)) await this.#release(service);
      else if (service === undefined) this.#letGo(key);
      return done;
    }
    if (this.#ranges.length > 0) await this.#ensure(key, service);
    return done;
  }

  async #ensure(key: ObjectKey, service: Service): Promise<void> {
    const chosen = this.#choose(key, service);
    if ('why' in chosen) {
      this.#waiting.add(key);
      const why = `failed to ensure load balancer: ${chosen.why}`;
      this.#deps.events.event(
        service,
        services,
        'Warning',
        'SyncLoadBalancerFailed',
        `Error syncing load balancer: ${why}`,
      );
      throw new Error(why);
    }
    this.#waiting.delete(key);
    const ingress = chosen.ips.map((ip): LoadBalancerIngress => ({ ip, ipMode: 'VIP' }));
    const isInPlace = hasFinalizer(service) && sameValue(service.status?.loadBalancer?.ingress, ingress);
    if (isInPlace && !this.#altered.delete(key)) return;
    const say = (reason: string, message: string) =>
      this.#deps.events.event(service, services, 'Normal', reason, message);
    say('EnsuringLoadBalancer', 'Ensuring load balancer');
    if (!isInPlace) {
      for (const [ip, owner] of this.#given) if (owner === key) this.#given.delete(ip);
      for (const ip of chosen.ips) this.#given.set(ip, key);
      await this.#write(withFinalizer(service, LOAD_BALANCER_FINALIZER), { ingress });
    }
    this.#altered.delete(key);
    say('EnsuredLoadBalancer', 'Ensured load balancer');
  }

  async #release(service: Service): Promise<void> {
    const had = addressesOf(service).length > 0;
    const say = (reason: string, message: string) =>
      this.#deps.events.event(service, services, 'Normal', reason, message);
    if (had) say('DeletingLoadBalancer', 'Deleting load balancer');
    await this.#write(withoutFinalizer(service, LOAD_BALANCER_FINALIZER), {});
    this.#letGo(keyOf(service));
    if (had) say('DeletedLoadBalancer', 'Deleted load balancer');
  }

  /** One write of both: an address without finalizer could be given away while it is in use. */
  async #write(service: Service, loadBalancer: { readonly ingress?: readonly LoadBalancerIngress[] }): Promise<void> {
    try {
      await this.#deps.client
        .resource(services)
        .updateStatus({ ...service, status: { ...service.status, loadBalancer } });
    } catch (error) {
      if (!isStatus(error, 'NotFound')) throw error;
    }
  }

  #letGo(key: ObjectKey): void {
    let freed = false;
    for (const [ip, owner] of this.#given) if (owner === key) freed = this.#given.delete(ip);
    if (freed) for (const waiting of this.#waiting) this.#deps.enqueue(waiting);
  }

  #choose(key: ObjectKey, service: Service): { readonly ips: readonly string[] } | { readonly why: string } {
    const taken = this.#taken(key);
    const asked = service.spec?.loadBalancerIP ?? '';
    const families = service.spec?.ipFamilies ?? ['IPv4'];
    const ips: string[] = [];
    for (const family of families) {
      const range = this.#ranges.find((r) => r.family === (family === 'IPv6' ? 6 : 4));
      if (range === undefined) continue;
      const wanted = parseIP(asked)?.family === range.family ? asked : undefined;
      const outcome = chooseAddress(range, taken, addressesOf(service), wanted);
      if ('why' in outcome) return outcome;
      ips.push(outcome.ip);
    }
    return ips.length > 0 ? { ips } : { why: `no addresses for load balancers of family ${families.join(', ')}` };
  }

  /** Addresses of others. Of two that show the same one the older keeps it. */
  #taken(key: ObjectKey): ReadonlySet<string> {
    const taken = new Set<string>();
    for (const [ip, owner] of this.#given) if (owner !== key) taken.add(ip);
    const age = (s: Service) => `${s.metadata.creationTimestamp ?? ''} ${keyOf(s)}`;
    const own = this.#deps.services.get(key)!;
    for (const other of this.#deps.services.list()) {
      if (keyOf(other) === key) continue;
      for (const ip of addressesOf(other)) if (!addressesOf(own).includes(ip) || age(other) < age(own)) taken.add(ip);
    }
    return taken;
  }
}

/** The address asked for when it is free; else the one it has; else the lowest that is free. */
export function chooseAddress(
  range: IPRange,
  taken: ReadonlySet<string>,
  has: readonly string[],
  asked: string | undefined,
): { readonly ip: string } | { readonly why: string } {
  const text = `${formatIP({ family: range.family, value: range.first })}-${formatIP({ family: range.family, value: range.last })}`;
  if (asked !== undefined) {
    const ip = parseIP(asked)!;
    if (!rangeContains(range, ip)) return { why: `the requested address ${asked} is not in the range ${text}` };
    return taken.has(formatIP(ip))
      ? { why: `the requested address ${asked} is used by another service` }
      : { ip: formatIP(ip) };
  }
  const kept = has.find((ip) => rangeContains(range, parseIP(ip)!) && !taken.has(ip));
  if (kept !== undefined) return { ip: kept };
  // At most one more look than there are addresses taken.
  for (let value = range.first; value <= range.last; value++) {
    const ip = formatIP({ family: range.family, value });
    if (!taken.has(ip)) return { ip };
  }
  return { why: `no address is left in the range ${text}` };
}

/** What a load balancer must follow; an empty message is a change that upstream follows without an event. */
export function alterations(
  old: Service,
  service: Service,
): readonly { readonly reason: string; readonly message: string }[] {
  const [before, after] = [old.spec ?? {}, service.spec ?? {}];
  const wanted = [wantsLoadBalancer(old), wantsLoadBalancer(service)];
  if (service.metadata.deletionTimestamp !== undefined || wanted.every((w) => !w)) return [];
  if (wanted[0] !== wanted[1]) return [{ reason: 'Type', message: `${before.type} -> ${after.type}` }];
  const list = (values: readonly string[] | undefined) => `[${(values ?? []).join(' ')}]`;
  const rows: readonly (readonly [string, unknown, unknown, string])[] = [
    [
      'LoadBalancerSourceRanges',
      before.loadBalancerSourceRanges,
      after.loadBalancerSourceRanges,
      `${list(before.loadBalancerSourceRanges)} -> ${list(after.loadBalancerSourceRanges)}`,
    ],
    ['Ports', before.ports, after.ports, ''],
    ['SessionAffinity', before.sessionAffinity, after.sessionAffinity, ''],
    ['SessionAffinity', before.sessionAffinityConfig, after.sessionAffinityConfig, ''],
    [
      'LoadbalancerIP',
      before.loadBalancerIP ?? '',
      after.loadBalancerIP ?? '',
      `${before.loadBalancerIP ?? ''} -> ${after.loadBalancerIP ?? ''}`,
    ],
    [
      'ExternalTrafficPolicy',
      before.externalTrafficPolicy,
      after.externalTrafficPolicy,
      `${before.externalTrafficPolicy} -> ${after.externalTrafficPolicy}`,
    ],
    [
      'HealthCheckNodePort',
      before.healthCheckNodePort ?? 0,
      after.healthCheckNodePort ?? 0,
      `${before.healthCheckNodePort ?? 0} -> ${after.healthCheckNodePort ?? 0}`,
    ],
  ];
  const first = rows.find(([, a, b]) => !sameValue(a, b));
  return first === undefined ? [] : [{ reason: first[0], message: first[3] }];
}
