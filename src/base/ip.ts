// IP addresses and CIDR ranges, version 4 and 6, as values.

export interface IP {
  readonly family: 4 | 6;
  readonly value: bigint;
}

export interface CIDR {
  readonly family: 4 | 6;
  /** The network address: host bits are zero. */
  readonly base: bigint;
  readonly prefix: number;
}

const BITS = { 4: 32, 6: 128 } as const;

/** Undefined when `text` is not an address. Leading zeros in IPv4 octets are refused, as Go does. */
export function parseIP(text: string): IP | undefined {
  return text.includes(':') ? parseIPv6(text) : parseIPv4(text);
}

function parseIPv4(text: string): IP | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0n;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = (value << 8n) | BigInt(part);
  }
  return { family: 4, value };
}

function parseIPv6(text: string): IP | undefined {
  let source = text;
  const lastColon = source.lastIndexOf(':');
  if (source.includes('.')) {
    const v4 = parseIPv4(source.slice(lastColon + 1));
    if (v4 === undefined) return undefined;
    source = `${source.slice(0, lastColon + 1)}${(v4.value >> 16n).toString(16)}:${(v4.value & 0xffffn).toString(16)}`;
  }
  const halves = source.split('::');
  if (halves.length > 2) return undefined;
  const groups = (half: string | undefined) => (half === undefined || half === '' ? [] : half.split(':'));
  const head = groups(halves[0]);
  const tail = groups(halves[1]);
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  let value = 0n;
  for (const group of [...head, ...Array<string>(halves.length === 1 ? 0 : missing).fill('0'), ...tail]) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined;
    value = (value << 16n) | BigInt(`0x${group}`);
  }
  return { family: 6, value };
}

/** Canonical text (RFC 5952 for IPv6). */
export function formatIP(ip: IP): string {
  if (ip.family === 4) return [24n, 16n, 8n, 0n].map((s) => (ip.value >> s) & 0xffn).join('.');
  const groups = Array.from({ length: 8 }, (_, i) => Number((ip.value >> BigInt(112 - 16 * i)) & 0xffffn));
  let best = { at: -1, length: 1 };
  for (let i = 0; i < 8; i++) {
    let n = 0;
    while (i + n < 8 && groups[i + n] === 0) n++;
    if (n > best.length) best = { at: i, length: n };
  }
  const hex = groups.map((g) => g.toString(16));
  if (best.at < 0) return hex.join(':');
  return `${hex.slice(0, best.at).join(':')}::${hex.slice(best.at + best.length).join(':')}`;
}

/** Undefined when `text` is not a range. Host bits are cleared; see isCanonicalCIDR. */
export function parseCIDR(text: string): CIDR | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const ip = parseIP(text.slice(0, slash));
  const length = text.slice(slash + 1);
  if (ip === undefined || !/^(0|[1-9]\d{0,2})$/.test(length)) return undefined;
  const prefix = Number(length);
  if (prefix > BITS[ip.family]) return undefined;
  const hostBits = BigInt(BITS[ip.family] - prefix);
  return { family: ip.family, base: (ip.value >> hostBits) << hostBits, prefix };
}

export function formatCIDR(cidr: CIDR): string {
  return `${formatIP({ family: cidr.family, value: cidr.base })}/${cidr.prefix}`;
}

export function isCanonicalCIDR(text: string): boolean {
  const cidr = parseCIDR(text);
  return cidr !== undefined && formatCIDR(cidr) === text;
}

/** Number of addresses in the range. */
export function cidrSize(cidr: CIDR): bigint {
  return 1n << BigInt(BITS[cidr.family] - cidr.prefix);
}

export function cidrContains(cidr: CIDR, ip: IP): boolean {
  return ip.family === cidr.family && ip.value >= cidr.base && ip.value < cidr.base + cidrSize(cidr);
}

export function cidrsOverlap(a: CIDR, b: CIDR): boolean {
  return a.family === b.family && a.base < b.base + cidrSize(b) && b.base < a.base + cidrSize(a);
}

/** The address `offset` into the range; throws past its end. */
export function ipAt(cidr: CIDR, offset: number | bigint): IP {
  const at = BigInt(offset);
  if (at < 0n || at >= cidrSize(cidr)) throw new RangeError(`${formatCIDR(cidr)} has no address number ${at}`);
  return { family: cidr.family, value: cidr.base + at };
}

/** The `index`-th range of `prefix` bits inside `cidr`; throws past its end. */
export function subnetAt(cidr: CIDR, prefix: number, index: number): CIDR {
  const size = 1n << BigInt(BITS[cidr.family] - prefix);
  const base = cidr.base + BigInt(index) * size;
  if (prefix < cidr.prefix || base + size > cidr.base + cidrSize(cidr)) {
    throw new RangeError(`${formatCIDR(cidr)} has no /${prefix} number ${index}`);
  }
  return { family: cidr.family, base, prefix };
}

/** Addresses from first to last, both included. */
export interface IPRange {
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
}

/** `a-b`, a CIDR range, or one address; undefined when `text` is none of these. */
export function parseIPRange(text: string): IPRange | undefined {
  const cidr = parseCIDR(text);
  if (cidr !== undefined) return { family: cidr.family, first: cidr.base, last: cidr.base + cidrSize(cidr) - 1n };
  const [from, to, ...more] = text.split('-').map((t) => parseIP(t.trim()));
  const end = text.includes('-') ? to : from;
  if (from === undefined || end === undefined || more.length > 0) return undefined;
  if (from.family !== end.family || from.value > end.value) return undefined;
  return { family: from.family, first: from.value, last: end.value };
}

export const rangeContains = (range: IPRange, ip: IP): boolean =>
  range.family === ip.family && ip.value >= range.first && ip.value <= range.last;
