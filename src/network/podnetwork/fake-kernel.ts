// The pod network's kernel without a kernel: keeps links, routes, neighbours and forwarding entries from the lines it is
// told, and drops with a link what hangs on it.
import type { Route, TunnelLink, Underlay, Wiring } from '#netmodel/pod-network.ts';
import type { PresentWiring, WiringKernel } from './kernel.ts';

export class FakeWiringKernel implements WiringKernel {
  underlay: Underlay | undefined = { device: 'eth0', mtu: 1500 };
  link: TunnelLink | undefined;
  readonly routes = new Map<string, Route>();
  /** Address → MAC address. */
  readonly neighbours = new Map<string, string>();
  /** MAC address → node. */
  readonly forwarding = new Map<string, string>();
  readonly #settings: string[] = [];
  /** Everything that was told or asked, in order. */
  readonly log: string[] = [];
  /** When set, the next lines fail with it. */
  failNext: Error | undefined;

  get wiring(): Wiring {
    return {
      link: this.link,
      routes: [...this.routes.values()],
      neighbours: [...this.neighbours].map(([address, mac]) => ({ address, mac })),
      forwarding: [...this.forwarding].map(([mac, node]) => ({ mac, node })),
    };
  }

  get settingsWritten(): readonly string[] {
    return this.#settings;
  }

  async read(): Promise<PresentWiring> {
    this.log.push('read');
    return { underlay: this.underlay, wiring: this.wiring };
  }

  async ip(lines: readonly string[]): Promise<void> {
    this.#take(lines, (line) => this.#ip(line));
  }

  async bridge(lines: readonly string[]): Promise<void> {
    this.#take(lines, (line) => {
      const [, verb, mac, , , , node] = line.split(' ');
      if (verb === 'del') this.forwarding.delete(mac!);
      else this.forwarding.set(mac!, node!);
    });
  }

  async settings(settings: readonly (readonly [string, string])[]): Promise<void> {
    this.#settings.push(...settings.map(([key, value]) => `${key}=${value}`));
  }

  /** As `ip link set … down` does: routes and neighbours go. */
  takeDown(): void {
    this.link = { ...this.link!, isUp: false };
    this.#dropEntries();
  }

  #take(lines: readonly string[], one: (line: string) => void): void {
    const error = this.failNext;
    this.failNext = undefined;
    if (error !== undefined && lines.length > 0) throw error;
    for (const line of lines) {
      this.log.push(line);
      one(line);
    }
  }

  #ip(line: string): void {
    const words = line.split(' ');
    const after = (word: string) => (words.includes(word) ? words[words.indexOf(word) + 1] : undefined);
    const verb = words.slice(0, 2).join(' ');
    switch (verb) {
      case 'link add':
        this.link = {
          name: words[2]!,
          id: Number(after('id')),
          port: Number(after('dstport')),
          local: after('local')!,
          underlay: after('dev')!,
          learning: !words.includes('nolearning'),
          mac: after('address')!,
          mtu: Number(after('mtu')),
          isUp: false,
          addresses: [],
        };
        return;
      case 'link del':
        this.#dropEntries();
        this.forwarding.clear();
        this.link = undefined;
        return;
      case 'link set':
        if (words.includes('up')) this.link = { ...this.link!, isUp: true };
        if (after('mtu') !== undefined) this.link = { ...this.link!, mtu: Number(after('mtu')) };
        if (after('address') !== undefined) this.link = { ...this.link!, mac: after('address')! };
        return;
      case 'addr add':
      case 'addr del': {
        const address = words[2]!.split('/')[0]!;
        const others = this.link!.addresses.filter((a) => a !== address);
        this.link = { ...this.link!, addresses: verb === 'addr add' ? [...others, address] : others };
        return;
      }
      case 'neigh replace':
        this.neighbours.set(words[2]!, after('lladdr')!);
        return;
      case 'neigh del':
        this.neighbours.delete(words[2]!);
        return;
      case 'route replace':
      case 'route del': {
        const refusing = words[2] === 'unreachable';
        const to = words[refusing ? 3 : 2]!;
        if (verb === 'route del') {
          if (!this.routes.delete(to)) throw new Error(`no route ${to}`);
          return;
        }
        const [onlink, source] = [words.includes('onlink') ? after('dev') : undefined, after('src')];
        if (onlink !== undefined && this.link?.isUp !== true) throw new Error(`${onlink} is not up`);
        this.routes.set(to, {
          to,
          via: refusing ? undefined : after('via'),
          ...(onlink === undefined ? {} : { onlink }),
          ...(source === undefined ? {} : { source }),
        });
        return;
      }
      default:
        throw new Error(`unknown line: ${line}`);
    }
  }

  #dropEntries(): void {
    for (const [to, route] of this.routes) if (route.onlink === this.link?.name) this.routes.delete(to);
    this.neighbours.clear();
  }
}
