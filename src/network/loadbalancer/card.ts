// Load balancers' addresses on the node's network card. The kernel answers ARP for what is there; its own expiry takes an
// address away from a node whose agent is gone, so that two nodes do not answer for long.
import { type IPRange, parseIP, rangeContains } from '#base/ip.ts';
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
  /** Of load balancers' addresses. */
  readonly ranges: readonly IPRange[];
}

/** A restarted agent knows its addresses by their range, those of IPv4 by a label, too, which shows people what they are. */
export class KernelCard implements Card {
  readonly #deps: KernelCardDeps;
  #link: IpLink | undefined;

  constructor(deps: KernelCardDeps) {
    this.#deps = deps;
  }

  async held(): Promise<readonly string[]> {
    const { ifname, addr_info } = await this.#look();
    const isOurs = ({ local, prefixlen, label }: IpLink['addr_info'][number]) => {
      const ip = parseIP(local);
      if (ip === undefined || !this.#deps.ranges.some((range) => rangeContains(range, ip))) return false;
      return ip.family === 6 ? prefixlen === 128 : prefixlen === 32 && label === `${ifname}${LABEL}`;
    };
    return addr_info.filter(isOurs).map((a) => a.local);
  }

  async hold(ips: readonly string[], seconds: number | undefined): Promise<void> {
    const { ifname } = this.#link ?? (await this.#look());
    const life = seconds === undefined ? 'forever' : String(seconds);
    // Without nodad an address of IPv6 would wait a second for its double before it is of use; and were it preferred, the node
    // would speak to others from it.
    const kind = (ip: string) =>
      ip.includes(':') ? `nodad preferred_lft 0` : `label ${ifname}${LABEL} preferred_lft ${life}`;
    await this.#batch(
      ips.map((ip) => `address replace ${whole(ip)} dev ${ifname} valid_lft ${life} ${kind(ip)}`),
      '',
    );
  }

  /** One that has expired meanwhile is no failure. */
  async drop(ips: readonly string[]): Promise<void> {
    const { ifname } = this.#link ?? (await this.#look());
    await this.#batch(
      ips.map((ip) => `address delete ${whole(ip)} dev ${ifname}`),
      '-force',
    );
  }

  /**
   * The kernel sends gratuitous ARP and neighbour advertisements for every address when the card's hardware address is set, be
   * it to what it was.
   */
  async announce(): Promise<void> {
    const { ifname, address } = this.#link ?? (await this.#look());
    const conf = (family: string, key: string) => `/proc/sys/net/${family}/conf/${ifname}/${key}`;
    const script = [
      `echo 1 > ${conf('ipv4', 'arp_notify')} || exit 1`,
      // A kernel without IPv6 has no such file.
      `[ ! -e ${conf('ipv6', 'ndisc_notify')} ] || echo 1 > ${conf('ipv6', 'ndisc_notify')}`,
      `exec ip link set dev ${ifname} address ${address}`,
    ].join('; ');
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

const whole = (ip: string): string => `${ip}/${ip.includes(':') ? 128 : 32}`;
