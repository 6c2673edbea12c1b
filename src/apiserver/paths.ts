// Paths that are no resources: discovery, health, version, metrics, OpenAPI, the list of paths.
import type { MetricsRegistry } from '#base/metrics.ts';
import type { ExchangeResponse } from '#machinery/exchange.ts';
import { StatusError } from '#machinery/status.ts';
import type { RequestContext } from './context.ts';
import type { Discovery } from './discovery.ts';
import type { Health } from './health.ts';
import { jsonBytes, text } from './responses.ts';
import { pathNotFound, type ServedResources } from './served.ts';

/** A prefix of paths served elsewhere (OpenAPI, the key set of service account tokens, …). */
export interface PathRoute {
  /** Exact path, or a prefix when it ends with a slash. */
  readonly path: string;
  serve(context: RequestContext): ExchangeResponse | undefined | Promise<ExchangeResponse | undefined>;
}

export interface PathHandlerDeps {
  readonly discovery: Discovery;
  readonly health: Health;
  readonly metrics: MetricsRegistry;
  readonly resources: ServedResources;
  readonly version: object;
  readonly routes: readonly PathRoute[];
}

export class PathHandler {
  readonly #deps: PathHandlerDeps;

  constructor(deps: PathHandlerDeps) {
    this.#deps = deps;
  }

  async serve(context: RequestContext): Promise<ExchangeResponse> {
    const { request, info } = context;
    const { path } = info;
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      for (const route of this.#deps.routes)
        if (matches(route, path)) return (await route.serve(context)) ?? notFound();
      if (path.startsWith('/api'))
        throw new StatusError(
          405,
          'MethodNotAllowed',
          'the server does not allow this method on the requested resource',
          {},
        );
      throw pathNotFound();
    }
    if (path.startsWith('/api')) {
      const found = this.#deps.discovery.serve(request, path);
      if (found !== undefined) return found;
    }
    switch (path) {
      case '/':
        return indented({ paths: this.#paths() });
      case '/version':
      case '/version/':
        return indented(this.#deps.version);
      case '/metrics':
        return {
          status: 200,
          headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
          body: Buffer.from(await scrape(this.#deps.metrics)),
        };
    }
    const health = await this.#deps.health.serve(path, info.query);
    if (health !== undefined) return health;
    for (const route of this.#deps.routes) {
      if (!matches(route, path)) continue;
      const answer = await route.serve(context);
      if (answer !== undefined) return answer;
    }
    throw pathNotFound();
  }

  #paths(): string[] {
    const out = ['/api', '/apis'];
    for (const [group, versions] of this.#deps.resources.groups()) {
      if (group !== '') out.push(`/apis/${group}`);
      for (const version of versions.keys()) out.push(group === '' ? `/api/${version}` : `/apis/${group}/${version}`);
    }
    for (const endpoint of ['/healthz', '/livez', '/readyz']) {
      out.push(endpoint);
      for (const name of this.#deps.health.names) out.push(`${endpoint}/${name}`);
    }
    out.push('/metrics', '/version', ...this.#deps.routes.map((r) => r.path.replace(/\/$/, '')));
    return out.toSorted();
  }
}

/** What upstream writes for people, whoever asks. */
const indented = (value: unknown): ExchangeResponse => jsonBytes(200, Buffer.from(JSON.stringify(value, undefined, 2)));

const matches = (route: PathRoute, path: string): boolean =>
  route.path.endsWith('/') ? path.startsWith(route.path) || `${path}/` === route.path : path === route.path;

const notFound = (): ExchangeResponse => text(404, '404 page not found\n');

/** In pieces, so that a scrape never blocks the loop for long. */
async function scrape(registry: MetricsRegistry): Promise<string> {
  let out = '';
  let pieces = 0;
  for (const piece of registry.print()) {
    out += piece;
    if (++pieces % 20 === 0) await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return out;
}
