// The CNI configuration of a node: a routed veth pair per pod, addresses from the node's ranges, no translation and no
// port map.
import { parseCIDR } from '#base/ip.ts';

export interface CniOptions {
  /** The node's range; with two families one of each, the primary one first. */
  readonly podCIDRs: readonly string[];
  readonly mtu: number;
  /** Where host-local keeps which address is taken; a node's own. */
  readonly dataDir: string;
}

export const CONFLIST = '10-coracle.conflist';

export function cniConflist(options: CniOptions): string {
  const everywhere = (range: string) => (parseCIDR(range)?.family === 6 ? '::/0' : '0.0.0.0/0');
  const ipam = {
    type: 'host-local',
    ranges: options.podCIDRs.map((subnet) => [{ subnet }]),
    routes: options.podCIDRs.map((range) => ({ dst: everywhere(range) })),
    dataDir: options.dataDir,
  };
  const plugin = { type: 'ptp', ipMasq: false, mtu: options.mtu, ipam };
  return `${JSON.stringify({ cniVersion: '1.0.0', name: 'coracle', plugins: [plugin] }, undefined, 2)}\n`;
}
