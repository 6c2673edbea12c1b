// The few parts of HTTP/2 that a load generator needs (RFC 9113, RFC 7541): it sends the same kind of request again and again and looks
// at the status alone, so it costs a fraction of what a whole client costs, and what is measured is the server.

export const FrameType = {
  data: 0,
  headers: 1,
  resetStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
export const Flag = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 32 } as const;
export const Setting = { headerTableSize: 1, enablePush: 2, maxConcurrentStreams: 3, initialWindowSize: 4 } as const;
export const FRAME_HEADER_BYTES = 9;
export const PREFACE: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

export function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  bytes.set(payload, FRAME_HEADER_BYTES);
  return bytes;
}

export function settingsFrame(settings: readonly (readonly [number, number])[]): Buffer {
  const payload = Buffer.alloc(settings.length * 6);
  for (const [i, [id, value]] of settings.entries()) {
    payload.writeUInt16BE(id, i * 6);
    payload.writeUInt32BE(value, i * 6 + 2);
  }
  return frame(FrameType.settings, 0, 0, payload);
}

export function windowUpdateFrame(stream: number, bytes: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes);
  return frame(FrameType.windowUpdate, 0, stream, payload);
}

/** A header block whose fields are all literals that no table remembers: one block fits every connection. */
export function headerBlock(fields: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]));
}

function literal(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  return Buffer.concat([integer(bytes.length, 7), bytes]);
}

/** RFC 7541 section 5.1, with the bits before the prefix 0. */
export function integer(value: number, prefixBits: number): Buffer {
  const max = 2 ** prefixBits - 1;
  if (value < max) return Buffer.from([value]);
  const bytes = [max];
  let rest = value - max;
  for (; rest >= 128; rest >>= 7) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
}

/** Indexed :status fields of the static table. */
const STATIC_STATUS: Readonly<Record<number, number>> = {
  8: 200,
  9: 204,
  10: 206,
  11: 304,
  12: 400,
  13: 404,
  14: 500,
};

/**
 * The status of an answer's header block. :status comes first (RFC 9113 section 8.3.2), and a peer that was told to keep no table can
 * only use the static one; 0 for anything else.
 */
export function statusOf(block: Uint8Array): number {
  let at = 0;
  // The peer says that its table has no room now.
  while ((block[at]! & 0xe0) === 0x20) at++;
  const first = block[at]!;
  if ((first & 0x80) !== 0) return STATIC_STATUS[first & 0x7f] ?? 0;
  // A literal with the name of a static :status entry: never indexed, not indexed, or for a table of size 0.
  const index = (first & 0xc0) === 0x40 ? first & 0x3f : first & 0x0f;
  if (STATIC_STATUS[index] === undefined) return 0;
  const length = block[at + 1]! & 0x7f;
  const value = block.subarray(at + 2, at + 2 + length);
  return Number((block[at + 1]! & 0x80) === 0 ? Buffer.from(value).toString('latin1') : huffmanDigits(value));
}

/** Digits of RFC 7541 appendix B: 0 to 2 are five bits long, 3 to 9 are six. */
function huffmanDigits(bytes: Uint8Array): string {
  let bits = '';
  for (const byte of bytes) bits += byte.toString(2).padStart(8, '0');
  let digits = '';
  for (let at = 0; at + 5 <= bits.length; ) {
    const five = Number.parseInt(bits.slice(at, at + 5), 2);
    if (five <= 2) {
      digits += five;
      at += 5;
      continue;
    }
    const six = Number.parseInt(bits.slice(at, at + 6), 2);
    if (bits.length - at < 6 || six < 0x19 || six > 0x1f) break; // padding
    digits += six - 0x19 + 3;
    at += 6;
  }
  return digits;
}
