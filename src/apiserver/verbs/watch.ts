// watch: the cache's batches as chunks. A watch ends by its timeout, when the client goes, or when the cache ends it.
import type { Clock, Timer } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import type { ExchangeResponse } from '#machinery/exchange.ts';
import { StatusError, fieldError } from '#machinery/status.ts';
import type { CacheBatch, CacheEvent } from '#watchcache/events.ts';
import { bookmarkObject, eventObject } from '#watchcache/events.ts';
import type { RequestContext } from '../context.ts';
import { jsonToYaml, negotiate, notAcceptable, type Accepted } from '../negotiation.ts';
import { selectionOf } from '../selection.ts';
import { presented, type Served } from '../served.ts';
import { columnDefinitions, includeObject, partialMetadata, table, tableRow } from '../tables.ts';
import { cacheOf, checkedVersion, isWholeNumber } from './read.ts';

/** Seconds; upstream's --min-request-timeout. A watch without timeoutSeconds lives between once and twice this. */
const MIN_TIMEOUT_SECONDS = 1_800;

const WATCH_HEADERS = Object.freeze({ 'cache-control': 'no-cache, private', 'content-type': 'application/json' });
const YAML_WATCH_HEADERS = Object.freeze({ 'cache-control': 'no-cache, private', 'content-type': 'application/yaml' });

export async function watch(
  served: Served,
  context: RequestContext,
  deps: { readonly clock: Clock; readonly random: Random; readonly stopping: AbortSignal },
): Promise<ExchangeResponse> {
  const accepted = negotiate(context.request.headers.accept);
  if (accepted.as === 'PartialObjectMetadataList') throw notAcceptable();
  const { query } = context.info;
  const sendInitialEvents = boolean(query.get('sendInitialEvents'));
  const allowBookmarks = boolean(query.get('allowWatchBookmarks')) === true;
  checkWatchOptions(sendInitialEvents, query.get('resourceVersionMatch'));
  const selection = selectionOf(served, context.info);
  const resourceVersion = checkedVersion(query.get('resourceVersion'));

  const controller = new AbortController();
  const batches = await cacheOf(served).watch(
    { selection, resourceVersion, sendInitialEvents, allowBookmarks },
    controller.signal,
  );
  const encode = encoderOf(served, context, accepted);
  const body = new WatchBody(
    batches,
    encode,
    controller,
    deps.clock,
    timeoutMs(query.get('timeoutSeconds'), deps.random),
  );
  context.request.signal.addEventListener('abort', () => body.end(), { once: true });
  deps.stopping.addEventListener('abort', () => body.end(), { once: true, signal: controller.signal });
  return { status: 200, headers: accepted.media === 'yaml' ? YAML_WATCH_HEADERS : WATCH_HEADERS, body };
}

function boolean(text: string | null): boolean | undefined {
  if (text === null) return undefined;
  return text === '' || text === 'true' || text === '1' || text === 'True' || text === 'TRUE' || text === 't';
}

function checkWatchOptions(sendInitialEvents: boolean | undefined, match: string | null): void {
  const options = { group: 'meta.k8s.io', kind: 'ListOptions' };
  if (sendInitialEvents === undefined) {
    if (match !== null && match !== '')
      throw StatusError.invalid(options, '', [
        fieldError.forbidden(
          'resourceVersionMatch',
          'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
        ),
      ]);
    return;
  }
  if (match === null || match === '')
    throw StatusError.invalid(options, '', [
      fieldError.forbidden(
        'resourceVersionMatch',
        'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
      ),
    ]);
  if (match !== 'NotOlderThan')
    throw StatusError.invalid(options, '', [fieldError.notSupported('resourceVersionMatch', match, ['NotOlderThan'])]);
}

function timeoutMs(text: string | null, random: Random): number {
  if (text !== null && text !== '') {
    if (!isWholeNumber(text))
      throw StatusError.badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
    if (Number(text) > 0) return Number(text) * 1000;
  }
  return MIN_TIMEOUT_SECONDS * 1000 * (1 + random.next());
}

type Encode = (batch: CacheBatch) => Uint8Array;

function encoderOf(served: Served, context: RequestContext, accepted: Accepted): Encode {
  const { kind } = served.definition;
  if (accepted.as === 'object' && accepted.media === 'json' && served.version.fromStorage === undefined) {
    return (batch) => batch.frames(kind, served.apiVersion);
  }
  const write =
    accepted.media === 'json'
      ? (frame: object) => `${JSON.stringify(frame)}\n`
      : (frame: object) => `---\n${jsonToYaml(frame)}`;
  const show = objectEncoder(served, context, accepted);
  return (batch) => Buffer.from(batch.events.map((event) => write({ type: event.type, object: show(event) })).join(''));
}

function objectEncoder(served: Served, context: RequestContext, accepted: Accepted): (event: CacheEvent) => object {
  const { kind } = served.definition;
  if (accepted.as === 'Table') {
    const include = includeObject(context.info.query);
    // Column definitions are sent with the first event only, as upstream.
    let first = true;
    return (event) => {
      const columns = first ? columnDefinitions(served) : undefined;
      first = false;
      if (event.type === 'BOOKMARK') {
        const bookmark = bookmarkObject(event, kind, served.apiVersion);
        return table(
          { resourceVersion: String(event.revision) },
          columns,
          [
            {
              cells: served.definition.table.columns.map(() => null),
              object: partialMetadata(bookmark, accepted.metaVersion),
            },
          ],
          accepted.metaVersion,
        );
      }
      const object = eventObject(event);
      return table(
        { resourceVersion: String(event.revision) },
        columns,
        [tableRow(served, object, include, accepted.metaVersion, context.nowMs, () => presented(served, object))],
        accepted.metaVersion,
      );
    };
  }
  if (accepted.as === 'PartialObjectMetadata') {
    return (event) =>
      partialMetadata(
        event.type === 'BOOKMARK' ? bookmarkObject(event, kind, served.apiVersion) : eventObject(event),
        accepted.metaVersion,
      );
  }
  return (event) =>
    event.type === 'BOOKMARK' ? bookmarkObject(event, kind, served.apiVersion) : presented(served, eventObject(event));
}

/** Pulls from the cache as the client takes; `end` finishes a waiting read at once. */
class WatchBody implements AsyncIterable<Uint8Array>, AsyncIterator<Uint8Array> {
  readonly #source: AsyncIterator<CacheBatch>;
  readonly #encode: Encode;
  readonly #controller: AbortController;
  readonly #timer: Timer;

  constructor(
    source: AsyncIterable<CacheBatch>,
    encode: Encode,
    controller: AbortController,
    clock: Clock,
    timeoutMs: number,
  ) {
    this.#source = source[Symbol.asyncIterator]();
    this.#encode = encode;
    this.#controller = controller;
    this.#timer = clock.setTimer(timeoutMs, () => this.end());
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The cache ends its side when the signal aborts. */
  end(): void {
    this.#timer.cancel();
    this.#controller.abort();
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    try {
      const { done, value } = await this.#source.next();
      if (done !== true) return { done: false, value: this.#encode(value) };
    } catch (error) {
      if (!this.#controller.signal.aborted) {
        const status = StatusError.from(error).toStatus();
        const frame = Buffer.from(`${JSON.stringify({ type: 'ERROR', object: status })}\n`);
        this.end();
        return { done: false, value: frame };
      }
    }
    this.end();
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    this.end();
    return { done: true, value: undefined };
  }
}
