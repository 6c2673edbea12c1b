// One object of a cache: its stored bytes (normal form, without resourceVersion), shared with the store. The resourceVersion
// and, where it differs, the apiVersion are spliced in on the way out, so one entry serves get, list and watch.
import type { KubeObject } from '#machinery/object.ts';
import { itemLength, layoutOf, splice, spliceItem, splicedLength, type Layout } from './splice.ts';

/** What an entry needs to know of its resource. */
export interface EntryContext {
  readonly selectableFields: Readonly<Record<string, (object: never) => string>>;
  readonly parsed: ParsedObjects;
}

const NO_LABELS: Readonly<Record<string, string>> = Object.freeze({});

export class CacheEntry {
  /** `namespace/name`, or `name` when the resource is cluster-scoped: the store's key without the prefix. */
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  /** Revision of the commit that wrote it: its resourceVersion. */
  readonly revision: number;
  readonly createRevision: number;
  /** As it stands in the store. Never changed. */
  readonly stored: Uint8Array;
  readonly #context: EntryContext;
  #layout: Layout | undefined;
  #object: KubeObject | undefined;
  #labels: Readonly<Record<string, string>> | undefined;
  #fields: Readonly<Record<string, string>> | undefined;

  constructor(
    key: string,
    stored: { readonly value: Uint8Array; readonly modRevision: number; readonly createRevision: number },
    context: EntryContext,
    /** The parsed object with its resourceVersion, when the writer still has it. */
    object?: KubeObject,
  ) {
    this.key = key;
    const slash = key.indexOf('/');
    this.namespace = slash < 0 ? '' : key.slice(0, slash);
    this.name = slash < 0 ? key : key.slice(slash + 1);
    this.revision = stored.modRevision;
    this.createRevision = stored.createRevision;
    this.stored = stored.value;
    this.#context = context;
    if (object !== undefined) this.#keep(object);
  }

  get resourceVersion(): string {
    return String(this.revision);
  }

  /** The parsed object, with resourceVersion, in the stored version. Kept while it is among the most recently parsed. Never mutate. */
  get object(): KubeObject {
    if (this.#object !== undefined) return this.#object;
    return this.#keep(JSON.parse(Buffer.from(this.bytes()).toString('utf8')) as KubeObject);
  }

  get labels(): Readonly<Record<string, string>> {
    this.#labels ??= this.object.metadata.labels ?? NO_LABELS;
    return this.#labels;
  }

  /** A selectable field; '' when it is not set or not known. */
  field(label: string): string {
    if (label === 'metadata.name') return this.name;
    if (label === 'metadata.namespace') return this.namespace;
    this.#fields ??= readFields(this.object, this.#context);
    return this.#fields[label] ?? '';
  }

  /** JSON with resourceVersion; `apiVersion` other than the stored one replaces it (only for versions of equal shape). */
  bytes(apiVersion?: string, revision: number = this.revision): Uint8Array {
    const out = Buffer.allocUnsafe(this.byteLength(apiVersion, revision));
    this.writeTo(out, 0, apiVersion, revision);
    return out;
  }

  /** How many bytes `writeTo` writes. */
  byteLength(apiVersion?: string, revision: number = this.revision): number {
    return splicedLength(this.stored, this.#laidOut(), apiVersion, revision);
  }

  /** Writes what `bytes` returns into `target`; returns the offset behind it. */
  writeTo(target: Uint8Array, offset: number, apiVersion?: string, revision: number = this.revision): number {
    return splice(target, offset, this.stored, this.#laidOut(), apiVersion, revision);
  }

  /** How many bytes `writeItem` writes. */
  itemLength(apiVersion: string): number {
    return itemLength(this.stored, this.#laidOut(), apiVersion, this.revision);
  }

  /** Writes the object as an item of a list into `target`; returns the offset behind it. */
  writeItem(target: Uint8Array, offset: number, apiVersion: string): number {
    return spliceItem(target, offset, this.stored, this.#laidOut(), apiVersion, this.revision);
  }

  /** Called when the object is no longer among the most recently parsed. Labels and fields stay: they are small. */
  forget(): void {
    this.#object = undefined;
  }

  #laidOut(): Layout {
    this.#layout ??= layoutOf(this.stored);
    return this.#layout;
  }

  #keep(object: KubeObject): KubeObject {
    this.#object = object;
    this.#context.parsed.add(this);
    return object;
  }
}

function readFields(object: KubeObject, context: EntryContext): Readonly<Record<string, string>> {
  const out: Record<string, string> = {};
  for (const [label, read] of Object.entries(context.selectableFields))
    out[label] = (read as (o: KubeObject) => string)(object);
  return out;
}

/** Bounds how many parsed objects stay in memory: the oldest parsed is forgotten first. One serves several caches. */
export class ParsedObjects {
  readonly #ring: (CacheEntry | undefined)[];
  #next = 0;

  constructor(limit: number) {
    this.#ring = Array.from({ length: limit });
  }

  add(entry: CacheEntry): void {
    this.#ring[this.#next]?.forget();
    this.#ring[this.#next] = entry;
    this.#next = (this.#next + 1) % this.#ring.length;
  }
}
