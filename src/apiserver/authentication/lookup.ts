// Reading one object on the request path: from the informer's copy at once, and live only where a stale copy would be
// wrong (an object made a moment ago, an object just replaced).
import type { Client, Informer, Informers } from '#client/client.ts';
import { makeKey, type KubeObject, type ResourceRef } from '#machinery/object.ts';

export interface Lookup<T extends KubeObject> {
  /** The local copy; may lag a little behind. Never waits. */
  cached(namespace: string | undefined, name: string): T | undefined;
  /** The newest state. */
  live(namespace: string | undefined, name: string): Promise<T | undefined>;
}

/** Cached first, live when it is not there (as upstream's token getter). */
export async function find<T extends KubeObject>(
  lookup: Lookup<T>,
  namespace: string | undefined,
  name: string,
): Promise<T | undefined> {
  return lookup.cached(namespace, name) ?? lookup.live(namespace, name);
}

export function lookupOf<T extends KubeObject>(informers: Informers, client: Client, ref: ResourceRef<T>): Lookup<T> {
  return lookupFrom(informers.informer(ref), client, ref);
}

export function lookupFrom<T extends KubeObject>(
  informer: Pick<Informer<T>, 'get'>,
  client: Client,
  ref: ResourceRef<T>,
): Lookup<T> {
  return {
    cached: (namespace, name) => informer.get(makeKey(namespace, name)),
    live: (namespace, name) => client.resource(ref).get(namespace, name),
  };
}

/** For kinds too big or too secret to keep a copy of: every read is live. */
export function liveLookup<T extends KubeObject>(client: Client, ref: ResourceRef<T>): Lookup<T> {
  return { cached: () => undefined, live: (namespace, name) => client.resource(ref).get(namespace, name) };
}

/** Fixed objects, for tests and for assemblies without informers. */
export function fixedLookup<T extends KubeObject>(objects: readonly T[]): Lookup<T> {
  const byKey = new Map(objects.map((o) => [makeKey(o.metadata.namespace, o.metadata.name!), o]));
  return {
    cached: (namespace, name) => byKey.get(makeKey(namespace, name)),
    live: async (namespace, name) => byKey.get(makeKey(namespace, name)),
  };
}
