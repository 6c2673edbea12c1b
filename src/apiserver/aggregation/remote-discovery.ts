// What an aggregated server says of one group and version: its part of the aggregated discovery document, or its list of resources
// turned into such a part.
export interface VersionDiscovery {
  readonly version: string;
  readonly resources?: readonly object[];
}

interface GroupList {
  readonly items?: readonly {
    readonly metadata?: { readonly name?: string };
    readonly versions?: readonly VersionDiscovery[];
  }[];
}

interface Resource {
  readonly name: string;
  readonly singularName?: string;
  readonly namespaced?: boolean;
  readonly group?: string;
  readonly version?: string;
  readonly kind: string;
  readonly verbs?: readonly string[];
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
}

export const AGGREGATED_ACCEPT = ['v2', 'v2beta1']
  .map((v) => `application/json;g=apidiscovery.k8s.io;v=${v};as=APIGroupDiscoveryList`)
  .join(',');

/** From an APIGroupDiscoveryList; undefined when the group or version is not in it. */
export function fromAggregated(document: unknown, group: string, version: string): VersionDiscovery | undefined {
  const item = ((document as GroupList).items ?? []).find((i) => i.metadata?.name === group);
  const found = item?.versions?.find((v) => v.version === version);
  return found === undefined ? undefined : { version, resources: found.resources ?? [] };
}

/** From an APIResourceList. */
export function fromResourceList(document: unknown, group: string, version: string): VersionDiscovery {
  const rows = (document as { readonly resources?: readonly Resource[] }).resources ?? [];
  const kindOf = (r: Resource) => ({ group: r.group ?? group, version: r.version ?? version, kind: r.kind });
  const resources = rows
    .filter((r) => !r.name.includes('/'))
    .map((r) => {
      const subresources = rows
        .filter((s) => s.name.startsWith(`${r.name}/`))
        .map((s) => ({ subresource: s.name.slice(r.name.length + 1), responseKind: kindOf(s), verbs: s.verbs ?? [] }));
      return {
        resource: r.name,
        responseKind: kindOf(r),
        scope: r.namespaced === true ? 'Namespaced' : 'Cluster',
        singularResource: r.singularName ?? '',
        verbs: r.verbs ?? [],
        ...(r.shortNames === undefined ? {} : { shortNames: r.shortNames }),
        ...(r.categories === undefined ? {} : { categories: r.categories }),
        ...(subresources.length === 0 ? {} : { subresources }),
      };
    });
  return { version, resources };
}
