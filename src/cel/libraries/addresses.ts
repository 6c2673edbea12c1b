// IP addresses and ranges. As upstream: no zones, no IPv4 within IPv6; a range keeps the host bits it was written with.

import { cidrContains, type IP, formatIP, parseCIDR, parseIP } from '#base/ip.ts';
import { fn, global, type Library, member } from '../functions.ts';
import { BOOL, INT, opaque, STRING } from '../types.ts';
import { CelError, celError, type Opaque } from '../values.ts';

export const IP_TYPE = opaque('net.IP');
export const CIDR_TYPE = opaque('net.CIDR');

const BITS = { 4: 32, 6: 128 } as const;
/** ::ffff:0:0/96 */
const MAPPED = 0xffffn;

export class Address implements Opaque {
  readonly typeName = 'net.IP';
  readonly ip: IP;
  constructor(ip: IP) {
    this.ip = ip;
  }
  /** Bytes. */
  get size(): number {
    return BITS[this.ip.family] / 8;
  }
  get text(): string {
    return formatIP(this.ip);
  }
  equals(other: Opaque): boolean {
    return other instanceof Address && other.ip.family === this.ip.family && other.ip.value === this.ip.value;
  }
}

export class Range implements Opaque {
  readonly typeName = 'net.CIDR';
  readonly ip: IP;
  readonly prefix: number;
  constructor(ip: IP, prefix: number) {
    this.ip = ip;
    this.prefix = prefix;
  }
  /** Bytes of the prefix. */
  get size(): number {
    return Math.ceil(this.prefix / 8);
  }
  get text(): string {
    return `${formatIP(this.ip)}/${this.prefix}`;
  }
  get masked(): Range {
    const host = BigInt(BITS[this.ip.family] - this.prefix);
    return new Range({ family: this.ip.family, value: (this.ip.value >> host) << host }, this.prefix);
  }
  contains(ip: IP): boolean {
    const { family, value } = this.masked.ip;
    return cidrContains({ family, base: value, prefix: this.prefix }, ip);
  }
  equals(other: Opaque): boolean {
    return (
      other instanceof Range &&
      other.prefix === this.prefix &&
      other.ip.family === this.ip.family &&
      other.ip.value === this.ip.value
    );
  }
}

/** The error, in upstream's words, when the text is no address. */
function parseAddress(text: string): Address | CelError {
  const zone = text.indexOf('%');
  if (zone > 0 && text.includes(':') && parseIP(text.slice(0, zone)) !== undefined)
    return celError(`IP address ${JSON.stringify(text)} with zone value is not allowed`);
  const ip = parseIP(text);
  if (ip === undefined)
    return celError(
      `IP Address ${JSON.stringify(text)} parse error during conversion from string: ParseAddr(${JSON.stringify(text)}): ${reasonOf(text)}`,
    );
  if (ip.family === 6 && ip.value >> 32n === MAPPED)
    return celError(`IPv4-mapped IPv6 address ${JSON.stringify(text)} is not allowed`);
  return new Address(ip);
}

/** Why Go's parser refuses it. */
function reasonOf(text: string): string {
  const separator = /[.:%]/.exec(text)?.[0];
  if (separator === undefined) return 'unable to parse IP';
  if (separator === '%') return 'missing IPv6 address';
  if (separator === '.') return ipv4Reason(text);
  if (/[^0-9a-fA-F:.]/.test(text)) return 'unexpected character, want colon';
  return text.includes('::') ? 'multiple :: in address' : 'address string too short';
}

function ipv4Reason(text: string): string {
  const parts = text.split('.');
  for (const part of parts) {
    if (part === '') return `IPv4 field must have at least one digit`;
    if (/\D/.test(part)) return `unexpected character (at ${JSON.stringify(text.slice(text.search(/[^\d.]/)))})`;
    if (part.length > 1 && part.startsWith('0')) return 'IPv4 field has octet with leading zero';
    if (Number(part) > 255) return 'IPv4 field has value >255';
  }
  return parts.length > 4 ? 'IPv4 address too long' : 'IPv4 address too short';
}

function parseRange(text: string): Range | CelError {
  const prefix = 'network address parse error during conversion from string: ';
  const problem = (reason: string): CelError =>
    celError(`${prefix}${prefix}netip.ParsePrefix(${JSON.stringify(text)}): ${reason}`);
  const slash = text.lastIndexOf('/');
  if (slash < 0) return problem("no '/'");
  const ip = parseIP(text.slice(0, slash));
  if (ip === undefined) {
    const address = text.slice(0, slash);
    if (address.includes('%')) return problem('IPv6 zones cannot be present in a prefix');
    return problem(`ParseAddr(${JSON.stringify(address)}): ${reasonOf(address)}`);
  }
  if (parseCIDR(text) === undefined) {
    const bits = text.slice(slash + 1);
    if (!/^(0|[1-9]\d*)$/.test(bits)) return problem(`bad bits after slash: ${JSON.stringify(bits)}`);
    return problem('prefix length out of range');
  }
  if (ip.family === 6 && ip.value >> 32n === MAPPED)
    return celError(`${prefix}IPv4-mapped IPv6 address ${JSON.stringify(text)} is not allowed`);
  return new Range(ip, Number(text.slice(slash + 1)));
}

