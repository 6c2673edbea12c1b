// What a watch yields: typed events in batches. Watchers of equal selection get the very same batch object, so an encoding
// made once through `encode` is shared by all of them.
import type { KubeObject } from '#machinery/object.ts';
import type { CacheEntry } from './entry.ts';

export type CacheEvent =
  | {
      readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
      /** The state to show: for DELETED the last one that was selected. */
      readonly entry: CacheEntry;
      /** resourceVersion of the event: for DELETED that of the deletion (or of the change that left the selection). */
      readonly revision: number;
    }
  | {
      readonly type: 'BOOKMARK';
      readonly revision: number;
      /** The bookmark that ends the initial events (`k8s.io/initial-events-end`). */
      readonly initialEventsEnd: boolean;
    };

/** The object of an event, with the event's resourceVersion, in the stored version. */
export function eventObject(event: Exclude<CacheEvent, { type: 'BOOKMARK' }>): KubeObject {
  const { entry, revision } = event;
  if (entry.revision === revision) return entry.object;
  return { ...entry.object, metadata: { ...entry.object.metadata, resourceVersion: String(revision) } };
}

export class CacheBatch {
  readonly events: readonly CacheEvent[];
  /** Encoding key → what `make` returned. */
  #encodings: Map<string, unknown> | undefined;

  constructor(events: readonly CacheEvent[]) {
    this.events = events;
  }

  /** Memoises an encoding of the whole batch for all watchers that share it. `key` names everything `make` depends on. */
  encode<T>(key: string, make: (events: readonly CacheEvent[]) => T): T {
    this.#encodings ??= new Map();
    if (!this.#encodings.has(key)) this.#encodings.set(key, make(this.events));
    return this.#encodings.get(key) as T;
  }

  /** The batch as Kubernetes' JSON watch frames (`{"type":…,"object":…}\n` each), in `apiVersion` (undefined: as stored). */
  frames(kind: string, apiVersion: string): Uint8Array {
    return this.encode(`json ${kind} ${apiVersion}`, (events) => encodeFrames(events, kind, apiVersion));
  }
}

const FRAME_END = Buffer.from('}\n');
const HEADS = {
  ADDED: Buffer.from('{"type":"ADDED","object":'),
  MODIFIED: Buffer.from('{"type":"MODIFIED","object":'),
  DELETED: Buffer.from('{"type":"DELETED","object":'),
  BOOKMARK: Buffer.from('{"type":"BOOKMARK","object":'),
} as const;

function encodeFrames(events: readonly CacheEvent[], kind: string, apiVersion: string): Uint8Array {
  const bookmarks = new Map<CacheEvent, Uint8Array>();
  let length = 0;
  for (const event of events) {
    length += HEADS[event.type].length + FRAME_END.length;
    if (event.type === 'BOOKMARK') {
      const bytes = Buffer.from(JSON.stringify(bookmarkObject(event, kind, apiVersion)));
      bookmarks.set(event, bytes);
      length += bytes.length;
    } else {
      length += event.entry.byteLength(apiVersion, event.revision);
    }
  }
  const out = Buffer.allocUnsafe(length);
  let at = 0;
  for (const event of events) {
    const head = HEADS[event.type];
    out.set(head, at);
    at += head.length;
    if (event.type === 'BOOKMARK') {
      const bytes = bookmarks.get(event)!;
      out.set(bytes, at);
      at += bytes.length;
    } else {
      at = event.entry.writeTo(out, at, apiVersion, event.revision);
    }
    out.set(FRAME_END, at);
    at += FRAME_END.length;
  }
  return out;
}

/** The object of a bookmark: nothing but its resourceVersion and, at the end of the initial events, the annotation. */
export function bookmarkObject(
  event: { readonly revision: number; readonly initialEventsEnd: boolean },
  kind: string,
  apiVersion: string,
): KubeObject {
  return {
    kind,
    apiVersion,
    metadata: {
      resourceVersion: String(event.revision),
      ...(event.initialEventsEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}),
    },
  } as KubeObject;
}
