// What connect subresources share: a request or an upgrade sent to a backend over a dialled connection, and its answer handed back.
// Credentials of the client end here: the backend sees the API server's.
import type { Duplex } from 'node:stream';
import type { Node } from '#generated/api/core-v1.ts';
import type { ExchangeRequest, ExchangeResponse, UpgradeRequest } from '#machinery/exchange.ts';
import { StatusError } from '#machinery/status.ts';
import { type HttpAnswer, readText, requestOver, responseHead, upgradeOver } from '#streams/http-upgrade.ts';
import { splice } from '#streams/splice.ts';
import type { Backends } from '#tunnel/backends.ts';
import { DialError } from '#tunnel/cluster-dialer.ts';
import type { Lookup } from '../authentication/lookup.ts';
import { find } from '../authentication/lookup.ts';

export interface KubeletAccess {
  readonly backends: Backends;
  readonly nodes: Lookup<Node>;
}

/** Upstream's kubelet port, for nodes that do not tell theirs yet. */
const DEFAULT_KUBELET_PORT = 10250;

/** A connection to a node's kubelet. Throws in upstream's words. */
export async function dialKubelet(access: KubeletAccess, nodeName: string): Promise<Duplex> {
  const node = await find(access.nodes, undefined, nodeName);
  if (node === undefined) throw StatusError.notFound({ resource: 'nodes' }, nodeName);
  const port = node.status?.daemonEndpoints?.kubeletEndpoint?.Port ?? DEFAULT_KUBELET_PORT;
  try {
    return await access.backends.kubelet(nodeName, port === 0 ? DEFAULT_KUBELET_PORT : port);
  } catch (error) {
    throw new StatusError(500, 'InternalError', `error dialing backend: ${(error as Error).message}`, undefined, {
      cause: error,
    });
  }
}

/** Connections of proxies: not reached is 503, as upstream's proxy answers. */
export async function dialForProxy(dialing: Promise<Duplex>): Promise<Duplex> {
  try {
    return await dialing;
  } catch (error) {
    if (error instanceof DialError && (error.code === 'NO_ENDPOINTS' || error.code === 'NO_SERVICE'))
      throw StatusError.serviceUnavailable(error.message);
    throw StatusError.serviceUnavailable(`error trying to reach service: ${(error as Error).message}`);
  }
}

/** Hop-by-hop headers, credentials, and what the sender of the next hop sets itself. */
const NOT_FORWARDED: ReadonlySet<string> = new Set([
  'authorization',
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

type Headers = Record<string, string | readonly string[]>;

export function forwardedHeaders(headers: Readonly<Record<string, string>>, isUpgrade: boolean): Headers {
  const out: Headers = {};
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(':') || NOT_FORWARDED.has(name)) continue;
    if (name.startsWith('impersonate-') || name.startsWith('x-remote-')) continue;
    // Sent as lines of their own: old servers do not split the list.
    out[name] = name === 'x-stream-protocol-version' ? value.split(',').map((v) => v.trim()) : value;
  }
  if (isUpgrade) {
    out['connection'] = 'Upgrade';
    out['upgrade'] = headers['upgrade'] ?? '';
    if (headers['content-length'] !== undefined) out['content-length'] = headers['content-length'];
  }
  return out;
}

export interface Target {
  /** Path and query at the backend. */
  readonly path: string;
  readonly host: string;
  readonly extraHeaders?: Readonly<Record<string, string | readonly string[]>>;
}

/** One request to the backend. */
export async function proxyRequest(backend: Duplex, request: ExchangeRequest, target: Target): Promise<HttpAnswer> {
  try {
    return await requestOver(backend, {
      method: request.method,
      path: target.path,
      headers: {
        ...forwardedHeaders(request.headers, false),
        ...target.extraHeaders,
        host: target.host,
        ...(request.body === undefined ? {} : { 'content-length': String(request.body.length) }),
      },
      body: request.body,
      signal: request.signal,
    });
  } catch (error) {
    throw StatusError.serviceUnavailable(`error trying to reach service: ${(error as Error).message}`);
  }
}

/** An upgrade, handed through: the client gets the backend's own answer. Resolves when the session is over. */
export async function proxyUpgrade(backend: Duplex, upgrade: UpgradeRequest, target: Target): Promise<void> {
  const client = upgrade.socket;
  const onGone = () => backend.destroy();
  client.once('close', onGone);
  try {
    const outcome = await upgradeOver(backend, {
      method: upgrade.method,
      path: target.path,
      headers: { ...forwardedHeaders(upgrade.headers, true), ...target.extraHeaders, host: target.host },
    });
    if (outcome.upgraded) {
      client.write(responseHead(101, 'Switching Protocols', outcome.rawHeaders));
      await splice(client, outcome.socket);
      return;
    }
    const { answer } = outcome;
    const text = Buffer.from(await readText(answer.body));
    const type = answer.headers['content-type'] ?? 'text/plain; charset=utf-8';
    const headers = ['Content-Type', type, 'Content-Length', String(text.length), 'Connection', 'close'];
    client.write(responseHead(answer.status, answer.statusText, headers));
    client.end(text);
  } catch (error) {
    backend.destroy();
    throw StatusError.internal(`error dialing backend: ${(error as Error).message}`, error);
  } finally {
    client.off('close', onGone);
  }
}

/** The backend's answer as ours: status, headers that are for the client, body in chunks. */
export function passAnswer(
  answer: HttpAnswer,
  rewrite: (name: string, value: string) => string = (_, v) => v,
): ExchangeResponse {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(answer.headers)) {
    if (HOP_HEADERS.has(name)) continue;
    headers[name] = rewrite(name, Array.isArray(value) ? value.join(', ') : value);
  }
  return { status: answer.status, headers, body: answer.body as unknown as AsyncIterable<Uint8Array> };
}

const HOP_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** A kubelet's plain error as the Status that clients of the API understand. */
export async function kubeletError(answer: HttpAnswer): Promise<StatusError> {
  const message = await readText(answer.body);
  switch (answer.status) {
    case 400:
      return StatusError.badRequest(message);
    case 401:
      return StatusError.unauthorized(message);
    case 403:
      return new StatusError(403, 'Forbidden', message);
    case 404:
      return new StatusError(404, 'NotFound', message);
    case 503:
      return StatusError.serviceUnavailable(message);
    default:
      return answer.status >= 500 ? StatusError.internal(message) : new StatusError(answer.status, '', message);
  }
}
