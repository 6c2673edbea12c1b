// get and list: bytes from the watch cache, turned into tables or partial metadata only when asked.
import type { Clock } from '#base/clock.ts';
import type { ExchangeResponse } from '#machinery/exchange.ts';
import type { KubeObject } from '#machinery/object.ts';
import { StatusError } from '#machinery/status.ts';
import type { CacheEntry } from '#watchcache/entry.ts';
import type { CacheListResult, ResourceCache } from '#watchcache/cache.ts';
import type { RequestContext } from '../context.ts';
import { negotiate, notAcceptable, type Accepted } from '../negotiation.ts';
import { encoded, jsonValue } from '../responses.ts';
import { selectionOf } from '../selection.ts';
import { entryBytes, presented, type Served } from '../served.ts';
import { columnDefinitions, includeObject, partialMetadata, table, tableRow } from '../tables.ts';

/** Milliseconds of work after which other requests get a turn; the design's bound is 5. */
const SLICE_MS = 4;

export function cacheOf(served: Served): ResourceCache {
  if (served.cache === undefined) throw StatusError.methodNotAllowed(served.subject, 'get');
  return served.cache;
}

/** Throws 404. */
export async function readEntry(
  served: Served,
  context: RequestContext,
  resourceVersion?: string,
): Promise<CacheEntry> {
  const { info } = context;
  const namespace = served.definition.namespaced ? info.namespace : '';
  const entry = await cacheOf(served).get(namespace, info.name, { resourceVersion });
  if (entry === undefined) throw StatusError.notFound(served.subject, info.name);
  return entry;
}

export async function get(served: Served, context: RequestContext): Promise<ExchangeResponse> {
  const accepted = negotiate(context.request.headers.accept);
  const { query } = context.info;
  const resourceVersion = query.size === 0 ? undefined : checkedVersion(query.get('resourceVersion'));
  const entry = await readEntry(served, context, resourceVersion);
  return showEntry(200, served, entry, accepted, context);
}

/** Upstream ends its JSON with one, which `kubectl get --raw` shows. */
const NEWLINE = Buffer.from('\n');

/** An entry as the answer of a read or a write. */
export function showEntry(
  status: number,
  served: Served,
  entry: CacheEntry,
  accepted: Accepted,
  context: RequestContext,
): ExchangeResponse {
  switch (accepted.as) {
    case 'object':
      return encoded(status, Buffer.concat([entryBytes(served, entry), NEWLINE]), accepted);
    case 'Table': {
      const row = tableRow(
        served,
        entry.object,
        includeObject(context.info.query),
        accepted.metaVersion,
        context.nowMs,
        () => presented(served, entry.object),
      );
      return jsonValue(
        status,
        table({ resourceVersion: entry.resourceVersion }, columnDefinitions(served), [row], accepted.metaVersion),
        accepted,
      );
    }
    case 'PartialObjectMetadata':
      return jsonValue(status, partialMetadata(entry.object, accepted.metaVersion), accepted);
    default:
      throw notAcceptable();
  }
}

export async function list(served: Served, context: RequestContext, clock: Clock): Promise<ExchangeResponse> {
  const accepted = negotiate(context.request.headers.accept);
  const { query } = context.info;
  const selection = selectionOf(served, context.info);
  const page = await cacheOf(served).list(
    query.size === 0
      ? { selection }
      : {
          selection,
          ...listOptions(query),
        },
  );
  switch (accepted.as) {
    case 'object':
      return encoded(200, await listBytes(served, page, clock), accepted);
    case 'Table': {
      const include = includeObject(query);
      const rows = await mapped(page.entries, clock, (e) =>
        tableRow(served, e.object, include, accepted.metaVersion, context.nowMs, () => presented(served, e.object)),
      );
      return jsonValue(200, table(listMeta(page), columnDefinitions(served), rows, accepted.metaVersion), accepted);
    }
    case 'PartialObjectMetadataList': {
      const items = await mapped(page.entries, clock, (e) => partialMetadata(e.object, accepted.metaVersion));
      return jsonValue(
        200,
        {
          kind: 'PartialObjectMetadataList',
          apiVersion: `meta.k8s.io/${accepted.metaVersion}`,
          metadata: listMeta(page),
          items,
        },
        accepted,
      );
    }
    default:
      throw notAcceptable();
  }
}

