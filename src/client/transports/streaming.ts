// Streams into pods through an API server: port-forward (the WebSocket tunnel first, as kubectl does, then SPDY/3.1 where the server has
// no tunnel) and exec over WebSocket. One connection each; it is over when the stream is.
import type { IncomingMessage } from 'node:http';
import tls from 'node:tls';
import net from 'node:net';
import { Duplex } from 'node:stream';
import { createWebSocketStream, WebSocket } from 'ws';
import { StatusError } from '#machinery/status.ts';
import {
  CHANNEL,
  type ChannelProtocol,
  decodeChannel,
  encodeChannel,
  PORT_FORWARD_TUNNEL,
  REMOTE_COMMAND_PROTOCOLS,
} from '#streams/channels.ts';
import { readText, upgradeOver } from '#streams/http-upgrade.ts';
import { SpdyConnection } from '#streams/spdy.ts';
import type { HttpsTransportOptions } from './https.ts';
import { unreachable } from './transport.ts';

const CONNECT_TIMEOUT_MS = 10_000;
const SPDY_PORT_FORWARD = 'portforward.k8s.io';
/** Bytes of output that a command may print; more is cut. */
const MAX_OUTPUT_BYTES = 1024 * 1024;

export interface PodName {
  readonly namespace: string;
  readonly pod: string;
}

/** A SPDY connection into the pod's network: two streams (error, data) for each connection to a port. Throws StatusError. */
export async function dialPortForward(options: HttpsTransportOptions, at: PodName): Promise<SpdyConnection> {
  const path = `/api/v1/namespaces/${encodeURIComponent(at.namespace)}/pods/${encodeURIComponent(at.pod)}/portforward`;
  try {
    const socket = await openWebSocket(options, path, PORT_FORWARD_TUNNEL);
    const stream = createWebSocketStream(socket);
    stream.on('error', () => stream.destroy());
    return new SpdyConnection(stream, { role: 'client' });
  } catch (error) {
    if (!(error instanceof StatusError) || !speaksNoTunnel(error)) throw error;
    return new SpdyConnection(await openSpdy(options, path), { role: 'client' });
  }
}

/** What servers without the tunnel answer to it: upgrade required, bad request, not implemented, or a plain 200. */
const speaksNoTunnel = ({ code }: StatusError): boolean =>
  code === 400 || code === 405 || code === 426 || code === 501 || code === 200;

export interface ExecOutput {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

export interface RunningExec {
  /** What is written goes to the command's stdin, what is read is its stdout. Destroying it ends the session. */
  readonly stream: Duplex;
  /** What it has complained about so far. */
  stderr(): string;
  /** Its exit code; rejects when it did not run. */
  readonly exited: Promise<number>;
}

/** A command in a container whose stdin and stdout are one stream. Throws StatusError when the server refuses. */
export async function openExec(
  options: HttpsTransportOptions,
  at: PodName & { readonly container: string },
  command: readonly string[],
): Promise<RunningExec> {
  const query = new URLSearchParams({ container: at.container, stdin: 'true', stdout: 'true', stderr: 'true' });
  for (const word of command) query.append('command', word);
  const path = `/api/v1/namespaces/${encodeURIComponent(at.namespace)}/pods/${encodeURIComponent(at.pod)}/exec?${query}`;
  const [v5, v4] = [protocolOf('v5.channel.k8s.io'), protocolOf('v4.channel.k8s.io')];
  const socket = await openWebSocket(options, path, `${v5.name}, ${v4.name}`);
  const protocol = socket.agreed === v4.name ? v4 : v5;
  const complaints: Buffer[] = [];
  const status: Buffer[] = [];
  const stream = new Duplex({
    read: () => void socket.resume(),
    write: (chunk: Buffer, _encoding, done) =>
      socket.send(encodeChannel(protocol, CHANNEL.stdin, chunk), (error) => done(error ?? null)),
    final(done) {
      if (protocol.halfClose && socket.readyState === socket.OPEN)
        socket.send(encodeChannel(protocol, CHANNEL.close, Buffer.from([CHANNEL.stdin])));
      done();
    },
    destroy(error, done) {
      socket.terminate();
      done(error);
    },
  });
  socket.on('message', (message: Buffer) => {
    const got = decodeChannel(protocol, message);
    if (got?.channel === CHANNEL.stdout && got.data.length > 0 && !stream.push(got.data)) socket.pause();
    else if (got?.channel === CHANNEL.stderr) complaints.push(Buffer.from(got.data));
    else if (got?.channel === CHANNEL.error) status.push(Buffer.from(got.data));
  });
  const exited = new Promise<number>((resolve, reject) => {
    socket.once('close', () => {
      stream.push(null);
      try {
        resolve(exitCodeOf(Buffer.concat(status).toString('utf8')));
      } catch (error) {
        reject(error);
      }
    });
  });
  socket.resume();
  // Whoever destroys the stream does not ask for the code.
  exited.catch(() => undefined);
  return { stream, stderr: () => Buffer.concat(complaints).toString('utf8'), exited };
}

/** One command in a container, to its end or to the signal's. Throws StatusError when it could not be started. */
export async function execInPod(
  options: HttpsTransportOptions,
  at: PodName & { readonly container: string },
  command: readonly string[],
  signal: AbortSignal,
): Promise<ExecOutput> {
  signal.throwIfAborted();
  const { stream, stderr, exited } = await openExec(options, at, command);
  const onAbort = () => void stream.destroy();
  signal.addEventListener('abort', onAbort, { once: true });
  stream.on('error', () => stream.destroy());
  stream.end();
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= MAX_OUTPUT_BYTES) chunks.push(chunk);
  });
  try {
    const exitCode = await exited;
    return { stdout: Buffer.concat(chunks).toString('utf8'), stderr: stderr(), exitCode };
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    stream.destroy();
  }
}

