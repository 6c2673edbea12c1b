// pods/proxy, services/proxy, nodes/proxy: any HTTP request or upgrade, sent on to what `[scheme:]name[:port]` names. The part of the
// path behind the subresource is the path there. The Location header and links inside HTML pages are rewritten.
import type { Duplex } from 'node:stream';
import type { Pod, Service } from '#generated/api/core-v1.ts';
import type { ExchangeResponse } from '#machinery/exchange.ts';
import { StatusError } from '#machinery/status.ts';
import type { Backends } from '#tunnel/backends.ts';
import { find, type Lookup } from '../authentication/lookup.ts';
import {
  dialForProxy,
  dialKubelet,
  type KubeletAccess,
  passAnswer,
  proxyRequest,
  proxyUpgrade,
  type Target,
} from './proxy-backend.ts';
import { rewriteAnswer } from './proxy-html.ts';
import type { ConnectHandler, ConnectRequest } from './subresource.ts';

export interface ProxyDeps extends KubeletAccess {
  readonly pods: Lookup<Pod>;
  readonly services: Lookup<Service>;
}

export interface ProxyName {
  readonly secure: boolean;
  readonly name: string;
  readonly port: string;
}

/** `name`, `name:port`, `scheme:name`… as upstream splits it; undefined when it is none of these. */
export function parseProxyName(text: string): ProxyName | undefined {
  const parts = text.split(':');
  const [scheme, name, port] =
    parts.length === 1 ? ['', parts[0]!, ''] : parts.length === 2 ? ['', parts[0]!, parts[1]!] : parts;
  if (parts.length > 3 || name === undefined || name === '' || !['', 'http', 'https'].includes(scheme!))
    return undefined;
  return { secure: scheme === 'https', name, port: port ?? '' };
}

type Dial = (request: ConnectRequest, asked: ProxyName) => Promise<{ readonly backend: Duplex; readonly host: string }>;

function proxyHandler(resource: string, dial: Dial): ConnectHandler {
  const dialNamed = (request: ConnectRequest) => {
    const { name } = request.context.info;
    const asked = parseProxyName(name);
    if (asked === undefined) throw StatusError.badRequest(`invalid ${resource} request ${JSON.stringify(name)}`);
    return dial(request, asked);
  };
  return {
    name: 'proxy',
    resource: `/${resource}s`,
    needsObject: false,
    async serve(request): Promise<ExchangeResponse> {
      const { request: asked } = request.context;
      const { prefix, rest, query } = splitProxyPath(asked.path);
      // Relative links on the first page need the slash.
      if (rest === '' && (asked.method === 'GET' || asked.method === 'HEAD'))
        return { status: 301, headers: { location: `${prefix}/${query}` }, body: new Uint8Array(0) };
      const { backend, host } = await dialNamed(request);
      const answer = await proxyRequest(backend, asked, {
        path: `${rest === '' ? '/' : rest}${query}`,
        host,
        extraHeaders: forwardedFor(request, prefix),
      });
      const passed = passAnswer(answer, (name, value) =>
        name === 'location' && value.startsWith('/') ? `${prefix}${value}` : value,
      );
      return rewriteAnswer(passed, prefix, host);
    },
    async upgrade(request, upgrade) {
      const { prefix, rest, query } = splitProxyPath(upgrade.path);
      const { backend, host } = await dialNamed(request);
      const target: Target = {
        path: `${rest === '' ? '/' : rest}${query}`,
        host,
        extraHeaders: forwardedFor(request, prefix),
      };
      await proxyUpgrade(backend, upgrade, target);
    },
  };
}

/** The raw path cut behind `/proxy`: escapes stay as the client wrote them. */
export function splitProxyPath(target: string): {
  readonly prefix: string;
  readonly rest: string;
  readonly query: string;
} {
  const question = target.indexOf('?');
  const path = question < 0 ? target : target.slice(0, question);
  const parts = path.split('/');
  // ['', 'api', 'v1', 'namespaces', NS, 'pods', NAME, 'proxy', …] or ['', 'api', 'v1', 'nodes', NAME, 'proxy', …]
  const at = parts[3] === 'namespaces' ? 7 : 5;
  const rest = parts.slice(at + 1);
  return {
    prefix: parts.slice(0, at + 1).join('/'),
    rest: rest.length === 0 ? '' : `/${rest.join('/')}`,
    query: question < 0 ? '' : target.slice(question),
  };
}

function forwardedFor({ context }: ConnectRequest, prefix: string): Record<string, string> {
  const { headers, peer } = context.request;
  const before = headers['x-forwarded-for'];
  const host = headers['host'] ?? headers[':authority'];
  return {
    'x-forwarded-uri': `${prefix}${context.info.rest}`,
    'x-forwarded-proto': 'https',
    ...(host === undefined ? {} : { 'x-forwarded-host': host }),
    ...(peer.remoteAddress === undefined
      ? {}
      : { 'x-forwarded-for': before === undefined ? peer.remoteAddress : `${before}, ${peer.remoteAddress}` }),
  };
}

function portNumber(port: string, subject: string): number {
  const number = Number(port);
  if (!Number.isInteger(number) || number < 1 || number > 65_535)
    throw StatusError.badRequest(`invalid ${subject} request: port ${JSON.stringify(port)} is no port number`);
  return number;
}

export function proxyHandlers(deps: ProxyDeps): readonly ConnectHandler[] {
  const { backends } = deps;
  return [
    proxyHandler('pod', async ({ context }, { secure, name, port }) => {
      const pod = await find(deps.pods, context.info.namespace, name);
      if (pod === undefined) throw StatusError.notFound({ resource: 'pods' }, name);
      const number = port === '' ? firstPort(pod) : portNumber(port, 'pod');
      const ip = pod.status?.podIP ?? '';
      const node = pod.spec?.nodeName ?? '';
      if (ip === '' || node === '') throw StatusError.badRequest('address not allowed');
      return { backend: await dialForProxy(backends.pod(node, ip, number, secure)), host: `${ip}:${number}` };
    }),
    proxyHandler('service', async ({ context }, { secure, name, port }) => {
      const { namespace } = context.info;
      if ((await find(deps.services, namespace, name)) === undefined)
        throw StatusError.notFound({ resource: 'services' }, name);
      const backend = await dialForProxy(backends.service(namespace, name, port, secure));
      return { backend, host: `${name}.${namespace}.svc` };
    }),
    proxyHandler('node', async (_request, { secure, name, port }) => nodeBackend(deps, backends, name, port, secure)),
  ];
}

async function nodeBackend(deps: KubeletAccess, backends: Backends, name: string, port: string, secure: boolean) {
  const node = await find(deps.nodes, undefined, name);
  if (node === undefined) throw StatusError.notFound({ resource: 'nodes' }, name);
  const kubeletPort = node.status?.daemonEndpoints?.kubeletEndpoint?.Port;
  if (port === '' || Number(port) === kubeletPort) return { backend: await dialKubelet(deps, name), host: name };
  const number = portNumber(port, 'node');
  return { backend: await dialForProxy(backends.node(name, number, secure)), host: `${name}:${number}` };
}

/** The first declared container port; 80 when none is. */
function firstPort(pod: Pod): number {
  for (const container of pod.spec?.containers ?? []) {
    const port = container.ports?.[0]?.containerPort;
    if (port !== undefined) return port;
  }
  return 80;
}
