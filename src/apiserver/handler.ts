// The pipeline itself: request info → authentication → audit → impersonation → (flow control) → authorization → verb. Whatever
// goes wrong on the way becomes a Status; nothing rejects.
import type { Clock } from '#base/clock.ts';
import type { Log } from '#base/log.ts';
import { uuid, type Random } from '#base/random.ts';
import type { ExchangeRequest, ExchangeResponse, UpgradeRequest, UserInfo } from '#machinery/exchange.ts';
import { StatusError } from '#machinery/status.ts';
import { impersonate } from './authentication/impersonation.ts';
import { forbidden } from './authorization/forbidden.ts';
import { RequestContext } from './context.ts';
import type { Dispatcher } from './dispatch.ts';
import type {
  AuditSink,
  AuditStage,
  Authenticator,
  Authorizer,
  AuthorizerAttributes,
  RequestInfo,
} from './pipeline.ts';
import { parseRequestInfo } from './request-info.ts';
import type { RequestMetrics } from './request-metrics.ts';
import { errorResponse, warningHeader } from './responses.ts';

export interface HandlerDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: RequestMetrics;
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  readonly audit: AuditSink | undefined;
  readonly dispatcher: Dispatcher;
}

const NOBODY: UserInfo = { name: '', groups: [] };
/** Milliseconds a request that is no watch may take; upstream's --request-timeout. */
const REQUEST_TIMEOUT_MS = 60_000;
/** Subresources whose requests live as long as the client wants. */
const LONG_SUBRESOURCES: ReadonlySet<string> = new Set(['exec', 'attach', 'portforward', 'log', 'proxy']);

export class Handler {
  readonly #deps: HandlerDeps;

  constructor(deps: HandlerDeps) {
    this.#deps = deps;
  }

  async exchange(request: ExchangeRequest): Promise<ExchangeResponse> {
    const { clock, metrics } = this.#deps;
    const info = parseRequestInfo(request.method, request.path);
    if (info === undefined) return errorResponse(StatusError.badRequest('the path is not well-formed'));
    const context = this.#context(request, info);
    const started = clock.monotonic();
    const long = isLongRunning(info);
    metrics.started(info, long);
    let response: ExchangeResponse;
    let error: unknown;
    try {
      const served = this.#serve(context);
      response = long ? await served : await this.#inTime(served, context);
    } catch (thrown) {
      error = thrown;
      response = this.#failed(thrown, context);
    }
    metrics.finished(info, response.status, (clock.monotonic() - started) / 1000, response.body, long);
    if (!long || response.body instanceof Uint8Array) {
      this.#audit(context, 'ResponseComplete', response.status, error);
      return withHeaders(response, context);
    }
    this.#audit(context, 'ResponseStarted', response.status, error);
    const body = new EndingBody(response.body, () => {
      metrics.ended(info);
      this.#audit(context, 'ResponseComplete', response.status, undefined);
    });
    return withHeaders({ ...response, body }, context);
  }

  /** exec, attach, port-forward and proxied upgrades: the same filters, then the socket is handed over. */
  async upgrade(request: UpgradeRequest): Promise<void> {
    const info = parseRequestInfo(request.method, request.path);
    const plain: ExchangeRequest = {
      method: request.method,
      path: request.path,
      headers: request.headers,
      peer: request.peer,
      signal: request.signal,
    };
    if (info === undefined)
      return refuse(request, errorResponse(StatusError.badRequest('the path is not well-formed')));
    const context = this.#context(plain, info);
    this.#deps.metrics.started(info, true);
    try {
      await this.#identify(context);
      await this.#authorize(context);
      this.#audit(context, 'ResponseStarted', 101, undefined);
      await this.#deps.dispatcher.upgrade(context, request);
      this.#audit(context, 'ResponseComplete', 101, undefined);
    } catch (error) {
      const response = this.#failed(error, context);
      this.#audit(context, 'ResponseComplete', response.status, error);
      refuse(request, withHeaders(response, context));
    } finally {
      this.#deps.metrics.ended(info);
    }
  }

  #context(request: ExchangeRequest, info: RequestInfo): RequestContext {
    const asked = request.headers['audit-id'];
    const auditId = asked !== undefined && asked !== '' ? asked.slice(0, 64) : uuid(this.#deps.random);
    return new RequestContext(request, info, auditId, this.#deps.clock.now(), NOBODY);
  }

  async #serve(context: RequestContext): Promise<ExchangeResponse> {
    await this.#identify(context);
    await this.#authorize(context);
    return this.#deps.dispatcher.serve(context);
  }