const protocolOf = (name: string): ChannelProtocol => REMOTE_COMMAND_PROTOCOLS.find((p) => p.name === name)!;

/** The Status on the error channel; throws it when the command did not run. */
function exitCodeOf(text: string): number {
  const status = JSON.parse(text === '' ? '{}' : text) as {
    readonly status?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly details?: { readonly causes?: readonly { readonly reason?: string; readonly message?: string }[] };
  };
  if (status.status === 'Success') return 0;
  const code = status.details?.causes?.find((c) => c.reason === 'ExitCode')?.message;
  if (code !== undefined) return Number(code);
  throw StatusError.internal(status.message ?? 'the command ended without a status');
}

interface AgreedSocket extends WebSocket {
  /** The subprotocol that the server chose. */
  agreed: string;
}

/** `protocol` is set and read by hand: names such as `SPDY/3.1+portforward.k8s.io` are no tokens, which `ws` refuses. */
async function openWebSocket(options: HttpsTransportOptions, path: string, protocol: string): Promise<AgreedSocket> {
  const headers = { ...(await authorization(options)), 'Sec-WebSocket-Protocol': protocol };
  const url = new URL(options.server);
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${url.protocol === 'http:' ? 'ws:' : 'wss:'}//${url.host}${prefixOf(url)}${path}`, {
      headers,
      perMessageDeflate: false,
      handshakeTimeout: CONNECT_TIMEOUT_MS,
      followRedirects: false,
      ...tlsOptions(options),
    }) as AgreedSocket;
    socket.on('upgrade', (response: IncomingMessage) => {
      socket.agreed = String(response.headers['sec-websocket-protocol'] ?? '');
      delete response.headers['sec-websocket-protocol'];
    });
    socket.once('unexpected-response', (_request, response: IncomingMessage) => {
      void readText(response).then(
        (text) => reject(statusOf(response.statusCode ?? 500, text)),
        (error) => reject(unreachable(options.server, error)),
      );
    });
    socket.on('error', (error) => reject(unreachable(options.server, error)));
    socket.once('open', () => {
      // Nothing may come before the caller listens.
      socket.pause();
      resolve(socket);
    });
  });
}

async function openSpdy(options: HttpsTransportOptions, path: string): Promise<Duplex> {
  const url = new URL(options.server);
  const outcome = await upgradeOver(await dial(options, url), {
    method: 'POST',
    path: `${prefixOf(url)}${path}`,
    headers: {
      host: url.host,
      ...(await authorization(options)),
      connection: 'Upgrade',
      upgrade: 'SPDY/3.1',
      'x-stream-protocol-version': SPDY_PORT_FORWARD,
      'content-length': '0',
    },
  }).catch((error: unknown) => {
    throw unreachable(options.server, error);
  });
  if (outcome.upgraded) return outcome.socket;
  throw statusOf(outcome.answer.status, await readText(outcome.answer.body));
}

function dial(options: HttpsTransportOptions, url: URL): Promise<Duplex> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve, reject) => {
    const failed = (error: Error) => reject(unreachable(options.server, error));
    if (url.protocol === 'http:') {
      const plain = net.connect({ host, port: Number(url.port || 80), noDelay: true }, () => resolve(plain));
      return void plain.once('error', failed);
    }
    const secure = tls.connect(
      { host, port: Number(url.port || 443), ALPNProtocols: ['http/1.1'], ...tlsOptions(options) },
      () => resolve(secure),
    );
    secure.once('error', failed);
  });
}

const prefixOf = (url: URL): string => url.pathname.replace(/\/$/, '');

async function authorization({ token }: HttpsTransportOptions): Promise<Readonly<Record<string, string>>> {
  const text = typeof token === 'function' ? await token() : token;
  return { 'user-agent': 'coracle', ...(text === undefined ? {} : { authorization: `Bearer ${text}` }) };
}

function tlsOptions({ server, ca, cert, key, serverName, insecureSkipTlsVerify }: HttpsTransportOptions) {
  const pem = (value: string | Uint8Array | undefined) => (value instanceof Uint8Array ? Buffer.from(value) : value);
  const host = new URL(server).hostname.replace(/^\[|\]$/g, '');
  // SNI must not be an address (RFC 6066).
  const servername = serverName ?? (net.isIP(host) === 0 ? host : undefined);
  return {
    ca: pem(ca),
    cert: pem(cert),
    key: pem(key),
    rejectUnauthorized: insecureSkipTlsVerify !== true,
    ...(servername === undefined ? {} : { servername }),
  };
}

function statusOf(code: number, text: string): StatusError {
  const status = parsed(text);
  if (status?.kind === 'Status') return StatusError.fromStatus(status as Parameters<typeof StatusError.fromStatus>[0]);
  return new StatusError(code, '', text.trim() === '' ? `the server answered ${code}` : text.trim());
}

/** Proxies and kubelets speak in plain text: no object then. */
function parsed(text: string): { readonly kind?: string } | undefined {
  try {
    return JSON.parse(text) as { readonly kind?: string };
  } catch {
    return undefined;
  }
}
