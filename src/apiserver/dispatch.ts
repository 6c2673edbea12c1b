// From an authorized request to the code that answers it: verbs, subresources, discovery, health and the other paths.
import type { Clock } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import type { ExchangeResponse, UpgradeRequest } from '#machinery/exchange.ts';
import { StatusError } from '#machinery/status.ts';
import { isWebSocket } from '#streams/websocket.ts';
import type { AggregatedRoutes } from './aggregation/proxy.ts';
import type { AdmissionChain } from './admission-chain.ts';
import { forbidden } from './authorization/forbidden.ts';
import { readComputed } from './computed.ts';
import type { RequestContext } from './context.ts';
import type { Authorizer } from './pipeline.ts';
import { attributesOf } from './handler.ts';
import type { PathHandler } from './paths.ts';
import { PROTOBUF, ProtobufReader } from './protobuf.ts';
import { isReview, review, type ReviewDeps } from './reviews.ts';
import { pathNotFound, type Served, type ServedResources } from './served.ts';
import { bind } from './subresources/binding.ts';
import type { ConnectHandler, ConnectRequest, Subresource, SubresourceDeps } from './subresources/subresource.ts';
import { create, update } from './verbs/create.ts';
import { patch } from './verbs/patch.ts';
import { get, list, readEntry } from './verbs/read.ts';
import { watch } from './verbs/watch.ts';
import { agreeOnFraming, answerOverWebSocket } from './websocket-answer.ts';

/** A path that is no resource and is always upgraded (the nodes' tunnels). Authenticated and authorized when it gets here. */
export interface UpgradeRoute {
  readonly path: string;
  /** Takes over the socket and writes the response head itself; what it throws before that is sent as a Status. */
  upgrade(context: RequestContext, upgrade: UpgradeRequest): Promise<void>;
}

export interface DispatchDeps extends SubresourceDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly resources: ServedResources;
  readonly subresources: readonly Subresource[];
  readonly connect: readonly ConnectHandler[];
  readonly upgrades: readonly UpgradeRoute[];
  readonly admission: AdmissionChain;
  readonly authorizer: Authorizer;
  readonly reviews: ReviewDeps;
  readonly paths: PathHandler;
  /** Paths that aggregated servers answer. */
  readonly aggregated?: AggregatedRoutes;
  /** Aborts when the server stops: ends watches. */
  readonly stopping: AbortSignal;
}

/** Subresources that need the right to create even when they are asked for with GET (WebSockets know nothing else). */
const CREATE_SUBRESOURCES: ReadonlySet<string> = new Set(['exec', 'attach', 'portforward']);

const methodNotAllowed = (): StatusError =>
  new StatusError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {});

export class Dispatcher {
  readonly #deps: DispatchDeps;
  /** `name group/resource` or `name` → subresource. */
  readonly #subresources = new Map<string, Subresource>();
  readonly #connect = new Map<string, ConnectHandler>();
  /** Loaded with the first body that needs it. */
  #protobuf: Promise<ProtobufReader> | undefined;

  constructor(deps: DispatchDeps) {
    this.#deps = deps;
    for (const s of deps.subresources)
      this.#subresources.set(s.resource === undefined ? s.name : `${s.name} ${s.resource}`, s);
    for (const h of deps.connect) this.#connect.set(`${h.name} ${h.resource}`, h);
  }

