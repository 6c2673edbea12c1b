// Load balancers' addresses on the node's network card. The kernel answers ARP for what is there; its own expiry takes an
// address away from a node whose agent is gone, so that two nodes do not answer for long.
import { mustRun, type Run } from '#host/process.ts';

export interface Card {
  /** Addresses of load balancers that are there now. */
  held(): Promise<readonly string[]>;
  /** Puts addresses there, or prolongs them; undefined seconds is for ever. */
  hold(ips: readonly string[], seconds: number | undefined): Promise<void>;
  drop(ips: readonly string[]): Promise<void>;
  /** Tells the neighbours of all addresses of the card. */
  announce(): Promise<void>;
}

/** As `ip -j address` prints it; with -4 it would leave out the hardware address. */
interface IpLink {
  readonly ifname: string;
  readonly address: string;
  readonly addr_info: readonly { readonly local: string; readonly prefixlen: number; readonly label?: string }[];
}

export interface KernelCardDeps {
  readonly run: Run;
  /** The node's address, by which the card is known. */
  readonly nodeIP: string;
}

/** IPv4 only. Addresses of ours carry a label, by which a restarted agent knows them. */
export class KernelCard implements Card {
  readonly #deps: KernelCardDeps;
  #link: IpLink | undefined;

  constructor(deps: KernelCardDeps) {
    this.#deps = deps;
  }

  async held(): Promise<readonly string[]> {
    const { ifname, addr_info } = await this.#look();
    return addr_info.filter((a) => a.label === `${ifname}${LABEL}` && a.prefixlen === 32).map((a) => a.local);
  }

  async hold(ips: readonly string[], seconds: number | undefined): Promise<void> {
    const { ifname } = this.#link ?? (await this.#look());
    const life = seconds === undefined ? 'forever' : String(seconds);
    const rest = `dev ${ifname} label ${ifname}${LABEL} valid_lft ${life} preferred_lft ${life}`;
    await this.#batch(
      ips.map((ip) => `address replace ${ip}/32 ${rest}`),
      '',
    );
  }

  /** One that has expired meanwhile is no failure. */
  async drop(ips: readonly string[]): Promise<void> {
    const { ifname } = this.#link ?? (await this.#look());
    await this.#batch(
      ips.map((ip) => `address delete ${ip}/32 dev ${ifname}`),
      '-force',
    );
  }

  /** The kernel sends gratuitous ARP for every address when the card's hardware address is set, be it to what it was. */
  async announce(): Promise<void> {
    const { ifname, address } = this.#link ?? (await this.#look());
    const script = `echo 1 > /proc/sys/net/ipv4/conf/${ifname}/arp_notify && exec ip link set dev ${ifname} address ${address}`;
    await mustRun(this.#deps.run, 'sh', ['-c', script]);
  }

  async #batch(lines: readonly string[], options: '' | '-force'): Promise<void> {
    if (lines.length === 0) return;
    const script = `ip ${options} -batch - <<'END'\n${lines.join('\n')}\nEND\n`;
    const { code, stderr } = await this.#deps.run('sh', ['-c', script]);
    if (code !== 0 && options === '') throw new Error(`addresses could not be set: ${stderr.trim()}`);
  }

  async #look(): Promise<IpLink> {
    const links = JSON.parse(await mustRun(this.#deps.run, 'ip', ['-j', 'address', 'show'])) as IpLink[];
    const names = new Map(links.map((l) => [l.ifname, l]));
    const found = links.find((l) => l.addr_info.some((a) => a.local === this.#deps.nodeIP));
    if (found === undefined)
      throw new Error(`no card has the node's address ${this.#deps.nodeIP}; there are ${[...names.keys()].join(', ')}`);
    this.#link = found;
    return found;
  }
}

const LABEL = ':lb';
