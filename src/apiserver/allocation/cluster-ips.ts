// Cluster addresses. Each one taken is an IPAddress object; creating it is what takes it, so that two servers on one store never
// give the same address twice.
import { cidrContains, cidrSize, formatCIDR, formatIP, ipAt, parseCIDR, parseIP, type CIDR } from '#base/ip.ts';
import { uuid, type Random } from '#base/random.ts';
import type { IPAddress } from '#generated/api/networking-v1.ts';
import type { KubeObject } from '#machinery/object.ts';
import type { Store } from '#store/store.ts';
import type { Codec } from '../codec.ts';
import { storeKey, type Served } from '../served.ts';

const FAMILY_LABEL = 'ipaddress.kubernetes.io/ip-family';
const MANAGED_BY_LABEL = 'ipaddress.kubernetes.io/managed-by';
const MANAGER = 'ipallocator.k8s.io';

export interface Owner {
  readonly namespace: string;
  readonly name: string;
}

export type AddressOutcome = { readonly ok: true; readonly ip: string } | { readonly ok: false; readonly why: string };

export interface ClusterIPsDeps {
  readonly store: Store;
  readonly random: Random;
  readonly codec: Codec;
  readonly addresses: Served;
  readonly now: () => string;
}

export class ClusterIPs {
  readonly cidr: CIDR;
  readonly #deps: ClusterIPsDeps;

  constructor(cidr: string, deps: ClusterIPsDeps) {
    const parsed = parseCIDR(cidr);
    if (parsed === undefined) throw new Error(`the service range ${JSON.stringify(cidr)} is not a range of addresses`);
    this.cidr = parsed;
    this.#deps = deps;
  }

  /** The address of the `kubernetes` Service: the first of the range. */
  get first(): string {
    return formatIP(ipAt(this.cidr, 1));
  }

  isTaken(ip: string): boolean {
    return this.#deps.addresses.cache?.peek(undefined, ip) !== undefined;
  }

  async take(text: string, owner: Owner, dryRun: boolean): Promise<AddressOutcome> {
    const ip = parseIP(text);
    if (ip !== undefined && !cidrContains(this.cidr, ip))
      return { ok: false, why: 'the provided network does not match the current range' };
    if (ip === undefined || !this.#usable(ip)) {
      return {
        ok: false,
        why: `the provided IP (${text}) is not in the valid range. The range of valid IPs is ${formatCIDR(this.cidr)}`,
      };
    }
    const taken = { ok: false, why: 'provided IP is already allocated' } as const;
    const canonical = formatIP(ip);
    if (dryRun) return this.isTaken(canonical) ? taken : { ok: true, ip: canonical };
    return (await this.#create(canonical, owner)) ? { ok: true, ip: canonical } : taken;
  }

  /** Undefined when the range is full. The upper band first: the lower one is for addresses that people pick by hand. */
  async takeAny(owner: Owner, dryRun: boolean): Promise<string | undefined> {
    const size = Number(cidrSize(this.cidr) > 2n ** 31n ? 2n ** 31n : cidrSize(this.cidr));
    const band = staticBand(size);
    const last = this.cidr.family === 4 ? size - 2 : size - 1;
    return (
      (await this.#search(Math.max(1, band), last, owner, dryRun)) ?? (await this.#search(1, band - 1, owner, dryRun))
    );
  }

  async release(ip: string, owner: Owner): Promise<void> {
    const { store, addresses } = this.#deps;
    const key = storeKey(addresses, '', ip);
    for (;;) {
      const entry = await store.get(key);
      if (entry === undefined) return;
      const { parentRef } = (JSON.parse(Buffer.from(entry.value).toString('utf8')) as IPAddress).spec ?? {};
      if (parentRef?.name !== owner.name || (parentRef.namespace ?? '') !== owner.namespace) return;
      if ((await store.commit({ key, expected: entry.modRevision, value: undefined })).ok) return;
    }
  }

  /** At start: addresses of services of this family that lost their object get it back, objects without a service go. */
  async repair(used: ReadonlyMap<string, Owner>): Promise<void> {
    const { addresses } = this.#deps;
    const { entries } = await addresses.cache!.list({ resourceVersion: '0' });
    const present = new Map(entries.map((e) => [e.name, e.object as IPAddress & KubeObject]));
    for (const [ip, owner] of used) if (!present.has(ip)) await this.#create(ip, owner);
    for (const [ip, object] of present) {
      if (parseIP(ip)?.family !== this.cidr.family) continue;
      const parent = object.spec?.parentRef;
      if (object.metadata.labels?.[MANAGED_BY_LABEL] !== MANAGER || parent?.resource !== 'services') continue;
      const owner = used.get(ip);
      if (owner?.name === parent.name && owner.namespace === parent.namespace) continue;
      await this.release(ip, { namespace: parent.namespace ?? '', name: parent.name });
      if (owner !== undefined) await this.#create(ip, owner);
    }
  }

  #usable(ip: NonNullable<ReturnType<typeof parseIP>>): boolean {
    if (!cidrContains(this.cidr, ip) || ip.value === this.cidr.base) return false;
    return this.cidr.family === 6 || ip.value !== this.cidr.base + cidrSize(this.cidr) - 1n;
  }

  async #search(from: number, to: number, owner: Owner, dryRun: boolean): Promise<string | undefined> {
    const count = to - from + 1;
    if (count <= 0) return undefined;
    const start = Math.floor(this.#deps.random.next() * count);
    for (let i = 0; i < count; i++) {
      const ip = formatIP(ipAt(this.cidr, from + ((start + i) % count)));
      if (this.isTaken(ip)) continue;
      if (dryRun || (await this.#create(ip, owner))) return ip;
    }
    return undefined;
  }

  /** False when somebody has it. */
  async #create(ip: string, owner: Owner): Promise<boolean> {
    const { store, codec, addresses, random, now } = this.#deps;
    const object: IPAddress & KubeObject = {
      metadata: {
        name: ip,
        uid: uuid(random),
        creationTimestamp: now(),
        labels: { [FAMILY_LABEL]: this.cidr.family === 4 ? 'IPv4' : 'IPv6', [MANAGED_BY_LABEL]: MANAGER },
      },
      spec: { parentRef: { resource: 'services', namespace: owner.namespace, name: owner.name } },
    };
    const value = codec.encode(addresses, object);
    return (await store.commit({ key: storeKey(addresses, '', ip), expected: 0, value })).ok;
  }
}

/** Upstream: min(max(16, size/16), 256), nothing for tiny ranges. */
export function staticBand(size: number): number {
  return size <= 16 ? 0 : Math.min(256, Math.max(16, Math.floor(size / 16)));
}
