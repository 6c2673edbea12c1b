// The pod network of one node: the CNI configuration once the node has its range, the kernel settings routing needs, and
// the way to every other node's pods, by routes or through a tunnel. What should be there follows from the Node objects;
// the kernel is read at start, after a failure and once in a while, not at a change.
import type { Node } from '#generated/api/core-v1.ts';
import { backoffMs } from '#base/backoff.ts';
import type { Clock, Timer } from '#base/clock.ts';
import { parseIP } from '#base/ip.ts';
import type { Log } from '#base/log.ts';
import type { Informer } from '#client/client.ts';
import { ensureFolder, readTextIfExists, writeFileAtomic } from '#host/files.ts';
import {
  podCIDRsOf,
  podMTU,
  type PodNetworkMode,
  TUNNEL_DEVICE,
  type Wiring,
  wiringChanges,
  wiringFor,
} from '#netmodel/pod-network.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { cniConflist, CONFLIST } from './cni.ts';
import type { PresentWiring, WiringKernel } from './kernel.ts';

export interface PodNetworkDeps {
  readonly nodes: Informer<Node>;
  readonly kernel: WiringKernel;
  readonly clock: Clock;
  readonly log: Log;
  readonly nodeName: string;
  /** The primary one first. */
  readonly nodeIPs: readonly string[];
  readonly mode: PodNetworkMode;
  /** Undefined: the configuration is somebody else's, and so are addresses and routes. */
  readonly cni: { readonly confDir: string; readonly dataDir: string } | undefined;
}

/**
 * Loopback clients may be translated (host ports on 127.0.0.1); pods cannot send under addresses not theirs. No redirects:
 * a pod has one way out, and they would use up the rate at which refused clients are told so. `*` is every device.
 */
const SETTINGS: readonly (readonly [string, string])[] = [
  ['net/ipv4/ip_forward', '1'],
  ['net/ipv4/conf/default/rp_filter', '1'],
  ['net/ipv4/conf/all/rp_filter', '0'],
  ['net/ipv4/conf/all/route_localnet', '1'],
  ['net/ipv4/conf/*/send_redirects', '0'],
];
/** No waiting for somebody who might have a pod's or its gateway's address as well: the ranges are this cluster's. */
const IPV6_SETTINGS: readonly (readonly [string, string])[] = [
  ['net/ipv6/conf/all/forwarding', '1'],
  ['net/ipv6/conf/default/accept_dad', '0'],
];
/** What another node itself sends to our pods comes through the tunnel; what they answer goes straight to that node. */
const TUNNEL_SETTINGS: readonly (readonly [string, string])[] = [[`net/ipv4/conf/${TUNNEL_DEVICE}/rp_filter`, '0']];

const RETRY = { baseMs: 200, maxMs: 10_000 } as const;
/** How long a change that somebody else made to our links and routes may stay. */
const RESYNC_MS = 300_000;

export class PodNetwork {
  readonly name = 'pod-network';
  readonly #deps: PodNetworkDeps;
  #unsubscribe: (() => void) | undefined;
  #timer: Timer | undefined;
  #resync: Timer | undefined;
  #running = false;
  #again = false;
  #stopped = false;
  #failures = 0;
  /** What the kernel was found to hold, and told since; undefined: to be read. */
  #present: PresentWiring | undefined;
  /** Resolves `#wired`; calling it again does nothing. */
  #markWired: () => void = () => {};
  readonly #wired = new Promise<void>((resolve) => {
    this.#markWired = resolve;
  });

  constructor(deps: PodNetworkDeps) {
    this.#deps = deps;
  }

  async start(signal: AbortSignal): Promise<void> {
    const { kernel, nodes, nodeIPs } = this.#deps;
    const hasIPv6 = nodeIPs.some((ip) => parseIP(ip)?.family === 6);
    await kernel.settings(hasIPv6 ? [...SETTINGS, ...IPV6_SETTINGS] : SETTINGS);
    await unlessAborted(nodes.whenSynced(), signal);
    this.#unsubscribe = nodes.subscribe(() => this.#schedule(0));
    this.#schedule(0);
    this.#resyncLater();
  }

  /** Routes and configuration stay: pods go on while the agent is away. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unsubscribe?.();
    this.#timer?.cancel();
    this.#resync?.cancel();
  }

  /** Resolves when the configuration is written and the routes known by then stand. */
  ready(signal: AbortSignal): Promise<void> {
    return unlessAborted(this.#wired, signal);
  }

  #resyncLater(): void {
    this.#resync = this.#deps.clock.setTimer(RESYNC_MS, () => {
      this.#present = undefined;
      this.#schedule(0);
      this.#resyncLater();
    });
  }

  #schedule(delayMs: number): void {
    if (this.#stopped) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    if (this.#timer !== undefined) return;
    this.#timer = this.#deps.clock.setTimer(delayMs, () => {
      this.#timer = undefined;
      void this.#reconcile();
    });
  }

  async #reconcile(): Promise<void> {
    this.#running = true;
    try {
      const complete = await this.#bringUp();
      this.#failures = 0;
      if (complete) this.#markWired();
    } catch (error) {
      this.#failures++;
      this.#present = undefined;
      this.#deps.log.error('pod network not complete', { error });
    }
    this.#running = false;
    if (this.#failures > 0) this.#schedule(backoffMs(this.#failures, RETRY));
    else if (this.#again) this.#schedule(0);
    this.#again = false;
  }

  /** True when pods can be wired. */
  async #bringUp(): Promise<boolean> {
    const { nodes, kernel, nodeName, nodeIPs, mode, cni } = this.#deps;
    if (cni === undefined) return true;
    const self = nodes.get(nodeName);
    const podCIDRs = self === undefined ? [] : podCIDRsOf(self);
    if (podCIDRs.length === 0) return false;
    const present = (this.#present ??= await kernel.read());
    if (present.underlay === undefined) throw new Error(`no link has the node's address ${nodeIPs[0]}`);
    const wanted = wiringFor({ mode, nodeName, nodeIPs, underlay: present.underlay }, nodes.list());
    this.#present = { underlay: present.underlay, wiring: await this.#tell(wanted, present.wiring) };
    ensureFolder(cni.confDir);
    const text = cniConflist({ podCIDRs, mtu: podMTU(mode, present.underlay), dataDir: cni.dataDir });
    const path = `${cni.confDir}/${CONFLIST}`;
    if (readTextIfExists(path) !== text) writeFileAtomic(path, text);
    return true;
  }

  /** Brings the kernel from present to wanted; does nothing when they are equal. */
  async #tell(wanted: Wiring, present: Wiring): Promise<Wiring> {
    const { kernel } = this.#deps;
    let changes = wiringChanges(wanted, present);
    if (changes.link.length > 0) {
      await kernel.ip(changes.link);
      // What hung on a link that was remade or down is gone.
      changes = wiringChanges(wanted, (await kernel.read()).wiring);
      if (wanted.link !== undefined) await kernel.settings(TUNNEL_SETTINGS);
    }
    await kernel.bridge(changes.bridge);
    await kernel.ip(changes.ip);
    return wanted;
  }
}
