// ConfigMaps and Secrets that pods of this node use: each is watched alone (all that the Node authorizer allows) for as long as some
// pod needs it.
import type { ConfigMap, Secret } from '#generated/api/core-v1.ts';
import { configmaps, secrets } from '#generated/resources.ts';
import { type Clock, sleep } from '#base/clock.ts';
import type { Client } from '#client/client.ts';
import { type KubeObject, makeKey, type ResourceRef } from '#machinery/object.ts';

/** Pause before a broken watch is begun again. */
const RETRY_MS = 1000;

interface Entry {
  readonly abort: AbortController;
  /** Pod uids that need it. */
  readonly users: Set<string>;
  /** Undefined inside: known not to exist. */
  value: { readonly object: KubeObject | undefined } | undefined;
  first: Promise<KubeObject | undefined>;
}

export interface ObjectCacheDeps {
  readonly client: Client;
  readonly clock: Clock;
  /** An object some pod uses has changed. */
  readonly onChange: (podUid: string) => void;
}

export class ObjectCache {
  readonly #deps: ObjectCacheDeps;
  /** `resource/namespace/name` → entry. */
  readonly #entries = new Map<string, Entry>();

  constructor(deps: ObjectCacheDeps) {
    this.#deps = deps;
  }

  configMap(podUid: string, namespace: string, name: string): Promise<ConfigMap | undefined> {
    return this.#get(configmaps, podUid, namespace, name);
  }

  secret(podUid: string, namespace: string, name: string): Promise<Secret | undefined> {
    return this.#get(secrets, podUid, namespace, name);
  }

  /** The pod is gone; objects nobody else needs are forgotten. */
  release(podUid: string): void {
    for (const [key, entry] of this.#entries) {
      if (!entry.users.delete(podUid) || entry.users.size > 0) continue;
      entry.abort.abort();
      this.#entries.delete(key);
    }
  }

  stop(): void {
    for (const entry of this.#entries.values()) entry.abort.abort();
    this.#entries.clear();
  }

  async #get<T extends KubeObject>(
    ref: ResourceRef<T>,
    podUid: string,
    namespace: string,
    name: string,
  ): Promise<T | undefined> {
    const key = `${ref.resource}/${makeKey(namespace, name)}`;
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      const abort = new AbortController();
      entry = { abort, users: new Set(), value: undefined, first: this.#load(ref, namespace, name) };
      this.#entries.set(key, entry);
      const made = entry;
      made.first.then(
        (object) => this.#follow(ref, namespace, name, made, object),
        () => this.#entries.delete(key), // asked again by the next sync
      );
    }
    entry.users.add(podUid);
    const object = entry.value === undefined ? await entry.first : entry.value.object;
    return object as T | undefined;
  }

  #load<T extends KubeObject>(ref: ResourceRef<T>, namespace: string, name: string): Promise<T | undefined> {
    return this.#deps.client.resource(ref).get(namespace, name);
  }

  async #follow<T extends KubeObject>(
    ref: ResourceRef<T>,
    namespace: string,
    name: string,
    entry: Entry,
    first: T | undefined,
  ): Promise<void> {
    const { signal } = entry.abort;
    entry.value = { object: first };
    let version = first?.metadata.resourceVersion;
    while (!signal.aborted) {
      try {
        const options = {
          namespace,
          fieldSelector: `metadata.name=${name}`,
          ...(version === undefined ? {} : { resourceVersion: version }),
        };
        for await (const event of this.#deps.client.resource(ref).watch(options, signal)) {
          version = event.object.metadata.resourceVersion;
          if (event.type === 'BOOKMARK') continue;
          this.#set(entry, event.type === 'DELETED' ? undefined : (event.object as T));
        }
        await sleep(this.#deps.clock, RETRY_MS, signal);
      } catch {
        if (signal.aborted) return;
        try {
          await sleep(this.#deps.clock, RETRY_MS, signal);
          const object = await this.#load(ref, namespace, name);
          version = object?.metadata.resourceVersion;
          this.#set(entry, object);
        } catch {
          version = undefined; // stopped, or the server is away: the loop decides
        }
      }
    }
  }

  #set(entry: Entry, object: KubeObject | undefined): void {
    const before = entry.value?.object;
    if (
      before?.metadata.resourceVersion === object?.metadata.resourceVersion &&
      before?.metadata.uid === object?.metadata.uid
    )
      return;
    entry.value = { object };
    for (const uid of entry.users) this.#deps.onChange(uid);
  }
}