  async serve(context: RequestContext): Promise<ExchangeResponse> {
    const { info } = context;
    const elsewhere = this.#deps.aggregated?.route(info);
    if (elsewhere !== undefined) return elsewhere.serve(context);
    if (!info.isResourceRequest) return this.#deps.paths.serve(context);
    if (context.request.headers['content-type']?.startsWith(PROTOBUF) === true) await this.#fromProtobuf(context);
    const served = this.#served(context);
    if (served.version.deprecationWarning !== undefined) context.warn(served.version.deprecationWarning);
    if (info.subresource !== '') return this.#subresource(served, context);
    if (isReview(served)) {
      if (info.verb !== 'create') throw methodNotAllowed();
      const answer = await review(served, context, this.#deps.codec, this.#deps.reviews);
      if (answer === undefined) throw pathNotFound();
      return answer;
    }
    if (!served.verbs.has(info.verb)) throw methodNotAllowed();
    if (served.source !== undefined) return readComputed(served, served.source, context);
    switch (info.verb) {
      case 'get':
        return get(served, context);
      case 'list':
        return list(served, context, this.#deps.clock);
      case 'watch':
        return watch(served, context, this.#deps);
      case 'create':
        if (served.definition.namespaced && info.namespace === '') throw methodNotAllowed();
        if (info.name !== '') throw methodNotAllowed();
        if (served.definition.group === '' && served.definition.resource === 'bindings')
          return bind(this.#deps.resources.get('', 'v1', 'pods'), context, '', this.#deps);
        return create(served, context, this.#deps);
      case 'update':
        return update(served, context, '', this.#deps);
      case 'patch':
        return patch(served, context, '', this.#deps);
      case 'delete':
        return this.#deps.deleter.delete(served, context);
      case 'deletecollection':
        if (served.definition.namespaced && info.namespace === '') throw methodNotAllowed();
        return this.#deps.deleter.deleteCollection(served, context);
      default:
        throw methodNotAllowed();
    }
  }

  async #fromProtobuf(context: RequestContext): Promise<void> {
    const { request } = context;
    const { body } = request;
    this.#protobuf ??= ProtobufReader.load();
    const reader = await this.#protobuf;
    context.request = {
      method: request.method,
      path: request.path,
      peer: request.peer,
      signal: request.signal,
      headers: { ...request.headers, 'content-type': 'application/json' },
      body: body === undefined || body.length === 0 ? body : reader.toJson(body),
    };
  }

  async upgrade(context: RequestContext, upgrade: UpgradeRequest): Promise<void> {
    const { info } = context;
    const elsewhere = this.#deps.aggregated?.route(info);
    if (elsewhere !== undefined) return elsewhere.upgrade(context, upgrade);
    if (!info.isResourceRequest) {
      const route = this.#deps.upgrades.find((r) => r.path === info.path);
      if (route === undefined) throw StatusError.badRequest('this path cannot be upgraded');
      return route.upgrade(context, upgrade);
    }
    const served = this.#served(context);
    const handler = this.#connectHandler(served, info.subresource);
    if (isWebSocket(upgrade.headers) && (info.verb === 'watch' || handler?.name === 'log')) {
      const framing = agreeOnFraming(upgrade.headers, info.verb === 'watch');
      return answerOverWebSocket(await this.serve(context), upgrade, framing);
    }
    if (handler?.upgrade === undefined)
      throw info.subresource === '' ? StatusError.badRequest('this path cannot be upgraded') : pathNotFound();
    await handler.upgrade(await this.#connecting(served, context, handler), upgrade);
  }

  #served(context: RequestContext): Served {
    const { info } = context;
    const served = this.#deps.resources.get(info.apiGroup, info.apiVersion, info.resource);
    // Things in no namespace are not found in one; single things in a namespace are not found outside.
    if (served.definition.namespaced) {
      if (info.namespace === '' && info.name !== '') throw pathNotFound();
    } else if (info.namespace !== '' && info.resource !== 'namespaces') throw pathNotFound();
    return served;
  }

  async #subresource(served: Served, context: RequestContext): Promise<ExchangeResponse> {
    const { info } = context;
    const connect = this.#connectHandler(served, info.subresource);
    if (connect !== undefined) {
      const request = await this.#connecting(served, context, connect);
      if (connect.serve === undefined) throw StatusError.badRequest('Upgrade request required');
      return connect.serve(request);
    }
    if (!served.subresources.has(info.subresource) || (info.rest !== '' && info.rest !== '/')) throw pathNotFound();
    const own = `${served.definition.group}/${served.definition.resource}`;
    const subresource =
      this.#subresources.get(`${info.subresource} ${own}`) ?? this.#subresources.get(info.subresource);
    if (subresource === undefined) throw pathNotFound();
    if (!subresource.verbs.includes(info.verb)) throw methodNotAllowed();
    return subresource.serve(served, context, this.#deps);
  }

  #connectHandler(served: Served, subresource: string): ConnectHandler | undefined {
    return this.#connect.get(`${subresource} ${served.definition.group}/${served.definition.resource}`);
  }

  /** Looks the object up and asks admission (CONNECT). */
  async #connecting(served: Served, context: RequestContext, handler: ConnectHandler): Promise<ConnectRequest> {
    const { info } = context;
    if (CREATE_SUBRESOURCES.has(info.subresource) && info.verb === 'get') {
      const attributes = { ...attributesOf(context), verb: 'create' };
      const { decision, reason } = await this.#deps.authorizer.authorize(attributes);
      if (decision !== 'allow') throw forbidden(attributes, reason);
    }
    const object = handler.needsObject ? (await readEntry(served, context)).object : undefined;
    if (info.subresource !== 'log') {
      await this.#deps.admission.check({
        user: context.user,
        operation: 'CONNECT',
        verb: 'connect',
        group: served.definition.group,
        version: served.version.version,
        resource: served.definition.resource,
        subresource: info.subresource,
        kind: served.definition.kind,
        namespace: info.namespace,
        name: info.name,
        oldObject: undefined,
        options: Object.fromEntries(info.query),
        dryRun: false,
        definition: served.definition,
        warn: (text) => context.warn(text),
        annotate: (key, value) => context.annotate(key, value),
      });
    }
    return { context, served, object };
  }
}
