// The pod network's door to the kernel: what is there, and lines that change it, by iproute2. A fake stands in fake-kernel.ts.
import { parseIP } from '#base/ip.ts';
import { mustRun, type Run } from '#host/process.ts';
import { ROUTE_PROTOCOL, TUNNEL_DEVICE, type Underlay, type Wiring } from '#netmodel/pod-network.ts';
import { parseForwarding, parseLinks, parseNeighbours, parseRoutes } from '#netmodel/pod-network-state.ts';

export interface PresentWiring {
  /** The link with the node's address; undefined while it has none. */
  readonly underlay: Underlay | undefined;
  readonly wiring: Wiring;
}

export interface WiringKernel {
  /** Everything of ours that is there. */
  read(): Promise<PresentWiring>;
  /** Lines of `ip`; one that fails must not keep the others from being done. Throws afterwards. */
  ip(lines: readonly string[]): Promise<void>;
  /** Lines of `bridge`, as above. */
  bridge(lines: readonly string[]): Promise<void>;
  /** Writes these below /proc/sys; `*` is every device. */
  settings(settings: readonly (readonly [key: string, value: string])[]): Promise<void>;
}

export class IprouteKernel implements WiringKernel {
  readonly #run: Run;
  readonly #nodeIPs: readonly string[];

  constructor(run: Run, nodeIPs: readonly string[]) {
    this.#run = run;
    this.#nodeIPs = nodeIPs;
  }

  async read(): Promise<PresentWiring> {
    const ip = (...args: string[]) => mustRun(this.#run, 'ip', ['-j', ...args]);
    const families = this.#nodeIPs.some((a) => parseIP(a)?.family === 6) ? ['-4', '-6'] : ['-4'];
    const [links, ...routes] = await Promise.all([
      ip('-d', 'addr', 'show'),
      ...families.map((family) => ip(family, 'route', 'show', 'proto', String(ROUTE_PROTOCOL))),
    ]);
    const { tunnel, underlay } = parseLinks(links!, this.#nodeIPs[0]!);
    const [neighbours, forwarding] =
      tunnel === undefined
        ? ['', '']
        : await Promise.all([
            ip('neigh', 'show', 'dev', TUNNEL_DEVICE, 'nud', 'permanent'),
            mustRun(this.#run, 'bridge', ['-j', 'fdb', 'show', 'dev', TUNNEL_DEVICE]),
          ]);
    return {
      underlay,
      wiring: {
        link: tunnel,
        routes: routes.flatMap(parseRoutes),
        neighbours: parseNeighbours(neighbours),
        forwarding: parseForwarding(forwarding),
      },
    };
  }

  ip(lines: readonly string[]): Promise<void> {
    return this.#batch('ip', lines);
  }

  bridge(lines: readonly string[]): Promise<void> {
    return this.#batch('bridge', lines);
  }

  async settings(settings: readonly (readonly [string, string])[]): Promise<void> {
    const script = settings
      .map(([key, value]) => `for f in /proc/sys/${key}; do echo ${value} > $f || exit 1; done`)
      .join('\n');
    await mustRun(this.#run, 'sh', ['-c', script]);
  }

  async #batch(program: string, lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return;
    await mustRun(this.#run, program, ['-force', '-batch', '-'], { input: `${lines.join('\n')}\n` });
  }
}
