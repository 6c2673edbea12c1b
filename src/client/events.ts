// Records Kubernetes Events about objects, as client-go's correlator does: equal events become one with a count, many
// similar ones are combined, a source that floods about one object is cut off. Never throws, never blocks.
import type { Event, ObjectReference } from '#generated/api/core-v1.ts';
import { events as eventsRef } from '#generated/resources.ts';
import { backoffMs } from '#base/backoff.ts';
import { type Clock, sleep } from '#base/clock.ts';
import type { Component } from '#base/lifecycle.ts';
import type { Log } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import { type KubeObject, type ResourceRef, apiVersionOf } from '#machinery/object.ts';
import { StatusError, isStatus } from '#machinery/status.ts';
import type { Client, EventOptions, EventRecorder, ResourceClient } from './client.ts';

export interface EventRecorderDeps {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Who speaks: `{ component: 'kubelet', host: 'node-1' }`. */
export interface EventSource {
  readonly component: string;
  readonly host?: string;
}

/** Keys remembered for counting and combining (upstream's LRU size). */
const CACHE_SIZE = 4096;
/** More distinct messages than this within the window are combined (upstream). */
const MAX_SIMILAR = 10;
const SIMILAR_WINDOW_MS = 600_000;
/** Events about one object by one source: a burst, then one in five minutes (upstream). */
const SPAM_BURST = 25;
const SPAM_REFILL_MS = 300_000;
/** Events waiting to be sent; the newest are dropped beyond it (upstream's channel length). */
const QUEUE_LENGTH = 1000;
/** Tries for one event while the server is away, and the pause between them (upstream). */
const MAX_TRIES = 12;
const RETRY = { baseMs: 10_000, maxMs: 10_000, jitter: 0.1 };
/** Upstream's limit on the field; a longer message would be refused. */
const MAX_MESSAGE_LENGTH = 1024;

interface Similar {
  readonly messages: Set<string>;
  lastMs: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

/** An event to be written: a new object, or one more count of a known one. */
interface Outgoing {
  readonly event: Event;
  /** What identifies equal events: where the written object is remembered. */
  readonly key: string;
}

/** Recorder and sender in one. start() may come after the first events: they wait in the queue. */
export class QueuedEventRecorder implements EventRecorder, Component {
  readonly name = 'events';
  readonly #deps: EventRecorderDeps;
  readonly #source: EventSource;
  readonly #client: ResourceClient<Event>;
  /** Source, object, type, reason → messages seen lately. */
  readonly #similar = new Lru<Similar>();
  /** Source and object → its allowance. */
  readonly #buckets = new Lru<Bucket>();
  /** Equal events → the object last written for them. */
  readonly #written = new Lru<Event>();
  readonly #queue: Outgoing[] = [];
  readonly #stopped = new AbortController();
  #wake: (() => void) | undefined;
  #running: Promise<void> | undefined;

  constructor(deps: EventRecorderDeps, source: EventSource) {
    this.#deps = deps;
    this.#source = source;
    this.#client = deps.client.resource(eventsRef);
  }

  async start(): Promise<void> {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('the recorder was stopped'));
    this.#wake?.();
    await this.#running;
  }

  event(
    about: KubeObject,
    ref: ResourceRef,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
    options: EventOptions = {},
  ): void {
    const nowMs = this.#deps.clock.now();
    const involved = referenceTo(about, ref, options.fieldPath);
    const object = JSON.stringify([
      involved.kind,
      involved.namespace,
      involved.name,
      involved.uid,
      involved.apiVersion,
      involved.fieldPath,
    ]);
    const about5 = `${object}|${type}|${reason}`;
    const text = this.#combine(about5, message.slice(0, MAX_MESSAGE_LENGTH), nowMs);
    if (!this.#allowed(object, nowMs)) return;
    if (this.#queue.length >= QUEUE_LENGTH) {
      this.#deps.log.warn('event dropped: the queue is full', { reason, object: involved.name });
      return;
    }
    const event = this.#makeEvent(involved, type, reason, text.message, nowMs);
    this.#queue.push({ event, key: text.combined ? about5 : `${about5}|${message}` });
    this.#wake?.();
  }

  /** The message itself, or the combined one when too many different ones came about the same thing. */
  #combine(key: string, message: string, nowMs: number): { message: string; combined: boolean } {
    let similar = this.#similar.get(key);
    if (similar === undefined || nowMs - similar.lastMs > SIMILAR_WINDOW_MS)
      similar = { messages: new Set(), lastMs: nowMs };
    similar.lastMs = nowMs;
    if (similar.messages.size <= MAX_SIMILAR) similar.messages.add(message);
    this.#similar.set(key, similar);
    const combined = similar.messages.size > MAX_SIMILAR;
    return { message: combined ? `(combined from similar events): ${message}` : message, combined };
  }

