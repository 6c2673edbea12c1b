// The Client over any transport: paths and queries, JSON in and out, Status bodies as StatusError, and the patience
// that a busy server asks for (Retry-After).
import type { Status } from '#generated/api/meta-v1.ts';
import { type Clock, sleep } from '#base/clock.ts';
import { type KubeList, type KubeObject, type ResourceRef, apiVersionOf } from '#machinery/object.ts';
import { type ExchangeResponse, readBody } from '#machinery/exchange.ts';
import { StatusError, type StatusReason } from '#machinery/status.ts';
import type {
  Client,
  DeleteOptions,
  ListOptions,
  PatchType,
  RawResponse,
  ResourceClient,
  Subresource,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from './client.ts';
import { deepFreeze } from './freeze.ts';
import { readLines } from './lines.ts';
import type { Transport } from './transports/transport.ts';

export interface ClientOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  /** `coracle-scheduler/0.1.0`: stands in audit logs and managedFields. */
  readonly userAgent: string;
  /** Freezes all results deeply: for tests and simulation. */
  readonly freeze?: boolean;
  /** Aborting fails everything that is under way, and all that follows. */
  readonly signal?: AbortSignal;
}

/** Tries in all for one request that is answered 429 or 503 with Retry-After (client-go has 10 retries). */
const MAX_TRIES = 11;
/** A server may ask for any wait; longer than this is cut. */
const MAX_RETRY_AFTER_MS = 30_000;

export function createClient(options: ClientOptions): Client {
  const requests = new Requests(options);
  return {
    resource: (ref) => new RestResourceClient(ref, requests),
    raw: (method, path, body, headers = {}, signal) => requests.send(method, path, body, headers, signal),
  };
}

/** `/api/v1/namespaces/default/pods/web/status` and its kin. An undefined namespace means all of them, or cluster scope. */
export function resourcePath(ref: ResourceRef, namespace?: string, name?: string, subresource?: Subresource): string {
  let path = ref.group === '' ? `/api/${ref.version}` : `/apis/${ref.group}/${ref.version}`;
  if (ref.namespaced && namespace !== undefined && namespace !== '') path += `/namespaces/${segment(namespace)}`;
  path += `/${ref.resource}`;
  if (name !== undefined) path += `/${segment(name)}`;
  if (subresource !== undefined) path += `/${subresource}`;
  return path;
}

/** Colons (RBAC names) are legal in a path and easier to read in logs. */
const segment = (text: string): string => encodeURIComponent(text).replaceAll('%3A', ':');

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

function withQuery(path: string, query: Query): string {
  const parts = Object.entries(query)
    .filter(([, value]) => value !== undefined && value !== '' && value !== false)
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
  return parts.length === 0 ? path : `${path}?${parts.join('&')}`;
}

/** The sending half, shared by all resources of a client. */
class Requests {
  readonly #options: ClientOptions;
  readonly #always: AbortSignal;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#always = options.signal ?? new AbortController().signal;
  }

  async send(
    method: string,
    path: string,
    body: Uint8Array | undefined,
    headers: Readonly<Record<string, string>>,
    signal?: AbortSignal,
  ): Promise<RawResponse> {
    const { transport, userAgent } = this.#options;
    return transport.request({
      method,
      path,
      headers: { 'user-agent': userAgent, accept: 'application/json', ...headers },
      ...(body === undefined ? {} : { body }),
      signal: this.#signal(signal),
    });
  }

  /** Sends JSON and waits as the server asks. Resolves with a successful response, else throws StatusError. */
  async call(
    method: string,
    path: string,
    body?: unknown,
    contentType = 'application/json',
    signal?: AbortSignal,
  ): Promise<ExchangeResponse> {
    const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const headers: Record<string, string> = bytes === undefined ? {} : { 'content-type': contentType };
    for (let tries = 1; ; tries++) {
      const response = await this.send(method, path, bytes, headers, signal);
      if (response.status >= 200 && response.status < 300) return response;
      const error = statusErrorOf(method, path, response.status, await readBody(response.body));
      const waitMs = retryAfterMs(response);
      if (waitMs === undefined || tries >= MAX_TRIES) throw error;
      await sleep(this.#options.clock, waitMs, this.#signal(signal));
    }
  }

  async json<R>(method: string, path: string, body?: unknown, contentType?: string): Promise<R> {
    const response = await this.call(method, path, body, contentType);
    return this.decode<R>(Buffer.from(await readBody(response.body)).toString('utf8'));
  }

  decode<R>(text: string): R {
    let value: R;
    try {
      value = JSON.parse(text) as R;
    } catch (cause) {
      throw StatusError.internal('the server answered with malformed JSON', cause);
    }
    return this.#options.freeze === true ? deepFreeze(value) : value;
  }

  #signal(signal: AbortSignal | undefined): AbortSignal {
    if (signal === undefined || signal === this.#always) return this.#always;
    return this.#options.signal === undefined ? signal : AbortSignal.any([signal, this.#options.signal]);
  }
}