function valid<T>(parsed: T | CelError): T {
  if (parsed instanceof CelError) throw parsed;
  return parsed;
}

const address = (text: string): Address => valid(parseAddress(text));
const range = (text: string): Range => valid(parseRange(text));

const within = ({ ip }: Address, first: string, prefix: number): boolean =>
  new Range(parseIP(first)!, prefix).contains(ip);
const inFamily = (a: Address, v4: readonly [string, number], v6: readonly [string, number]): boolean =>
  a.ip.family === 4 ? within(a, ...v4) : within(a, ...v6);

const isUnspecified = ({ ip }: Address): boolean => ip.value === 0n;
const isLoopback = (a: Address): boolean => inFamily(a, ['127.0.0.0', 8], ['::1', 128]);
const isLinkLocalUnicast = (a: Address): boolean => inFamily(a, ['169.254.0.0', 16], ['fe80::', 10]);
const isLinkLocalMulticast = (a: Address): boolean =>
  a.ip.family === 4 ? within(a, '224.0.0.0', 24) : within(a, 'ff00::', 8) && ((a.ip.value >> 112n) & 0xfn) === 2n;
const isMulticast = (a: Address): boolean => inFamily(a, ['224.0.0.0', 4], ['ff00::', 8]);
const isGlobalUnicast = (a: Address): boolean =>
  !isUnspecified(a) &&
  !isLoopback(a) &&
  !isMulticast(a) &&
  !isLinkLocalUnicast(a) &&
  !(a.ip.family === 4 && a.ip.value === 0xffffffffn);

const isCanonical = (text: string): boolean => address(text).text === text;
const test = (name: string, id: string, run: (a: Address) => boolean): ReturnType<typeof fn> =>
  fn(name, member(id, [IP_TYPE], BOOL, run));

const containsRange = (outer: Range, inner: Range): boolean =>
  outer.ip.family === inner.ip.family && outer.prefix <= inner.prefix && outer.contains(inner.ip);

export const IP_LIBRARY: Library = {
  functions: [
    fn('ip', global('string_to_ip', [STRING], IP_TYPE, address)),
    fn(
      'isIP',
      global('is_ip', [STRING], BOOL, (text: string) => parseAddress(text) instanceof Address),
    ),
    fn('ip.isCanonical', global('ip_is_canonical', [STRING], BOOL, isCanonical)),
    fn(
      'string',
      global('ip_to_string', [IP_TYPE], STRING, (a: Address) => a.text),
    ),
    fn(
      'family',
      member('ip_family', [IP_TYPE], INT, (a: Address) => a.ip.family),
    ),
    test('isUnspecified', 'ip_is_unspecified', isUnspecified),
    test('isLoopback', 'ip_is_loopback', isLoopback),
    test('isLinkLocalMulticast', 'ip_is_link_local_multicast', isLinkLocalMulticast),
    test('isLinkLocalUnicast', 'ip_is_link_local_unicast', isLinkLocalUnicast),
    test('isGlobalUnicast', 'ip_is_global_unicast', isGlobalUnicast),
  ],
};

export const CIDR_LIBRARY: Library = {
  functions: [
    fn('cidr', global('string_to_cidr', [STRING], CIDR_TYPE, range)),
    fn(
      'isCIDR',
      global('is_cidr', [STRING], BOOL, (text: string) => parseRange(text) instanceof Range),
    ),
    fn(
      'string',
      global('cidr_to_string', [CIDR_TYPE], STRING, (r: Range) => r.text),
    ),
    fn(
      'ip',
      member('cidr_ip', [CIDR_TYPE], IP_TYPE, (r: Range) => new Address(r.ip)),
    ),
    fn(
      'prefixLength',
      member('cidr_prefix_length', [CIDR_TYPE], INT, (r: Range) => r.prefix),
    ),
    fn(
      'masked',
      member('cidr_masked', [CIDR_TYPE], CIDR_TYPE, (r: Range) => r.masked),
    ),
    fn(
      'containsIP',
      member('cidr_contains_ip_string', [CIDR_TYPE, STRING], BOOL, (r: Range, text: string) =>
        r.contains(address(text).ip),
      ),
      member('cidr_contains_ip_ip', [CIDR_TYPE, IP_TYPE], BOOL, (r: Range, a: Address) => r.contains(a.ip)),
    ),
    fn(
      'containsCIDR',
      member('cidr_contains_cidr_string', [CIDR_TYPE, STRING], BOOL, (r: Range, text: string) =>
        containsRange(r, range(text)),
      ),
      member('cidr_contains_cidr', [CIDR_TYPE, CIDR_TYPE], BOOL, containsRange),
    ),
  ],
};
