// The channel protocols of exec and attach over WebSocket: each message begins with the number of its channel. Versions differ in
// what they can say: v4 has the exit status as JSON, v5 can close a stream in one direction.

/** Channel numbers of remote commands. */
export const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

export interface ChannelProtocol {
  /** Sec-WebSocket-Protocol; '' when the client named none. */
  readonly name: string;
  /** Messages are text, with a digit and base64 instead of bytes. */
  readonly base64: boolean;
  /** Channel 3 carries a JSON Status (v4 and later); before, plain text and only failures. */
  readonly statusAsJson: boolean;
  /** Channel 255 closes the stream whose number follows (v5). */
  readonly halfClose: boolean;
}

const row = (name: string, base64: boolean, statusAsJson: boolean, halfClose: boolean): ChannelProtocol => ({
  name,
  base64,
  statusAsJson,
  halfClose,
});

/** Best first. */
export const REMOTE_COMMAND_PROTOCOLS: readonly ChannelProtocol[] = [
  row('v5.channel.k8s.io', false, true, true),
  row('v4.channel.k8s.io', false, true, false),
  row('v4.base64.channel.k8s.io', true, true, false),
  row('channel.k8s.io', false, false, false),
  row('base64.channel.k8s.io', true, false, false),
  row('', false, false, false),
];

/** Data and error channels of one port after another; the first message on each is the port. */
export const PORT_FORWARD_PROTOCOLS: readonly ChannelProtocol[] = [
  row('v4.channel.k8s.io', false, false, false),
  row('v4.base64.channel.k8s.io', true, false, false),
];

/** WebSocket carrying the bytes of a SPDY connection: what kubectl's port-forward uses. */
export const PORT_FORWARD_TUNNEL = 'SPDY/3.1+portforward.k8s.io';

/** A message as it goes out. */
export function encodeChannel(protocol: ChannelProtocol, channel: number, data: Uint8Array): Buffer | string {
  if (protocol.base64) return `${channel}${Buffer.from(data).toString('base64')}`;
  const out = Buffer.allocUnsafe(data.length + 1);
  out[0] = channel;
  out.set(data, 1);
  return out;
}

/** What came in; undefined for messages without a channel. */
export function decodeChannel(
  protocol: ChannelProtocol,
  message: Buffer,
): { channel: number; data: Buffer } | undefined {
  if (message.length === 0) return undefined;
  if (!protocol.base64) return { channel: message[0]!, data: message.subarray(1) };
  const channel = message[0]! - 0x30;
  if (channel < 0 || channel > 9) return undefined;
  return { channel, data: Buffer.from(message.toString('latin1', 1), 'base64') };
}