class RestResourceClient<T extends KubeObject> implements ResourceClient<T> {
  readonly ref: ResourceRef<T>;
  readonly #requests: Requests;

  constructor(ref: ResourceRef<T>, requests: Requests) {
    this.ref = ref;
    this.#requests = requests;
  }

  get(namespace: string | undefined, name: string): Promise<T | undefined> {
    return undefinedWhenNotFound(name, () => this.#requests.json<T>('GET', this.#path(namespace, name)));
  }

  list({ namespace, ...query }: ListOptions = {}): Promise<KubeList<T>> {
    return this.#requests.json('GET', withQuery(resourcePath(this.ref, namespace), query));
  }

  async *watch({ namespace, ...query }: WatchOptions, signal: AbortSignal): AsyncGenerator<WatchEvent<T>> {
    // WatchList is only valid with this match (upstream refuses it otherwise).
    const match = query.sendInitialEvents === true ? { resourceVersionMatch: 'NotOlderThan' } : {};
    const path = withQuery(resourcePath(this.ref, namespace), { watch: 1, ...query, ...match });
    try {
      const response = await this.#requests.call('GET', path, undefined, undefined, signal);
      for await (const line of readLines(response.body)) {
        const event = this.#requests.decode<WatchEvent<T> | { readonly type: 'ERROR'; readonly object: Status }>(line);
        if (event.type === 'ERROR') throw StatusError.fromStatus(event.object);
        yield event;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  create(object: T, options: WriteOptions = {}): Promise<T> {
    return this.#requests.json('POST', withQuery(this.#collection(object), writeQuery(options)), this.#typed(object));
  }

  update(object: T, options: WriteOptions = {}): Promise<T> {
    return this.#requests.json('PUT', withQuery(this.#own(object), writeQuery(options)), this.#typed(object));
  }

  updateStatus(object: T, options: WriteOptions = {}): Promise<T> {
    return this.#requests.json('PUT', withQuery(this.#own(object, 'status'), writeQuery(options)), this.#typed(object));
  }

  patch(
    namespace: string | undefined,
    name: string,
    type: PatchType,
    patch: unknown,
    options: WriteOptions & { readonly subresource?: Subresource; readonly force?: boolean } = {},
  ): Promise<T> {
    const { subresource, force, ...write } = options;
    const path = withQuery(this.#path(namespace, name, subresource), { ...writeQuery(write), force });
    return this.#requests.json('PATCH', path, patch, type);
  }

  delete(namespace: string | undefined, name: string, options: DeleteOptions = {}): Promise<T | undefined> {
    return undefinedWhenNotFound(name, async () => {
      const answer = await this.#requests.json<T | Status>('DELETE', this.#path(namespace, name), deleteBody(options));
      if (answer.kind !== 'Status') return answer as T;
      // Most kinds answer an immediate deletion with a bare Status: it tells the identity and nothing else.
      const uid = (answer as Status).details?.uid;
      return {
        metadata: { name, ...(namespace === undefined ? {} : { namespace }), ...(uid === undefined ? {} : { uid }) },
      } as T;
    });
  }

  async deleteCollection({ namespace, ...query }: ListOptions, options: DeleteOptions = {}): Promise<void> {
    await this.#requests.json('DELETE', withQuery(resourcePath(this.ref, namespace), query), deleteBody(options));
  }

  getSubresource<R>(namespace: string | undefined, name: string, subresource: Subresource): Promise<R> {
    return this.#requests.json('GET', this.#path(namespace, name, subresource));
  }

  createSubresource<R>(
    namespace: string | undefined,
    name: string,
    subresource: Subresource,
    body: unknown,
    options: WriteOptions = {},
  ): Promise<R> {
    return this.#requests.json('POST', withQuery(this.#path(namespace, name, subresource), writeQuery(options)), body);
  }

  updateSubresource<R>(
    namespace: string | undefined,
    name: string,
    subresource: Subresource,
    body: unknown,
    options: WriteOptions = {},
  ): Promise<R> {
    return this.#requests.json('PUT', withQuery(this.#path(namespace, name, subresource), writeQuery(options)), body);
  }

  #typed(object: T): T {
    return { ...object, apiVersion: apiVersionOf(this.ref), kind: this.ref.kind };
  }

  #collection(object: T): string {
    const { namespace } = object.metadata;
    this.#requireNamespace(namespace);
    return resourcePath(this.ref, namespace);
  }

  #own(object: T, subresource?: Subresource): string {
    const { namespace, name } = object.metadata;
    return this.#path(namespace, name ?? '', subresource);
  }

  #path(namespace: string | undefined, name: string, subresource?: Subresource): string {
    this.#requireNamespace(namespace);
    if (name === '') throw StatusError.badRequest('resource name may not be empty');
    return resourcePath(this.ref, namespace, name, subresource);
  }

  #requireNamespace(namespace: string | undefined): void {
    if (this.ref.namespaced && (namespace === undefined || namespace === '')) {
      throw StatusError.badRequest('an empty namespace may not be set when a resource name is provided');
    }
  }
}

