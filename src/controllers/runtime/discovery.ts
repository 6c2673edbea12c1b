// What resources the server has, read from its discovery documents: for controllers that work on all of them.
import type { APIGroupList, APIResourceList } from '#generated/api/meta-v1.ts';
import { type Client, type RawResponse } from '#client/client.ts';
import { readBody } from '#machinery/exchange.ts';
import { parseApiVersion, type ResourceRef } from '#machinery/object.ts';

export interface DiscoveredResource extends ResourceRef {
  readonly verbs: readonly string[];
}

export interface Discovery {
  /** One entry a group and resource, in the group's preferred version where it has the resource. No subresources. */
  readonly resources: readonly DiscoveredResource[];
  /** Group versions that did not answer (an aggregated server is down). */
  readonly failures: readonly { readonly groupVersion: string; readonly error: string }[];
}

/** Throws when the list of groups itself cannot be read; single groups that fail are named in the result. */
export async function discover(client: Client): Promise<Discovery> {
  const groups = await getJson<APIGroupList>(client, '/apis');
  const wanted = [
    'v1',
    ...groups.groups.flatMap((g) =>
      preferredFirst(
        g.versions.map((v) => v.groupVersion),
        g.preferredVersion?.groupVersion,
      ),
    ),
  ];
  const failures: { groupVersion: string; error: string }[] = [];
  const found = new Map<string, DiscoveredResource>();
  for (const groupVersion of wanted) {
    let list: APIResourceList;
    try {
      list = await getJson<APIResourceList>(
        client,
        groupVersion.includes('/') ? `/apis/${groupVersion}` : `/api/${groupVersion}`,
      );
    } catch (error) {
      failures.push({ groupVersion, error: (error as Error).message });
      continue;
    }
    const { group, version } = parseApiVersion(groupVersion);
    for (const r of list.resources) {
      const id = `${group}/${r.name}`;
      if (r.name.includes('/') || found.has(id)) continue;
      found.set(id, { group, version, resource: r.name, kind: r.kind, namespaced: r.namespaced, verbs: r.verbs });
    }
  }
  return { resources: [...found.values()], failures };
}

export const supports = (resource: DiscoveredResource, ...verbs: readonly string[]): boolean =>
  verbs.every((v) => resource.verbs.includes(v));

function preferredFirst(versions: readonly string[], preferred: string | undefined): readonly string[] {
  return preferred === undefined ? versions : [preferred, ...versions.filter((v) => v !== preferred)];
}

async function getJson<T>(client: Client, path: string): Promise<T> {
  const response: RawResponse = await client.raw('GET', path, undefined, { accept: 'application/json' });
  const text = Buffer.from(await readBody(response.body)).toString();
  if (response.status !== 200) throw new Error(`GET ${path}: ${response.status} ${text.slice(0, 200)}`);
  return JSON.parse(text) as T;
}
