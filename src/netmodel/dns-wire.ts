// DNS messages as bytes (RFC 1035, 2782, 6891): queries read, answers written with compressed names, and foreign answers
// read far enough to age them. What is not understood is kept as bytes or refused, never guessed.
import { formatIP, parseIP } from '#base/ip.ts';
import type { NameRecord, RecordData } from './names.ts';

export const TYPES = { A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, TXT: 16, AAAA: 28, SRV: 33, OPT: 41, ANY: 255 } as const;
export const RCODES = { ok: 0, formatError: 1, serverFailure: 2, noName: 3, notImplemented: 4, refused: 5 } as const;
const CLASS_IN = 1;
const HEADER_BYTES = 12;
const FLAG_RESPONSE = 0x8000;
const FLAG_AUTHORITATIVE = 0x0400;
const FLAG_TRUNCATED = 0x0200;
const FLAG_RECURSION_DESIRED = 0x0100;
const FLAG_RECURSION_AVAILABLE = 0x0080;

export interface Query {
  readonly id: number;
  readonly opcode: number;
  readonly recursionDesired: boolean;
  /** As asked, with its letters' case: it is echoed. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** Largest UDP answer the client takes (EDNS); undefined without EDNS. */
  readonly udpSize: number | undefined;
  readonly dnssecOk: boolean;
}

export interface Response {
  readonly query: Query;
  readonly rcode: number;
  readonly authoritative: boolean;
  readonly answers: readonly NameRecord[];
  readonly authority: readonly NameRecord[];
  readonly additional: readonly NameRecord[];
}

export class DnsFormatError extends Error {
  readonly code = 'DnsFormat';
}

/** Throws DnsFormatError when the bytes are no query with one question. */
export function decodeQuery(bytes: Uint8Array): Query {
  const view = viewOf(bytes);
  if (bytes.length < HEADER_BYTES) throw new DnsFormatError('short header');
  const flags = view.getUint16(2);
  if ((flags & FLAG_RESPONSE) !== 0) throw new DnsFormatError('not a query');
  if (view.getUint16(4) !== 1) throw new DnsFormatError('not one question');
  const { name, next } = readName(bytes, HEADER_BYTES);
  if (next + 4 > bytes.length) throw new DnsFormatError('short question');
  let udpSize: number | undefined;
  let dnssecOk = false;
  let at = next + 4;
  const records = view.getUint16(6) + view.getUint16(8) + view.getUint16(10);
  for (let i = 0; i < records; i++) {
    const r = readRecordHead(bytes, at);
    if (r.type === TYPES.OPT) {
      udpSize = r.class;
      dnssecOk = (r.ttl & 0x8000) !== 0;
    }
    at = r.end;
  }
  return {
    id: view.getUint16(0),
    opcode: (flags >> 11) & 0xf,
    recursionDesired: (flags & FLAG_RECURSION_DESIRED) !== 0,
    name,
    type: view.getUint16(next),
    class: view.getUint16(next + 2),
    udpSize,
    dnssecOk,
  };
}

/** The header of a message that could not be decoded, answered with a format error. */
export function encodeFormatError(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length < 4 || (bytes[2]! & 0x80) !== 0) return undefined;
  const out = new Uint8Array(HEADER_BYTES);
  out.set(bytes.subarray(0, 2));
  viewOf(out).setUint16(2, FLAG_RESPONSE | ((bytes[2]! << 8) & 0x7900) | RCODES.formatError);
  return out;
}

/** When it would exceed `limit` bytes, the answer is cut: no records, and the truncated flag, so that the client comes by TCP. */
export function encodeResponse(response: Response, limit: number): Uint8Array {
  const whole = writeResponse(response, false);
  if (whole.length <= limit) return whole;
  const lean = writeResponse({ ...response, additional: [] }, false);
  return lean.length <= limit ? lean : writeResponse({ ...response, answers: [], authority: [], additional: [] }, true);
}

function writeResponse(response: Response, truncated: boolean): Uint8Array {
  const { query, answers, authority, additional } = response;
  const w = new Writer();
  w.u16(query.id);
  w.u16(
    FLAG_RESPONSE |
      (query.opcode << 11) |
      (response.authoritative ? FLAG_AUTHORITATIVE : 0) |
      (truncated ? FLAG_TRUNCATED : 0) |
      (query.recursionDesired ? FLAG_RECURSION_DESIRED : 0) |
      FLAG_RECURSION_AVAILABLE |
      response.rcode,
  );
  w.u16(1);
  w.u16(answers.length);
  w.u16(authority.length);
  w.u16(additional.length + (query.udpSize === undefined ? 0 : 1));
  w.name(query.name);
  w.u16(query.type);
  w.u16(query.class);
  for (const r of [...answers, ...authority, ...additional]) w.record(r);
  if (query.udpSize !== undefined) {
    w.u8(0);
    w.u16(TYPES.OPT);
    w.u16(OWN_UDP_SIZE);
    w.u32(0);
    w.u16(0);
  }
  return w.bytes();
}

