// A map ordered by key with immutable snapshots that cost nothing to take: chunks of a sorted list are copied only when
// they change after a snapshot. What the newest values of a store and the objects of a watch cache stand in.

/** Chunks are split at twice this size. Copying one costs well under a microsecond. */
const CHUNK = 64;

interface Chunk<V> {
  keys: string[];
  values: V[];
  /** The chunk may be changed in place while this equals the map's generation. */
  generation: number;
}

/** A range that holds every key. */
export const LAST_KEY = '\uffff';

/** The smallest key behind all keys with this prefix. */
export function prefixEnd(prefix: string): string {
  if (prefix === '') return LAST_KEY;
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}

/** Reading side; stays as it is for ever when it comes from `snapshot()`. */
export interface OrderedView<V> {
  readonly size: number;
  get(key: string): V | undefined;
  /** Values with from <= key < to, in order. */
  range(from: string, to: string): IterableIterator<V>;
  /** How many keys are in the range; costs one step a chunk. */
  count(from: string, to: string): number;
}

class View<V> implements OrderedView<V> {
  protected chunks: Chunk<V>[];
  protected length: number;

  constructor(chunks: Chunk<V>[], length: number) {
    this.chunks = chunks;
    this.length = length;
  }

  get size(): number {
    return this.length;
  }

  get(key: string): V | undefined {
    const chunk = this.chunks[this.chunkOf(key)];
    if (chunk === undefined) return undefined;
    const at = lowerBound(chunk.keys, key);
    return chunk.keys[at] === key ? chunk.values[at] : undefined;
  }

  *range(from: string, to: string): IterableIterator<V> {
    for (let c = this.chunkOf(from); c < this.chunks.length; c++) {
      const { keys, values } = this.chunks[c]!;
      let at = keys[0]! >= from ? 0 : lowerBound(keys, from);
      const whole = keys[keys.length - 1]! < to;
      for (; at < keys.length; at++) {
        if (!whole && keys[at]! >= to) return;
        yield values[at]!;
      }
    }
  }

  count(from: string, to: string): number {
    let total = 0;
    for (let c = this.chunkOf(from); c < this.chunks.length; c++) {
      const { keys } = this.chunks[c]!;
      const start = keys[0]! >= from ? 0 : lowerBound(keys, from);
      if (keys[keys.length - 1]! < to) {
        total += keys.length - start;
        continue;
      }
      return total + Math.max(0, lowerBound(keys, to) - start);
    }
    return total;
  }

  /** The last chunk whose first key is not above `key`; 0 when there is none. */
  protected chunkOf(key: string): number {
    let low = 0;
    let high = this.chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.chunks[middle]!.keys[0]! <= key) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }
}

export class OrderedMap<V> extends View<V> {
  #generation = 0;
  #listGeneration = 0;

  constructor() {
    super([], 0);
  }

  set(key: string, value: V): void {
    if (this.chunks.length === 0) {
      this.#ownList().push({ keys: [key], values: [value], generation: this.#generation });
      this.length = 1;
      return;
    }
    const c = this.chunkOf(key);
    const chunk = this.#ownChunk(c);
    const at = lowerBound(chunk.keys, key);
    if (chunk.keys[at] === key) {
      chunk.values[at] = value;
      return;
    }
    chunk.keys.splice(at, 0, key);
    chunk.values.splice(at, 0, value);
    this.length++;
    if (chunk.keys.length >= 2 * CHUNK) this.#split(c, chunk);
  }

  delete(key: string): boolean {
    if (this.chunks.length === 0) return false;
    const c = this.chunkOf(key);
    const at = lowerBound(this.chunks[c]!.keys, key);
    if (this.chunks[c]!.keys[at] !== key) return false;
    const chunk = this.#ownChunk(c);
    chunk.keys.splice(at, 1);
    chunk.values.splice(at, 1);
    this.length--;
    if (chunk.keys.length === 0) this.#ownList().splice(c, 1);
    return true;
  }

  /** The map as it is now; later changes do not show in it. */
  snapshot(): OrderedView<V> {
    this.#generation++;
    return new View(this.chunks, this.length);
  }

  #split(c: number, chunk: Chunk<V>): void {
    // Keys that arrive in order fill the left chunk: cut near its end then.
    const appended = c === this.chunks.length - 1;
    const cut = appended ? 2 * CHUNK - 8 : CHUNK;
    const right: Chunk<V> = {
      keys: chunk.keys.splice(cut),
      values: chunk.values.splice(cut),
      generation: this.#generation,
    };
    this.#ownList().splice(c + 1, 0, right);
  }

  #ownList(): Chunk<V>[] {
    if (this.#listGeneration !== this.#generation) {
      this.chunks = this.chunks.slice();
      this.#listGeneration = this.#generation;
    }
    return this.chunks;
  }

  #ownChunk(c: number): Chunk<V> {
    const chunk = this.chunks[c]!;
    if (chunk.generation === this.#generation) return chunk;
    const copy: Chunk<V> = { keys: chunk.keys.slice(), values: chunk.values.slice(), generation: this.#generation };
    this.#ownList()[c] = copy;
    return copy;
  }
}

/** The first index whose key is not below `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
