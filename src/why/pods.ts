// What the checks ask of pods and their owners, and how a thing is named in a report.
import type { Container, ContainerStatus, Pod, Service } from '#generated/api/core-v1.ts';
import { controllerOf, type KubeObject } from '#machinery/object.ts';
import { matcherOfMap, matchesLabels } from '#machinery/selectors.ts';
import type { ObjectField } from './report.ts';

export const nameOf = (object: KubeObject): string => object.metadata.name ?? '';
export const namespaceOf = (object: KubeObject): string => object.metadata.namespace ?? '';
export const pathOf = (object: KubeObject): string => `${namespaceOf(object)}/${nameOf(object)}`;

export function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true;
}

export const isRunning = (pod: Pod): boolean =>
  pod.status?.phase === 'Running' && (pod.status.containerStatuses ?? []).some((s) => s.state?.running !== undefined);

export const isEnded = (pod: Pod): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

export const isTerminating = (pod: Pod): boolean => pod.metadata.deletionTimestamp !== undefined;

export const ipsOf = (pod: Pod): readonly string[] => {
  const all = (pod.status?.podIPs ?? []).map((p) => p.ip);
  return all.length > 0 ? all : pod.status?.podIP === undefined ? [] : [pod.status.podIP];
};

/** Regular containers and sidecars. */
export function longLived(pod: Pod): readonly Container[] {
  const sidecars = (pod.spec?.initContainers ?? []).filter((c) => c.restartPolicy === 'Always');
  return [...(pod.spec?.containers ?? []), ...sidecars];
}

export function statusOf(pod: Pod, container: string): ContainerStatus | undefined {
  return [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])].find(
    (s) => s.name === container,
  );
}

export interface NamedPort {
  readonly name: string | undefined;
  readonly port: number;
  readonly protocol: string;
  readonly container: string;
}

export function containerPorts(pod: Pod): readonly NamedPort[] {
  return longLived(pod).flatMap((c) =>
    (c.ports ?? []).map((p) => ({
      name: p.name,
      port: p.containerPort,
      protocol: p.protocol ?? 'TCP',
      container: c.name,
    })),
  );
}

/** Where a Service's port leads in this pod; undefined when it names a port that the pod has not. */
export function targetPortIn(
  pod: Pod,
  port: { readonly port: number; readonly targetPort?: number | string; readonly protocol?: string },
): number | undefined {
  const wanted = port.targetPort === undefined || port.targetPort === 0 ? port.port : port.targetPort;
  if (typeof wanted === 'number') return wanted;
  return containerPorts(pod).find((p) => p.name === wanted && p.protocol === (port.protocol ?? 'TCP'))?.port;
}

export function selectedPods(service: Service, pods: readonly Pod[]): readonly Pod[] {
  const selector = service.spec?.selector;
  if (selector === undefined || Object.keys(selector).length === 0) return [];
  const matcher = matcherOfMap(selector);
  return pods.filter(
    (p) =>
      namespaceOf(p) === namespaceOf(service) &&
      (!isEnded(p) || isTerminating(p)) &&
      matchesLabels(matcher, p.metadata.labels),
  );
}

export function fieldOf(object: KubeObject, apiVersion: string, kind: string, field?: string): ObjectField {
  const { namespace } = object.metadata;
  return {
    apiVersion,
    kind,
    ...(namespace === undefined ? {} : { namespace }),
    name: nameOf(object),
    ...(field === undefined ? {} : { field }),
  };
}

export const serviceField = (service: Service, field?: string): ObjectField => fieldOf(service, 'v1', 'Service', field);
export const podField = (pod: Pod, field?: string): ObjectField => fieldOf(pod, 'v1', 'Pod', field);

/** What a person edits to change a pod: its Deployment, StatefulSet, … and how kubectl names it. */
export interface Owner {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** `deployment/api`, or `pod/web` for a pod of nobody. */
  readonly ref: string;
  /** Before a field of the pod's spec: `spec.template.` or nothing. */
  readonly prefix: string;
}

/** Pods of Deployments are named through their ReplicaSet, whose name ends with the template's hash. */
export function ownerOf(pod: Pod): Owner {
  const namespace = namespaceOf(pod);
  const own = controllerOf(pod);
  if (own === undefined)
    return { apiVersion: 'v1', kind: 'Pod', namespace, name: nameOf(pod), ref: `pod/${nameOf(pod)}`, prefix: '' };
  const hash = pod.metadata.labels?.['pod-template-hash'];
  const owner =
    own.kind === 'ReplicaSet' && hash !== undefined && own.name.endsWith(`-${hash}`)
      ? { apiVersion: own.apiVersion, kind: 'Deployment', name: own.name.slice(0, -hash.length - 1) }
      : { apiVersion: own.apiVersion, kind: own.kind, name: own.name };
  return { ...owner, namespace, ref: `${owner.kind.toLowerCase()}/${owner.name}`, prefix: 'spec.template.' };
}

/** `field` is one of the pod: `spec.containers[0].image`. */
export function ownerField(pod: Pod, field: string): ObjectField {
  const { apiVersion, kind, namespace, name, prefix } = ownerOf(pod);
  return { apiVersion, kind, namespace, name, field: `${prefix}${field}` };
}

/** `spec.containers[0]` or `spec.initContainers[1]`, and the container there. */
export function containerField(
  pod: Pod,
  name: string,
): { readonly path: string; readonly container: Container | undefined } {
  const init = (pod.spec?.initContainers ?? []).findIndex((c) => c.name === name);
  if (init >= 0) return { path: `spec.initContainers[${init}]`, container: pod.spec!.initContainers![init] };
  const index = Math.max(
    0,
    (pod.spec?.containers ?? []).findIndex((c) => c.name === name),
  );
  return { path: `spec.containers[${index}]`, container: pod.spec?.containers[index] };
}

/** A field of a pod's spec as a path of a JSON patch of its owner. */
export const patchPath = (owner: Pick<Owner, 'prefix'>, field: string): string =>
  `/${`${owner.prefix}${field}`.replaceAll(/\[(\d+)\]/g, '.$1').replaceAll('.', '/')}`;

/** How many letters must change. Names are short: no cleverness is needed. */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}

/** One word of a shell line. */
export const quote = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

/** `kubectl -n NS patch KIND NAME --type=json -p …`. */
export function patchCommand(
  owner: { readonly namespace?: string; readonly ref: string },
  patch: unknown,
  type = 'json',
): string {
  const [kind, name] = owner.ref.split('/');
  const where = owner.namespace === undefined || owner.namespace === '' ? '' : ` -n ${owner.namespace}`;
  return `kubectl${where} patch ${kind} ${name} --type=${type} -p ${quote(JSON.stringify(patch))}`;
}

/** Labels that outlive a rollout and do not single out one pod. */
export function stableLabels(labels: Readonly<Record<string, string>>): Record<string, string> {
  const passing =
    /^(pod-template-hash|controller-revision-hash|pod-template-generation|statefulset\.kubernetes\.io\/pod-name|apps\.kubernetes\.io\/pod-index|batch\.kubernetes\.io\/|controller-uid|job-name)/;
  return Object.fromEntries(Object.entries(labels).filter(([k]) => !passing.test(k)));
}
