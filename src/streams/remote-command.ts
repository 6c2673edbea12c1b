// Joins a client's WebSocket with a container runtime's SPDY connection: exec, attach and the WebSocket form of port-forward. Ends of
// stdin, terminal sizes and the exit status pass through; frames are handed on in their order, so output is out before the status.
import type { WebSocket } from 'ws';
import { CHANNEL, type ChannelProtocol, decodeChannel, encodeChannel } from './channels.ts';
import type { SpdyConnection, SpdyStream } from './spdy.ts';

export interface RemoteCommand {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** Bytes that may wait for the client before the runtime's side is not read on, and when it is again. */
const HIGH_WATER_BYTES = 1024 * 1024;
const LOW_WATER_BYTES = 256 * 1024;
const NORMAL_CLOSURE = 1000;

/** Resolves when the session is over. `runtime` is a fresh connection in the role of the client. */
export async function joinRemoteCommand(
  client: WebSocket,
  protocol: ChannelProtocol,
  runtime: SpdyConnection,
  command: RemoteCommand,
): Promise<void> {
  const wire = new Wire(client, protocol, runtime);
  const status: Buffer[] = [];
  const ended = Promise.withResolvers<void>();
  const error = runtime.open({ streamtype: 'error' }, true);
  error.onData = (chunk) => void status.push(chunk);
  error.onEnd = () => ended.resolve();
  const stdin = command.stdin ? runtime.open({ streamtype: 'stdin' }) : undefined;
  if (command.stdout) wire.receive(runtime.open({ streamtype: 'stdout' }, true), CHANNEL.stdout);
  if (command.stderr && !command.tty) wire.receive(runtime.open({ streamtype: 'stderr' }, true), CHANNEL.stderr);
  const resize = command.tty ? runtime.open({ streamtype: 'resize' }) : undefined;
  // An empty message says that the session is there, before any output.
  wire.send(command.stdout ? CHANNEL.stdout : command.stderr ? CHANNEL.stderr : CHANNEL.error, new Uint8Array(0));

  wire.onMessage((channel, data) => {
    if (channel === CHANNEL.stdin && stdin !== undefined) wire.forward(stdin, data);
    else if (channel === CHANNEL.resize && resize !== undefined) wire.forward(resize, data);
    else if (channel === CHANNEL.close && protocol.halfClose && data[0] === CHANNEL.stdin) stdin?.end();
  });
  const gone = new Promise<void>((resolve) => void client.once('close', () => resolve()));
  await Promise.race([ended.promise, runtime.closed, gone]);
  if (client.readyState === client.OPEN) {
    const text = status.length > 0 ? Buffer.concat(status) : undefined;
    if (protocol.statusAsJson) wire.send(CHANNEL.error, text ?? Buffer.from(JSON.stringify(lostStatus)));
    else if (text !== undefined) {
      const failure = failureText(text);
      if (failure !== undefined) wire.send(CHANNEL.error, Buffer.from(failure));
    }
    client.close(NORMAL_CLOSURE);
  }
  runtime.close();
}

const lostStatus = {
  metadata: {},
  status: 'Failure',
  message: 'the connection to the container runtime was lost',
  reason: 'InternalError',
  code: 500,
};

/** What clients of the oldest protocols are told: plain text, and nothing on success. */
function failureText(status: Buffer): string | undefined {
  try {
    const parsed = JSON.parse(status.toString('utf8')) as { status?: string; message?: string };
    return parsed.status === 'Success' ? undefined : (parsed.message ?? 'the command failed');
  } catch {
    return status.toString('utf8');
  }
}

/** Channels 2i (data) and 2i+1 (errors) of the i-th port; each begins with its port, little endian. */
export async function joinPortForward(
  client: WebSocket,
  protocol: ChannelProtocol,
  runtime: SpdyConnection,
  ports: readonly number[],
): Promise<void> {
  const wire = new Wire(client, protocol, runtime);
  const data = ports.map((port, i) => {
    const headers = { port: String(port), requestid: String(i) };
    const errors = runtime.open({ ...headers, streamtype: 'error' }, true);
    const stream = runtime.open({ ...headers, streamtype: 'data' });
    const mark = Buffer.from([port & 0xff, port >>> 8]);
    wire.send(2 * i, mark);
    wire.send(2 * i + 1, mark);
    wire.receive(stream, 2 * i);
    wire.receive(errors, 2 * i + 1);
    return stream;
  });
  let open = data.length;
  const allOver = new Promise<void>((resolve) => {
    for (const stream of data) {
      const one = () => {
        if (--open === 0) resolve();
      };
      stream.onEnd = one;
      stream.onReset = one;
    }
  });
  wire.onMessage((channel, bytes) => {
    const stream = channel % 2 === 0 ? data[channel / 2] : undefined;
    if (stream !== undefined) wire.forward(stream, bytes);
  });
  const gone = new Promise<void>((resolve) => void client.once('close', () => resolve()));
  await Promise.race([allOver, runtime.closed, gone]);
  client.close(NORMAL_CLOSURE);
  runtime.close();
}

/** Messages in both directions with back pressure. */
class Wire {
  readonly #client: WebSocket;
  readonly #protocol: ChannelProtocol;
  readonly #runtime: SpdyConnection;
  #paused = false;

  constructor(client: WebSocket, protocol: ChannelProtocol, runtime: SpdyConnection) {
    this.#client = client;
    this.#protocol = protocol;
    this.#runtime = runtime;
  }

  send(channel: number, data: Uint8Array): void {
    const client = this.#client;
    if (client.readyState !== client.OPEN) return;
    client.send(encodeChannel(this.#protocol, channel, data), () => {
      if (!this.#paused || client.bufferedAmount > LOW_WATER_BYTES) return;
      this.#paused = false;
      this.#runtime.resume();
    });
    if (!this.#paused && client.bufferedAmount > HIGH_WATER_BYTES) {
      this.#paused = true;
      this.#runtime.pause();
    }
  }

  receive(stream: SpdyStream, channel: number): void {
    stream.onData = (chunk) => this.send(channel, chunk);
  }

  forward(stream: SpdyStream, data: Uint8Array): void {
    if (stream.write(data)) return;
    this.#client.pause();
    void this.#runtime.drained().then(() => this.#client.resume());
  }

  onMessage(handler: (channel: number, data: Buffer) => void): void {
    this.#client.on('message', (message) => {
      const bytes = Buffer.isBuffer(message) ? message : Buffer.concat(message as Buffer[]);
      const decoded = decodeChannel(this.#protocol, bytes);
      if (decoded !== undefined) handler(decoded.channel, decoded.data);
    });
  }
}