/** What this server takes by UDP itself: fits a path of 1280 bytes (the DNS flag day's advice). */
export const OWN_UDP_SIZE = 1232;

export function encodeQuery(id: number, name: string, type: number): Uint8Array {
  const w = new Writer();
  for (const value of [id, FLAG_RECURSION_DESIRED, 1, 0, 0, 0]) w.u16(value);
  w.name(name);
  w.u16(type);
  w.u16(CLASS_IN);
  return w.bytes();
}

export interface Answer {
  readonly id: number;
  readonly rcode: number;
  readonly truncated: boolean;
  readonly name: string;
  readonly type: number;
  /** Records of the answer section whose type is known here. */
  readonly answers: readonly NameRecord[];
  /** Smallest time to live of all records; undefined when there are none. */
  readonly minTtl: number | undefined;
  /** Where the times to live stand. */
  readonly ttlOffsets: readonly number[];
}

export function decodeAnswer(bytes: Uint8Array): Answer {
  const view = viewOf(bytes);
  if (bytes.length < HEADER_BYTES || view.getUint16(4) !== 1) throw new DnsFormatError('not an answer');
  const flags = view.getUint16(2);
  if ((flags & FLAG_RESPONSE) === 0) throw new DnsFormatError('not an answer');
  const question = readName(bytes, HEADER_BYTES);
  if (question.next + 4 > bytes.length) throw new DnsFormatError('short question');
  let at = question.next + 4;
  const answers: NameRecord[] = [];
  const ttlOffsets: number[] = [];
  let minTtl: number | undefined;
  const count = view.getUint16(6);
  const records = count + view.getUint16(8) + view.getUint16(10);
  for (let i = 0; i < records; i++) {
    const r = readRecordHead(bytes, at);
    if (r.type !== TYPES.OPT) {
      ttlOffsets.push(r.ttlAt);
      minTtl = Math.min(minTtl ?? r.ttl, r.ttl);
    }
    const data = i < count && r.class === CLASS_IN ? readData(bytes, r.type, r.dataAt, r.end) : undefined;
    if (data !== undefined) answers.push({ name: r.name, ttl: r.ttl, data });
    at = r.end;
  }
  return {
    id: view.getUint16(0),
    rcode: flags & 0xf,
    truncated: (flags & FLAG_TRUNCATED) !== 0,
    name: question.name,
    type: view.getUint16(question.next),
    answers,
    minTtl,
    ttlOffsets,
  };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function readRecordHead(bytes: Uint8Array, start: number) {
  const view = viewOf(bytes);
  const { name, next } = readName(bytes, start);
  if (next + 10 > bytes.length) throw new DnsFormatError('short record');
  const end = next + 10 + view.getUint16(next + 8);
  if (end > bytes.length) throw new DnsFormatError('short record data');
  return {
    name,
    type: view.getUint16(next),
    class: view.getUint16(next + 2),
    ttl: view.getUint32(next + 4),
    ttlAt: next + 4,
    dataAt: next + 10,
    end,
  };
}

/** Pointers must lead backwards, so that no message can make this loop. */
function readName(bytes: Uint8Array, start: number): { name: string; next: number } {
  const labels: string[] = [];
  let at = start;
  let next: number | undefined;
  let lowest = start;
  let length = 0;
  for (;;) {
    const size = bytes[at];
    if (size === undefined) throw new DnsFormatError('name runs past the end');
    if (size === 0) break;
    if ((size & 0xc0) === 0xc0) {
      const low = bytes[at + 1];
      if (low === undefined) throw new DnsFormatError('name runs past the end');
      const to = ((size & 0x3f) << 8) | low;
      if (to >= lowest) throw new DnsFormatError('pointer does not lead back');
      next ??= at + 2;
      lowest = to;
      at = to;
      continue;
    }
    if ((size & 0xc0) !== 0) throw new DnsFormatError('unknown label');
    if (at + 1 + size > bytes.length) throw new DnsFormatError('name runs past the end');
    length += size + 1;
    if (length > 254) throw new DnsFormatError('name too long');
    labels.push(String.fromCharCode(...bytes.subarray(at + 1, at + 1 + size)));
    at += 1 + size;
  }
  return { name: labels.join('.'), next: next ?? at + 1 };
}

function readData(bytes: Uint8Array, type: number, at: number, end: number): RecordData | undefined {
  const view = viewOf(bytes);
  switch (type) {
    case TYPES.A:
      return end - at === 4 ? { type: 'A', address: [...bytes.subarray(at, end)].join('.') } : undefined;
    case TYPES.AAAA: {
      if (end - at !== 16) return undefined;
      return {
        type: 'AAAA',
        address: formatIP({ family: 6, value: (view.getBigUint64(at) << 64n) | view.getBigUint64(at + 8) }),
      };
    }
    case TYPES.CNAME:
      return { type: 'CNAME', name: readName(bytes, at).name };
    case TYPES.PTR:
      return { type: 'PTR', name: readName(bytes, at).name };
    case TYPES.NS:
      return { type: 'NS', name: readName(bytes, at).name };
    case TYPES.SRV: {
      const [priority, weight, port] = [view.getUint16(at), view.getUint16(at + 2), view.getUint16(at + 4)];
      return { type: 'SRV', priority, weight, port, target: readName(bytes, at + 6).name };
    }
    case TYPES.TXT:
      return { type: 'TXT', text: String.fromCharCode(...bytes.subarray(at + 1, at + 1 + bytes[at]!)) };
    case TYPES.SOA: {
      const mname = readName(bytes, at);
      const rname = readName(bytes, mname.next);
      const n = (i: number) => view.getUint32(rname.next + 4 * i);
      return {
        type: 'SOA',
        mname: mname.name,
        rname: rname.name,
        serial: n(0),
        refresh: n(1),
        retry: n(2),
        expire: n(3),
        minimum: n(4),
      };
    }
    default:
      return undefined;
  }
}

class Writer {
  #bytes = new Uint8Array(512);
  #length = 0;
  /** Lower-case name → where it stands, for pointers. */
  readonly #names = new Map<string, number>();

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  u8(value: number): void {
    if (this.#length === this.#bytes.length) {
      const wider = new Uint8Array(this.#bytes.length * 2);
      wider.set(this.#bytes);
      this.#bytes = wider;
    }
    this.#bytes[this.#length++] = value & 0xff;
  }

  u16(value: number): void {
    this.u8(value >> 8);
    this.u8(value);
  }

  u32(value: number): void {
    this.u16(value >>> 16);
    this.u16(value & 0xffff);
  }

  /** `compress` false: targets of SRV records must not be pointers (RFC 2782), but may be pointed at by none. */
  name(name: string, compress = true): void {
    let rest = name;
    while (rest !== '') {
      const key = rest.toLowerCase();
      const known = compress ? this.#names.get(key) : undefined;
      if (known !== undefined) return this.u16(0xc000 | known);
      if (compress && this.#length < 0x4000) this.#names.set(key, this.#length);
      const dot = rest.indexOf('.');
      const label = dot < 0 ? rest : rest.slice(0, dot);
      if (label.length === 0 || label.length > 63) throw new DnsFormatError(`label of ${label.length} bytes`);
      this.u8(label.length);
      for (let i = 0; i < label.length; i++) this.u8(label.charCodeAt(i));
      rest = dot < 0 ? '' : rest.slice(dot + 1);
    }
    this.u8(0);
  }

  record(r: NameRecord): void {
    this.name(r.name);
    this.u16(TYPES[r.data.type]);
    this.u16(CLASS_IN);
    this.u32(r.ttl);
    const sizeAt = this.#length;
    this.u16(0);
    this.#data(r.data);
    viewOf(this.#bytes).setUint16(sizeAt, this.#length - sizeAt - 2);
  }

  #data(data: RecordData): void {
    switch (data.type) {
      case 'A':
        for (const part of data.address.split('.')) this.u8(Number(part));
        return;
      case 'AAAA': {
        const { value } = parseIP(data.address)!;
        for (let shift = 112n; shift >= 0n; shift -= 16n) this.u16(Number((value >> shift) & 0xffffn));
        return;
      }
      case 'CNAME':
      case 'PTR':
      case 'NS':
        return this.name(data.name);
      case 'SRV':
        for (const value of [data.priority, data.weight, data.port]) this.u16(value);
        return this.name(data.target, false);
      case 'TXT':
        this.u8(data.text.length);
        for (let i = 0; i < data.text.length; i++) this.u8(data.text.charCodeAt(i));
        return;
      case 'SOA':
        this.name(data.mname);
        this.name(data.rname);
        for (const value of [data.serial, data.refresh, data.retry, data.expire, data.minimum]) this.u32(value);
    }
  }
}