  async #identify(context: RequestContext): Promise<void> {
    const { authenticator, authorizer } = this.#deps;
    const { request } = context;
    const found = await authenticator.authenticate(request);
    if (found === undefined) throw StatusError.unauthorized();
    context.user = found.user;
    if (found.warnings !== undefined) for (const text of found.warnings) context.warn(text);
    if (hasImpersonation(request.headers)) {
      const other = await impersonate(found.user, request.headers, authorizer);
      if (other !== undefined) {
        context.originalUser = found.user;
        context.user = other;
      }
    }
    this.#audit(context, 'RequestReceived', undefined, undefined);
  }

  async #authorize(context: RequestContext): Promise<void> {
    const attributes = attributesOf(context);
    const asked = this.#deps.authorizer.authorize(attributes);
    const { decision, reason } = asked instanceof Promise ? await asked : asked;
    if (decision !== 'allow') throw forbidden(attributes, reason);
  }

  /** Ends the wait, not the work: a write that is under way may still happen, as upstream. */
  #inTime(work: Promise<ExchangeResponse>, context: RequestContext): Promise<ExchangeResponse> {
    return new Promise((resolve, reject) => {
      const timer = this.#deps.clock.setTimer(timeoutMs(context.info), () =>
        reject(StatusError.timeout('request did not complete within the allotted timeout', 0)),
      );
      work.then(
        (response) => {
          timer.cancel();
          resolve(response);
        },
        (error: unknown) => {
          timer.cancel();
          reject(error);
        },
      );
    });
  }

  #failed(error: unknown, context: RequestContext): ExchangeResponse {
    if (!(error instanceof StatusError)) {
      this.#deps.log.error('request failed', {
        error,
        method: context.request.method,
        path: context.info.path,
        stack: error instanceof Error ? error.stack : undefined,
      });
    }
    return errorResponse(error);
  }

  #audit(context: RequestContext, stage: AuditStage, code: number | undefined, error: unknown): void {
    const { audit } = this.#deps;
    if (audit === undefined) return;
    const { request, info } = context;
    audit.record({
      auditId: context.auditId,
      stage,
      info,
      method: request.method,
      uri: request.path,
      user: context.originalUser ?? context.user,
      impersonatedUser: context.originalUser === undefined ? undefined : context.user,
      sourceIPs: request.peer.remoteAddress === undefined ? [] : [request.peer.remoteAddress],
      userAgent: request.headers['user-agent'] ?? '',
      code,
      message: error instanceof Error ? error.message : undefined,
      receivedMs: context.nowMs,
      annotations: context.annotations,
    });
  }
}

export function isLongRunning(info: RequestInfo): boolean {
  return info.verb === 'watch' || (info.isResourceRequest && LONG_SUBRESOURCES.has(info.subresource));
}

function timeoutMs(info: RequestInfo): number {
  if (info.query.size === 0) return REQUEST_TIMEOUT_MS;
  const asked = info.query.get('timeout');
  if (asked === null || asked === '') return REQUEST_TIMEOUT_MS;
  const ms = parseGoDuration(asked);
  return ms === undefined || ms <= 0 ? REQUEST_TIMEOUT_MS : Math.min(ms, REQUEST_TIMEOUT_MS);
}

/** `34s`, `1m30s`, `500ms`. */
function parseGoDuration(text: string): number | undefined {
  const units: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };
  let total = 0;
  let at = 0;
  while (at < text.length) {
    let end = at;
    while (end < text.length && ((text[end]! >= '0' && text[end]! <= '9') || text[end] === '.')) end++;
    let unitEnd = end;
    while (unitEnd < text.length && text[unitEnd]! >= 'a' && text[unitEnd]! <= 'z') unitEnd++;
    const unit = units[text.slice(end, unitEnd)];
    if (end === at || unit === undefined) return undefined;
    total += Number(text.slice(at, end)) * unit;
    at = unitEnd;
  }
  return total;
}

export function attributesOf({ user, info }: RequestContext): AuthorizerAttributes {
  const { isResourceRequest, verb, namespace, apiGroup, apiVersion, resource, subresource, name, path, query } = info;
  const base = { user, verb, isResourceRequest, namespace, apiGroup, apiVersion, resource, subresource, name, path };
  if (query.size === 0 || (verb !== 'list' && verb !== 'watch' && verb !== 'deletecollection')) return base;
  const labelSelector = query.get('labelSelector') ?? undefined;
  const fieldSelector = query.get('fieldSelector') ?? undefined;
  return { ...base, labelSelector, fieldSelector, name: name === '' ? nameSelected(fieldSelector) : name };
}

/** `metadata.name=x` names the object for rules with resourceNames, as upstream. */
function nameSelected(fieldSelector: string | undefined): string {
  for (const term of fieldSelector?.split(',') ?? []) {
    if (term.startsWith('metadata.name=')) return term.slice(term.indexOf('=') + (term[14] === '=' ? 2 : 1));
  }
  return '';
}

/** Any Impersonate-* header, Impersonate-Extra-* alone included. */
function hasImpersonation(headers: Readonly<Record<string, string>>): boolean {
  for (const name in headers) if (name.startsWith('impersonate-')) return true;
  return false;
}

/** A body that tells once when it is over: read to its end, given up or failed. */
class EndingBody implements AsyncIterable<Uint8Array>, AsyncIterator<Uint8Array> {
  readonly #source: AsyncIterator<Uint8Array>;
  #ended: (() => void) | undefined;

  constructor(source: AsyncIterable<Uint8Array>, ended: () => void) {
    this.#source = source[Symbol.asyncIterator]();
    this.#ended = ended;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    try {
      const result = await this.#source.next();
      if (result.done === true) this.#end();
      return result;
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    this.#end();
    await this.#source.return?.();
    return { done: true, value: undefined };
  }

  #end(): void {
    this.#ended?.();
    this.#ended = undefined;
  }
}

function withHeaders(response: ExchangeResponse, context: RequestContext): ExchangeResponse {
  const headers: Record<string, string> = { ...response.headers, 'audit-id': context.auditId };
  if (context.warnings.length > 0) headers.warning = warningHeader(context.warnings);
  return { status: response.status, headers, body: response.body };
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

/** An HTTP answer on a socket that was to be upgraded. */
function refuse({ socket }: UpgradeRequest, response: ExchangeResponse): void {
  if (socket.destroyed) return;
  const body = response.body as Uint8Array;
  const headers = Object.entries({ ...response.headers, 'content-length': String(body.length), connection: 'close' });
  socket.write(
    `HTTP/1.1 ${response.status} ${REASONS[response.status] ?? 'Error'}\r\n${headers.map(([k, v]) => `${k}: ${v}\r\n`).join('')}\r\n`,
  );
  socket.end(body);
}
