// Requests and upgrades handed on to the server behind an APIService. Who may ask has been decided when they get here.
import type { Duplex } from 'node:stream';
import type { ExchangeResponse, UpgradeRequest } from '#machinery/exchange.ts';
import { responseHead } from '#streams/http-upgrade.ts';
import type { RequestContext } from '../context.ts';
import type { RequestInfo } from '../pipeline.ts';
import { text } from '../responses.ts';
import { passAnswer, proxyRequest, proxyUpgrade, type Target } from '../subresources/proxy-backend.ts';
import { type RemoteServer, remoteHeaders } from './remote-server.ts';

export interface AggregatedRoutes {
  /** Who answers that path; undefined when this server itself does. Called for every request. */
  route(info: RequestInfo): AggregatedRoute | undefined;
}

export interface AggregatedRoute {
  serve(context: RequestContext): Promise<ExchangeResponse>;
  upgrade(context: RequestContext, upgrade: UpgradeRequest): Promise<void>;
}

/** `/apis/GROUP/VERSION` and what is below it belong to the APIService `VERSION.GROUP`. */
export function apiServiceName({ isResourceRequest, apiGroup, apiVersion, path }: RequestInfo): string | undefined {
  if (isResourceRequest) return `${apiVersion}.${apiGroup}`;
  const [, root, first, second] = path.split('/');
  if (root === 'apis' && first !== undefined && second !== undefined && second !== '') return `${second}.${first}`;
  return root === 'api' && first !== undefined && first !== '' ? `${first}.` : undefined;
}

const unavailable = (message: string): ExchangeResponse => text(503, `${message}\n`);

export class RemoteRoute implements AggregatedRoute {
  readonly #server: RemoteServer;
  readonly #isAvailable: () => boolean;

  constructor(server: RemoteServer, isAvailable: () => boolean) {
    this.#server = server;
    this.#isAvailable = isAvailable;
  }

  async serve(context: RequestContext): Promise<ExchangeResponse> {
    if (!this.#isAvailable()) return unavailable('service unavailable');
    try {
      const backend = await this.#server.dial();
      return passAnswer(await proxyRequest(backend, context.request, this.#target(context, context.request.path)));
    } catch (error) {
      return unavailable(reached((error as Error).message));
    }
  }

  async upgrade(context: RequestContext, upgrade: UpgradeRequest): Promise<void> {
    let backend: Duplex;
    try {
      if (!this.#isAvailable()) throw new Error('service unavailable');
      backend = await this.#server.dial();
    } catch (error) {
      const body = Buffer.from(`${(error as Error).message}\n`);
      const type = ['Content-Type', 'text/plain; charset=utf-8', 'Content-Length', String(body.length)];
      upgrade.socket.write(responseHead(503, 'Service Unavailable', [...type, 'Connection', 'close']));
      upgrade.socket.end(body);
      return;
    }
    await proxyUpgrade(backend, upgrade, this.#target(context, upgrade.path));
  }

  #target({ user, request }: RequestContext, path: string): Target {
    const { headers, peer } = request;
    const before = headers['x-forwarded-for'];
    const asked = headers['host'] ?? headers[':authority'];
    return {
      path,
      host: this.#server.host,
      extraHeaders: {
        ...remoteHeaders(user),
        'x-forwarded-proto': 'https',
        'x-forwarded-uri': path.split('?')[0]!,
        ...(asked === undefined ? {} : { 'x-forwarded-host': asked }),
        ...(peer.remoteAddress === undefined
          ? {}
          : { 'x-forwarded-for': before === undefined ? peer.remoteAddress : `${before}, ${peer.remoteAddress}` }),
      },
    };
  }
}

const REACHED = 'error trying to reach service: ';
const reached = (message: string): string => (message.startsWith(REACHED) ? message : `${REACHED}${message}`);
