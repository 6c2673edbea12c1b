// exec, attach and port-forward at the kubelet's HTTPS API. The runtime's streaming server speaks SPDY: SPDY clients are joined with
// it byte by byte, WebSocket clients through the channel protocols or the port-forward tunnel.
import type { IncomingMessage } from 'node:http';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { createWebSocketStream } from 'ws';
import { StatusError } from '#machinery/status.ts';
import {
  type ChannelProtocol,
  PORT_FORWARD_PROTOCOLS,
  PORT_FORWARD_TUNNEL,
  REMOTE_COMMAND_PROTOCOLS,
} from '#streams/channels.ts';
import { readText, responseHead, upgradeOver } from '#streams/http-upgrade.ts';
import { relayPortForward } from '#streams/port-forward-relay.ts';
import { joinPortForward, joinRemoteCommand } from '#streams/remote-command.ts';
import { SpdyConnection } from '#streams/spdy.ts';
import { splice } from '#streams/splice.ts';
import { acceptWebSocket, isWebSocket, offeredProtocols } from '#streams/websocket.ts';
import type { NodeServer, StreamOptions } from './node-server.ts';

/** What the runtime's SPDY server is asked to speak: exit statuses as JSON. */
const REMOTE_COMMAND = 'v4.channel.k8s.io';
const PORT_FORWARD = 'portforward.k8s.io';
const PROTOCOL_HEADER = 'x-stream-protocol-version';

/** Throws StatusError while nothing is written yet; resolves when the session is over. */
export async function serveStream(
  server: NodeServer,
  message: IncomingMessage,
  socket: Duplex,
  url: URL,
): Promise<void> {
  const [, kind, namespace, pod, ...rest] = url.pathname.split('/').map(decodeURIComponent);
  if (namespace === undefined || pod === undefined) throw notFound();
  // /exec/NS/POD/CONTAINER, or with the pod's uid before the container.
  const container = rest.at(-1);
  const { searchParams: query } = url;
  switch (kind) {
    case 'exec':
    case 'attach': {
      if (container === undefined) throw notFound();
      const options = streamOptions(query, kind === 'exec');
      const target =
        kind === 'exec'
          ? await server.execUrl(namespace, pod, container, options)
          : await server.attachUrl(namespace, pod, container, options);
      if (!isWebSocket(message.headers)) return passThrough(message, socket, target);
      const protocol = chosen(REMOTE_COMMAND_PROTOCOLS, offeredProtocols(message.headers));
      const runtime = await dialRuntime(target, REMOTE_COMMAND);
      const client = await acceptWebSocket(message, socket, protocol.name);
      if (client === undefined) return void runtime.destroy();
      return joinRemoteCommand(client, protocol, new SpdyConnection(runtime, { role: 'client' }), options);
    }
    case 'portForward': {
      const ports = portsOf(query);
      const target = await server.portForwardUrl(namespace, pod, ports);
      if (!isWebSocket(message.headers)) return passThrough(message, socket, target);
      const offered = offeredProtocols(message.headers);
      const tunnelled = offered.includes(PORT_FORWARD_TUNNEL);
      const protocol = tunnelled ? undefined : chosen(PORT_FORWARD_PROTOCOLS, offered);
      if (!tunnelled && ports.length === 0) throw StatusError.badRequest('query parameter "port" is required');
      const runtime = await dialRuntime(target, PORT_FORWARD);
      const client = await acceptWebSocket(message, socket, protocol?.name ?? PORT_FORWARD_TUNNEL);
      if (client === undefined) return void runtime.destroy();
      if (protocol === undefined) return relayPortForward(createWebSocketStream(client), runtime);
      return joinPortForward(client, protocol, new SpdyConnection(runtime, { role: 'client' }), ports);
    }
    default:
      throw notFound();
  }
}

const notFound = (): StatusError => new StatusError(404, 'NotFound', '404 page not found\n');

function chosen(known: readonly ChannelProtocol[], offered: readonly string[]): ChannelProtocol {
  const names = offered.length === 0 ? [''] : offered;
  const found = known.find((p) => names.includes(p.name));
  if (found === undefined)
    throw StatusError.badRequest(
      `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${known
        .map((p) => p.name)
        .filter((n) => n !== '')
        .join(' ')}]`,
    );
  return found;
}

/** The kubelet's names for the options; the API server's own (stdin, …) are understood too, as upstream's clients mix them. */
function streamOptions(query: URLSearchParams, needsCommand: boolean): StreamOptions {
  const on = (...names: string[]): boolean => names.some((n) => ['1', 'true'].includes(query.get(n) ?? ''));
  const command = query.getAll('command');
  const tty = on('tty');
  const options = {
    command,
    tty,
    stdin: on('input', 'stdin'),
    stdout: on('output', 'stdout'),
    stderr: on('error', 'stderr'),
  };
  if (needsCommand && command.length === 0)
    throw StatusError.badRequest('you must specify at least 1 command for the container');
  if (!options.stdin && !options.stdout && !options.stderr)
    throw StatusError.badRequest('you must specify at least 1 of stdin, stdout, stderr');
  return { ...options, stderr: options.stderr && !tty };
}

function portsOf(query: URLSearchParams): readonly number[] {
  return query
    .getAll('port')
    .flatMap((value) => value.split(','))
    .filter((value) => value !== '')
    .map((value) => {
      const port = Number(value);
      if (!Number.isInteger(port) || port < 1 || port > 65_535)
        throw StatusError.badRequest(`port ${JSON.stringify(value)} must be an integer between 1 and 65535`);
      return port;
    });
}

/** The runtime listens on loopback of this node. */
function connectTo(target: URL): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: target.hostname, port: Number(target.port || 80), noDelay: true });
    const failed = (error: Error) =>
      reject(
        StatusError.internal(
          `the container runtime's streaming server at ${target.host} does not answer: ${error.message}`,
          error,
        ),
      );
    socket.once('error', failed);
    socket.once('connect', () => {
      socket.off('error', failed);
      socket.on('error', () => socket.destroy());
      resolve(socket);
    });
  });
}

async function upgradeAt(target: string, method: string, versions: readonly string[]) {
  const url = new URL(target);
  return upgradeOver(await connectTo(url), {
    method,
    path: `${url.pathname}${url.search}`,
    headers: {
      host: url.host,
      connection: 'Upgrade',
      upgrade: 'SPDY/3.1',
      ...(method === 'POST' ? { 'content-length': '0' } : {}),
      ...(versions.length === 0 ? {} : { [PROTOCOL_HEADER]: versions }),
    },
  });
}

async function dialRuntime(target: string, version: string): Promise<Duplex> {
  const outcome = await upgradeAt(target, 'POST', [version]);
  if (outcome.upgraded) return outcome.socket;
  throw new StatusError(
    outcome.answer.status >= 400 ? outcome.answer.status : 500,
    '',
    await readText(outcome.answer.body),
  );
}

/** The client's own SPDY connection, joined with the runtime's. */
async function passThrough(message: IncomingMessage, socket: Duplex, target: string): Promise<void> {
  const versions = (message.headersDistinct[PROTOCOL_HEADER] ?? []).flatMap((v) => v.split(',')).map((v) => v.trim());
  const outcome = await upgradeAt(target, 'POST', versions);
  if (!outcome.upgraded) throw new StatusError(outcome.answer.status, '', await readText(outcome.answer.body));
  socket.write(responseHead(101, 'Switching Protocols', outcome.rawHeaders));
  await splice(socket, outcome.socket);
}
