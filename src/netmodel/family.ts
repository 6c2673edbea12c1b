// The two address families of IP, and what a rule is called in each. Rules are made once, for a family; there are two tables
// where a cluster has both.
import { parseIP } from '#base/ip.ts';

export type Family = 4 | 6;

interface FamilyWords {
  /** nft's name of the table's family. */
  readonly nft: 'ip' | 'ip6';
  /** nft's type of an address. */
  readonly addressType: 'ipv4_addr' | 'ipv6_addr';
  readonly icmp: 'icmp' | 'icmpv6';
  readonly bits: 32 | 128;
  readonly loopback: string;
  readonly multicast: string;
  /** `EndpointSlice.addressType` and entries of `Service.spec.ipFamilies`. */
  readonly api: 'IPv4' | 'IPv6';
}

export const FAMILIES: Readonly<Record<Family, FamilyWords>> = {
  4: {
    nft: 'ip',
    addressType: 'ipv4_addr',
    icmp: 'icmp',
    bits: 32,
    loopback: '127.0.0.0/8',
    multicast: '224.0.0.0/4',
    api: 'IPv4',
  },
  6: {
    nft: 'ip6',
    addressType: 'ipv6_addr',
    icmp: 'icmpv6',
    bits: 128,
    loopback: '::1/128',
    multicast: 'ff00::/8',
    api: 'IPv6',
  },
};

export const isOfFamily = (text: string, family: Family): boolean => parseIP(text)?.family === family;

/** A part of which there is one for each family; tables need no such name, their family is part of it. */
export const partName = (base: string, family: Family): string => (family === 6 ? `${base}-ipv6` : base);
