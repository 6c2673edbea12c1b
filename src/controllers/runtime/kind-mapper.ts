// From a kind that an object names (the target of an autoscaler, the controller of a pod) to its resource, by the server's discovery.
import type { APIGroup, APIResourceList } from '#generated/api/meta-v1.ts';
import type { Clock } from '#base/clock.ts';
import type { Client } from '#client/client.ts';
import { readBody } from '#machinery/exchange.ts';
import { parseApiVersion, type ResourceRef } from '#machinery/object.ts';

export interface NamedKind {
  readonly apiVersion?: string;
  readonly kind: string;
}

export interface MappedResource extends ResourceRef {
  /** It has a scale subresource. */
  readonly scales: boolean;
}

/** How long a found mapping is used again. */
const MEMORY_MS = 5 * 60_000;

/** What a user wrote is one part of a path, whatever is in it. */
const segment = encodeURIComponent;

export class KindMapper {
  readonly #client: Client;
  readonly #clock: Clock;
  /** `group/Kind` → its resources, newest known. */
  readonly #known = new Map<string, { readonly refs: readonly MappedResource[]; readonly atMs: number }>();

  constructor(client: Client, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** The kind's resource in each served version, preferred first; never empty. Throws in upstream's words. */
  async resourcesOf({ apiVersion = '', kind }: NamedKind): Promise<readonly MappedResource[]> {
    if (apiVersion.split('/').length > 2) throw new Error(`unexpected GroupVersion string: ${apiVersion}`);
    const { group } = parseApiVersion(apiVersion);
    const id = `${group}/${kind}`;
    const known = this.#known.get(id);
    if (known !== undefined && this.#clock.monotonic() - known.atMs < MEMORY_MS) return known.refs;
    const refs: MappedResource[] = [];
    for (const version of await this.#versions(group)) {
      const path = group === '' ? `/api/${version}` : `/apis/${segment(group)}/${version}`;
      const list = await this.#get<APIResourceList>(path);
      const found = list?.resources.find((r) => r.kind === kind && !r.name.includes('/'));
      if (found === undefined) continue;
      const { name: resource, namespaced } = found;
      const scales = list!.resources.some((r) => r.name === `${resource}/scale`);
      refs.push({ group, version, resource, kind, namespaced, scales });
    }
    if (refs.length === 0)
      throw new Error(`no matches for kind ${JSON.stringify(kind)} in group ${JSON.stringify(group)}`);
    this.#known.set(id, { refs, atMs: this.#clock.monotonic() });
    return refs;
  }

  async #versions(group: string): Promise<readonly string[]> {
    if (group === '') return ['v1'];
    return (await this.#get<APIGroup>(`/apis/${segment(group)}`))?.versions.map((v) => v.version) ?? [];
  }

  async #get<T>(path: string): Promise<T | undefined> {
    const { status, body } = await this.#client.raw('GET', path, undefined, { accept: 'application/json' });
    const text = Buffer.from(await readBody(body)).toString('utf8');
    if (status === 404) return undefined;
    if (status !== 200) throw new Error(`GET ${path}: ${status} ${text.slice(0, 200)}`);
    return JSON.parse(text) as T;
  }
}
