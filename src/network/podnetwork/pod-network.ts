// The pod network of one node: the CNI configuration once the node has its range, the kernel settings routing needs,
// and a route to every other node's pods.
import type { Node } from '#generated/api/core-v1.ts';
import { backoffMs } from '#base/backoff.ts';
import type { Clock, Timer } from '#base/clock.ts';
import type { Log } from '#base/log.ts';
import type { Informer } from '#client/client.ts';
import { ensureFolder, readTextIfExists, writeFileAtomic } from '#host/files.ts';
import { mustRun, type Run } from '#host/process.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { cniConflist, parseRoutes, podCIDROf, ROUTE_PROTOCOL, routeChanges, routesFor } from './routes.ts';

export interface PodNetworkDeps {
  readonly nodes: Informer<Node>;
  readonly run: Run;
  readonly clock: Clock;
  readonly log: Log;
  readonly nodeName: string;
  /** Undefined: the configuration is somebody else's, and so are addresses and routes. */
  readonly cni: { readonly confDir: string; readonly dataDir: string; readonly mtu: number } | undefined;
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

const CONFLIST = '10-coracle.conflist';
const RETRY = { baseMs: 200, maxMs: 10_000 } as const;

export class PodNetwork {
  readonly name = 'pod-network';
  readonly #deps: PodNetworkDeps;
  #unsubscribe: (() => void) | undefined;
  #timer: Timer | undefined;
  #running = false;
  #again = false;
  #stopped = false;
  #failures = 0;
  /** Resolves `#wired`; calling it again does nothing. */
  #markWired: () => void = () => {};
  readonly #wired = new Promise<void>((resolve) => {
    this.#markWired = resolve;
  });

  constructor(deps: PodNetworkDeps) {
    this.#deps = deps;
  }

  async start(signal: AbortSignal): Promise<void> {
    const { run, nodes } = this.#deps;
    const script = SETTINGS.map(
      ([key, value]) => `for f in /proc/sys/${key}; do echo ${value} > $f || exit 1; done`,
    ).join('\n');
    await mustRun(run, 'sh', ['-c', script]);
    await unlessAborted(nodes.whenSynced(), signal);
    this.#unsubscribe = nodes.subscribe(() => this.#schedule(0));
    this.#schedule(0);
  }

  /** Routes and configuration stay: pods go on while the agent is away. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unsubscribe?.();
    this.#timer?.cancel();
  }

  /** Resolves when the configuration is written and the routes known by then stand. */
  ready(signal: AbortSignal): Promise<void> {
    return unlessAborted(this.#wired, signal);
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
      this.#deps.log.error('pod network not complete', { error });
    }
    this.#running = false;
    if (this.#failures > 0) this.#schedule(backoffMs(this.#failures, RETRY));
    else if (this.#again) this.#schedule(0);
    this.#again = false;
  }

  /** True when pods can be wired. */
  async #bringUp(): Promise<boolean> {
    const { nodes, run, nodeName, cni } = this.#deps;
    if (cni === undefined) return true;
    const all = nodes.list();
    const podCIDR = podCIDROf(nodes.get(nodeName));
    if (podCIDR === undefined) return false;
    const present = parseRoutes(
      await mustRun(run, 'ip', ['-j', '-4', 'route', 'show', 'proto', String(ROUTE_PROTOCOL)]),
    );
    const lines = routeChanges(routesFor(nodeName, all), present);
    // -force: one node with a wrong address must not keep the others from being reached.
    if (lines.length > 0) await mustRun(run, 'ip', ['-force', '-batch', '-'], { input: `${lines.join('\n')}\n` });
    ensureFolder(cni.confDir);
    const text = cniConflist({ podCIDR, mtu: cni.mtu, dataDir: cni.dataDir });
    const path = `${cni.confDir}/${CONFLIST}`;
    if (readTextIfExists(path) !== text) writeFileAtomic(path, text);
    return true;
  }
}
