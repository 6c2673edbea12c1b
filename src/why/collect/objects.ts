// Reads the API: everything at once, each list on its own. What the user may not list in the whole cluster is listed in the
// namespaces that matter; what is refused there too is written down with the permission that is missing.
import {
  configmaps,
  deployments,
  endpointslices,
  events,
  ingressclasses,
  ingresses,
  namespaces,
  networkpolicies,
  nodes,
  persistentvolumeclaims,
  persistentvolumes,
  pods,
  servicecidrs,
  services,
  statefulsets,
  storageclasses,
} from '#generated/resources.ts';
import type { Client } from '#client/client.ts';
import { readBody } from '#machinery/exchange.ts';
import type { KubeObject, ResourceRef } from '#machinery/object.ts';
import { StatusError } from '#machinery/status.ts';
import { type Denied, noObjects, type Objects, type Workload } from '../facts.ts';

type Kind = keyof Objects & Denied['kind'];

/** Reads more than a screenful of pods only where the question is. */
const MANY_PODS = 5_000;

export class ObjectReader {
  readonly #client: Client;
  readonly #denied = new Map<string, Denied>();

  constructor(client: Client) {
    this.#client = client;
  }

  get denied(): readonly Denied[] {
    return [...this.#denied.values()];
  }

  /** What every question needs. `near` are the namespaces of source and target. */
  async world(near: readonly string[]): Promise<Objects> {
    const [s, e, p, n, ns, pol, ing, cls, cidr, sc, pv] = await Promise.all([
      this.#list('services', services, near),
      this.#list('slices', endpointslices, near),
      this.#list('pods', pods, near, MANY_PODS),
      this.#list('nodes', nodes),
      this.#list('namespaces', namespaces),
      this.#list('policies', networkpolicies, near),
      this.#list('ingresses', ingresses, near),
      this.#list('ingressClasses', ingressclasses),
      this.#list('serviceCIDRs', servicecidrs),
      this.#list('storageClasses', storageclasses),
      this.#list('volumes', persistentvolumes),
    ]);
    return {
      ...noObjects,
      services: s,
      slices: e,
      pods: p,
      nodes: n,
      // Without the right to list them: a namespace that was named exists, with the label that every namespace has.
      namespaces:
        ns.length > 0
          ? ns
          : near.map((name) => ({ metadata: { name, labels: { 'kubernetes.io/metadata.name': name } } })),
      policies: pol,
      ingresses: ing,
      ingressClasses: cls,
      serviceCIDRs: cidr,
      storageClasses: sc,
      volumes: pv,
    };
  }

  /** What is only read where the question leads. */
  async around(
    where: readonly string[],
    wantsSecrets: boolean,
  ): Promise<Pick<Objects, 'events' | 'claims' | 'configMaps' | 'secrets'>> {
    const each = async <T extends KubeObject>(kind: Kind, ref: ResourceRef<T>) =>
      (await Promise.all(where.map((ns) => this.#one(kind, ref, ns)))).flat();
    const [e, c, m, x] = await Promise.all([
      each('events', events),
      each('claims', persistentvolumeclaims),
      each('configMaps', configmaps),
      wantsSecrets ? Promise.all(where.map((ns) => this.#secrets(ns))).then((l) => l.flat()) : [],
    ]);
    return { events: e, claims: c, configMaps: m, secrets: x };
  }

  /** What could have made the pods that a Service does not find. */
  async workloads(namespace: string): Promise<readonly Workload[]> {
    const [d, s] = await Promise.all([
      this.#one('workloads', deployments, namespace),
      this.#one('workloads', statefulsets, namespace),
    ]);
    const asOf = (kind: Workload['kind'], of: (typeof d)[number] | (typeof s)[number]): Workload => {
      const failure = of.status?.conditions?.find((c) => c.type === 'ReplicaFailure' && c.status === 'True')?.message;
      return {
        kind,
        namespace,
        name: of.metadata.name ?? '',
        replicas: of.spec?.replicas ?? 1,
        labels: of.spec?.template.metadata?.labels ?? {},
        ...(failure === undefined ? {} : { failure }),
      };
    };
    return [...d.map((x) => asOf('Deployment', x)), ...s.map((x) => asOf('StatefulSet', x))];
  }

  async #list<T extends KubeObject>(
    kind: Kind,
    ref: ResourceRef<T>,
    near: readonly string[] = [],
    limit?: number,
  ): Promise<readonly T[]> {
    try {
      const list = await this.#client.resource(ref).list(limit === undefined ? {} : { limit });
      if (list.metadata.continue === undefined || list.metadata.continue === '') return list.items;
    } catch (error) {
      if (isUnserved(error)) return [];
      if (!isForbidden(error)) throw error;
      if (!ref.namespaced) return this.#deny(kind, `list ${ref.resource}`);
    }
    return (await Promise.all(near.map((ns) => this.#one(kind, ref, ns)))).flat();
  }

  async #one<T extends KubeObject>(kind: Kind, ref: ResourceRef<T>, namespace: string): Promise<readonly T[]> {
    try {
      return (await this.#client.resource(ref).list({ namespace })).items;
    } catch (error) {
      if (isUnserved(error)) return [];
      if (!isForbidden(error)) throw error;
      return this.#deny(kind, `list ${ref.resource} in namespace ${namespace}`);
    }
  }

  #deny(kind: Kind, permission: string): [] {
    this.#denied.set(permission, { kind, permission });
    return [];
  }

  /** Names and whether they are TLS certificates; the contents are not asked for. */
  async #secrets(namespace: string): Promise<Objects['secrets']> {
    const names = async (query: string): Promise<readonly string[] | undefined> => {
      const accept = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';
      const answer = await this.#client.raw('GET', `/api/v1/namespaces/${namespace}/secrets${query}`, undefined, {
        accept,
      });
      const text = Buffer.from(await readBody(answer.body)).toString('utf8');
      if (answer.status !== 200) return undefined;
      return (JSON.parse(text) as { items: { metadata: { name: string } }[] }).items.map((i) => i.metadata.name);
    };
    const [all, tls] = await Promise.all([names(''), names('?fieldSelector=type%3Dkubernetes.io%2Ftls')]);
    if (all === undefined || tls === undefined) return this.#deny('secrets', `list secrets in namespace ${namespace}`);
    return all.map((name) => ({ namespace, name, type: tls.includes(name) ? 'kubernetes.io/tls' : 'Opaque' }));
  }
}

const isForbidden = (error: unknown): boolean =>
  error instanceof StatusError && (error.code === 403 || error.code === 401);
/** Kinds that an older cluster does not have. */
const isUnserved = (error: unknown): boolean => error instanceof StatusError && error.code === 404;