  #allowed(object: string, nowMs: number): boolean {
    const bucket = this.#buckets.get(object) ?? { tokens: SPAM_BURST, atMs: nowMs };
    bucket.tokens = Math.min(SPAM_BURST, bucket.tokens + (nowMs - bucket.atMs) / SPAM_REFILL_MS);
    bucket.atMs = nowMs;
    this.#buckets.set(object, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }

  #makeEvent(involved: ObjectReference, type: string, reason: string, message: string, nowMs: number): Event {
    const namespace = involved.namespace ?? 'default';
    // Upstream's name: the object's, and the time in hex nanoseconds; ours has the clock's milliseconds and chance below.
    const nanos = BigInt(nowMs) * 1_000_000n + BigInt(Math.floor(this.#deps.random.next() * 1_000_000));
    const time = new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z');
    const { component, host } = this.#source;
    return {
      metadata: { name: `${involved.name}.${nanos.toString(16)}`, namespace },
      involvedObject: involved,
      reason,
      message,
      source: { component, ...(host === undefined ? {} : { host }) },
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1,
      type,
      reportingComponent: component,
      reportingInstance: host ?? '',
    };
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      const outgoing = this.#queue.shift();
      if (outgoing === undefined) await new Promise<void>((resolve) => (this.#wake = resolve));
      else await this.#deliver(outgoing);
      this.#wake = undefined;
    }
  }

  async #deliver({ event, key }: Outgoing): Promise<void> {
    const { clock, random, log } = this.#deps;
    const { signal } = this.#stopped;
    for (let tries = 1; tries <= MAX_TRIES && !signal.aborted; tries++) {
      try {
        this.#written.set(key, await this.#write(event, this.#written.get(key)));
        return;
      } catch (error) {
        // A refusal (namespace going away, invalid) will not turn into success; an absent server may come back.
        if (error instanceof StatusError && error.code < 500 && error.code !== 429) {
          log.debug('event refused', { reason: event.reason, object: event.involvedObject.name, err: error });
          return;
        }
        log.debug('event not sent', { tries, err: error });
        await sleep(clock, backoffMs(tries, RETRY, random), signal).catch(() => undefined);
      }
    }
  }

  async #write(event: Event, known: Event | undefined): Promise<Event> {
    if (known !== undefined) {
      const { namespace, name } = known.metadata;
      const patch = { count: (known.count ?? 1) + 1, lastTimestamp: event.lastTimestamp, message: event.message };
      try {
        return await this.#client.patch(namespace, name!, 'application/strategic-merge-patch+json', patch);
      } catch (error) {
        // It expired meanwhile: begin again.
        if (!isStatus(error, 'NotFound')) throw error;
      }
    }
    return this.#client.create(event);
  }
}

function referenceTo(about: KubeObject, ref: ResourceRef, fieldPath: string | undefined): ObjectReference {
  const { namespace, name, uid, resourceVersion } = about.metadata;
  return {
    kind: ref.kind,
    ...(namespace === undefined || namespace === '' ? {} : { namespace }),
    name,
    ...(uid === undefined ? {} : { uid }),
    apiVersion: apiVersionOf(ref),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    ...(fieldPath === undefined ? {} : { fieldPath }),
  };
}

/** A bounded map that forgets what was not used for longest. */
class Lru<V> {
  readonly #entries = new Map<string, V>();

  get(key: string): V | undefined {
    const value = this.#entries.get(key);
    if (value !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, value);
    }
    return value;
  }

  set(key: string, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size > CACHE_SIZE) this.#entries.delete(this.#entries.keys().next().value!);
  }
}
