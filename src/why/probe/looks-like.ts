// What is spoken, told by a server's first bytes: for connections that end at a server of another protocol.

interface Signature {
  readonly name: string;
  readonly is: (bytes: Buffer, text: string) => boolean;
}

/** In this order: what is told by more bytes stands first. */
const SIGNATURES: readonly Signature[] = [
  { name: 'tls', is: (b) => (b[0] === 0x15 || b[0] === 0x16) && b[1] === 0x03 && b[2]! <= 0x04 },
  { name: 'mongodb', is: (_, t) => t.includes('MongoDB over HTTP') },
  { name: 'http', is: (_, t) => t.startsWith('HTTP/1.') || t.startsWith('<!DOCTYPE') || t.startsWith('<html') },
  // A SETTINGS frame on stream 0.
  { name: 'http/2', is: (b) => b.length >= 9 && b[0] === 0 && b[3] === 4 && b[4]! <= 1 && b.readUInt32BE(5) === 0 },
  {
    name: 'amqp',
    is: (b, t) => t.startsWith('AMQP') || (b.length >= 11 && b[0] === 1 && b.readUInt32BE(7) === 0x000a000a),
  },
  { name: 'ssh', is: (_, t) => t.startsWith('SSH-') },
  { name: 'vnc', is: (_, t) => t.startsWith('RFB ') },
  { name: 'nats', is: (_, t) => t.startsWith('INFO {') },
  { name: 'memcached', is: (_, t) => t === 'ERROR\r\n' },
  { name: 'imap', is: (_, t) => t.startsWith('* OK') },
  { name: 'smtp or ftp', is: (_, t) => /^220[ -]/.test(t) },
  { name: 'pop3', is: (_, t) => t.startsWith('+OK ') },
  // A greeting (version 10) or an error packet, with sequence number 0.
  {
    name: 'mysql',
    is: (b) => b.length >= 5 && b[2] === 0 && b[3] === 0 && (b[4] === 0x0a || (b[4] === 0xff && b[1] === 0)),
  },
  { name: 'redis', is: (_, t) => /^(\+PONG|-(ERR|NOAUTH|DENIED|LOADING|WRONGPASS|NOPERM|MISCONF) )/.test(t) },
  { name: 'mongodb', is: (b) => b.length >= 16 && b.readUInt32LE(12) === 2013 && b.readUInt32LE(0) < 48_000_000 },
  {
    name: 'postgres',
    is: (b) =>
      b.length >= 6 &&
      (b[0] === 0x45 || b[0] === 0x52) &&
      b.readUInt32BE(1) < 10_000 &&
      (b[0] === 0x52 || b[5] === 0x53),
  },
];

/** Undefined when nothing known speaks like that. */
export function looksLike(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return undefined;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString('latin1');
  return SIGNATURES.find((s) => s.is(buffer, text))?.name;
}

/** As evidence: hex of at most 64 bytes. */
export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).subarray(0, 64).toString('hex');

/** The handshake outcome for bytes of another protocol. */
export function wrongProtocol(bytes: Uint8Array) {
  const what = looksLike(bytes);
  return {
    outcome: 'wrong-protocol' as const,
    ...(what === undefined ? {} : { looksLike: what }),
    ...(bytes.length === 0 ? {} : { bytes: hexOf(bytes) }),
  };
}