export function listOptions(query: URLSearchParams): {
  limit: number;
  continue?: string;
  resourceVersion?: string;
  resourceVersionMatch?: string;
} {
  const limit = query.get('limit');
  if (limit !== null && !isWholeNumber(limit))
    throw StatusError.badRequest(`strconv.ParseInt: parsing ${JSON.stringify(limit)}: invalid syntax`);
  const match = query.get('resourceVersionMatch') ?? undefined;
  const resourceVersion = checkedVersion(query.get('resourceVersion'));
  const token = query.get('continue') ?? undefined;
  checkListOptions(match, resourceVersion, token);
  return {
    limit: limit === null ? 0 : Math.max(0, Number(limit)),
    continue: token,
    resourceVersion,
    resourceVersionMatch: match,
  };
}

/** Upstream's ValidateListOptions. */
function checkListOptions(
  match: string | undefined,
  resourceVersion: string | undefined,
  token: string | undefined,
): void {
  if (match === undefined || match === '') return;
  const fail = (text: string): never => {
    throw StatusError.invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', [
      text === 'supported'
        ? {
            type: 'FieldValueNotSupported',
            field: 'resourceVersionMatch',
            value: match,
            detail: 'supported values: "Exact", "NotOlderThan", ""',
          }
        : { type: 'FieldValueForbidden', field: 'resourceVersionMatch', detail: text },
    ]);
  };
  if (match !== 'Exact' && match !== 'NotOlderThan') fail('supported');
  if (token !== undefined && token !== '') fail('resourceVersionMatch is forbidden when continue is provided');
  if (resourceVersion === undefined || resourceVersion === '')
    fail('resourceVersionMatch is forbidden unless resourceVersion is provided');
  if (match === 'Exact' && resourceVersion === '0')
    fail('resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
}

export function checkedVersion(text: string | null): string | undefined {
  if (text === null || text === '') return undefined;
  if (!isWholeNumber(text)) {
    throw StatusError.invalid({ kind: 'ListOptions', group: 'meta.k8s.io' }, '', [
      {
        type: 'FieldValueInvalid',
        field: 'resourceVersion',
        value: text,
        detail: `strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
      },
    ]);
  }
  return text;
}

export function isWholeNumber(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c < 0x30 || c > 0x39) return false;
  }
  return text !== '' && text.length < 17;
}

function listMeta(page: CacheListResult): object {
  return {
    resourceVersion: String(page.revision),
    ...(page.continue === undefined ? {} : { continue: page.continue }),
    ...(page.remainingItemCount === undefined ? {} : { remainingItemCount: page.remainingItemCount }),
  };
}

const COMMA = 0x2c;
const END = Buffer.from(']}\n');

/** `{"kind":"PodList","apiVersion":"v1","metadata":{…},"items":[…]}`, assembled from the entries' bytes. */
async function listBytes(served: Served, page: CacheListResult, clock: Clock): Promise<Uint8Array> {
  const head = Buffer.from(
    `{"kind":${JSON.stringify(served.definition.listKind)},"apiVersion":"${served.apiVersion}","metadata":${JSON.stringify(listMeta(page))},"items":[`,
  );
  const { entries } = page;
  if (served.version.fromStorage !== undefined) {
    const parts = await mapped(entries, clock, (e) => JSON.stringify(asItem(presented(served, e.object))));
    return Buffer.concat([head, Buffer.from(parts.join(',')), END]);
  }
  let length = head.length + END.length + Math.max(0, entries.length - 1);
  const pause = slices(clock);
  for (const entry of entries) {
    length += entry.itemLength(served.apiVersion);
    if (pause.due()) await pause.turn();
  }
  const out = Buffer.allocUnsafe(length);
  let at = head.copy(out, 0);
  for (let i = 0; i < entries.length; i++) {
    if (i > 0) out[at++] = COMMA;
    at = entries[i]!.writeItem(out, at, served.apiVersion);
    if (pause.due()) await pause.turn();
  }
  END.copy(out, at);
  return out;
}

/** Items of a list do not repeat what they are. */
export function asItem({ kind: _kind, apiVersion: _apiVersion, ...rest }: KubeObject): object {
  return rest;
}

async function mapped<T>(entries: readonly CacheEntry[], clock: Clock, make: (entry: CacheEntry) => T): Promise<T[]> {
  const out: T[] = [];
  const pause = slices(clock);
  for (const entry of entries) {
    out.push(make(entry));
    if (pause.due()) await pause.turn();
  }
  return out;
}

/** Looks at the clock every 64 steps; `turn` lets other work of the event loop run. */
export function slices(clock: Clock): { due(): boolean; turn(): Promise<void> } {
  let since = clock.monotonic();
  let steps = 0;
  return {
    due: () => (++steps & 63) === 0 && clock.monotonic() - since > SLICE_MS,
    turn: async () => {
      await new Promise<void>((resolve) => setImmediate(resolve));
      since = clock.monotonic();
    },
  };
}