const writeQuery = ({ dryRun, fieldManager, fieldValidation }: WriteOptions): Query => ({
  dryRun: dryRun === true ? 'All' : undefined,
  fieldManager,
  fieldValidation,
});

const deleteBody = ({ dryRun, ...options }: DeleteOptions): unknown => ({
  kind: 'DeleteOptions',
  apiVersion: 'v1',
  ...options,
  ...(dryRun === true ? { dryRun: ['All'] } : {}),
});

/** Only the absence of the named object counts: an unknown resource or namespace is an error. */
async function undefinedWhenNotFound<R>(name: string, call: () => Promise<R>): Promise<R | undefined> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof StatusError && error.reason === 'NotFound' && error.details?.name === name) return undefined;
    throw error;
  }
}

/** Milliseconds the server asks to wait; undefined when the answer is final. */
function retryAfterMs(response: {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}): number | undefined {
  if (response.status !== 429 && response.status < 500) return undefined;
  const seconds = Number.parseInt(response.headers['retry-after'] ?? '', 10);
  return Number.isNaN(seconds) ? undefined : Math.min(MAX_RETRY_AFTER_MS, Math.max(0, seconds) * 1000);
}

const REASONS: Readonly<Record<number, StatusReason>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  409: 'Conflict',
  410: 'Gone',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

/** The error in an unsuccessful answer: its Status, or what can be said without one (a proxy's or a mux's answer). */
function statusErrorOf(method: string, path: string, status: number, body: Uint8Array): StatusError {
  const text = Buffer.from(body).toString('utf8');
  try {
    const value = JSON.parse(text) as Partial<Status> | null;
    if (value?.kind === 'Status') return StatusError.fromStatus({ ...value, code: value.code ?? status } as Status);
  } catch {
    // Not JSON: the text itself is the message.
  }
  const about = text.trim().slice(0, 200);
  const message = status === 404 ? 'the server could not find the requested resource' : `the server answered ${status}`;
  return new StatusError(
    status,
    REASONS[status] ?? '',
    `${message} (${method} ${path.split('?')[0]})${about === '' ? '' : `: ${about}`}`,
  );
}
