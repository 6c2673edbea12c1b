// The client of the question: a pod that stands for a workload, a node, or this machine.
import {
  cronjobs,
  daemonsets,
  deployments,
  jobs,
  replicasets,
  replicationcontrollers,
  statefulsets,
} from '#generated/resources.ts';
import type { Pod } from '#generated/api/core-v1.ts';
import type { LabelSelector } from '#generated/api/meta-v1.ts';
import type { Client } from '#client/client.ts';
import type { KubeObject, ResourceRef } from '#machinery/object.ts';
import { matcherOf, matcherOfMap, matchesLabels } from '#machinery/selectors.ts';
import type { Forward, Objects, SourceFacts } from '../facts.ts';
import { isEnded, isReady, isRunning, isTerminating, nameOf, namespaceOf, ownerOf } from '../pods.ts';
import { type Source, TargetError, type WorkloadResource } from '../target.ts';

const REFS: Readonly<Record<WorkloadResource, ResourceRef>> = {
  deployments,
  statefulsets,
  daemonsets,
  replicasets,
  replicationcontrollers,
  jobs,
  cronjobs,
};

/** Throws a TargetError when what was named is not there. */
export async function findSource(
  client: Client,
  source: Source,
  namespace: string,
  objects: Objects,
  forwards: () => readonly Forward[],
): Promise<SourceFacts> {
  if (source.kind === 'laptop') return { at: 'laptop', forwards: forwards() };
  if (source.kind === 'node') {
    const node = objects.nodes.find((n) => nameOf(n) === source.name);
    if (node === undefined && objects.nodes.length > 0)
      throw new TargetError(`there is no node ${source.name}; there are ${objects.nodes.map(nameOf).join(', ')}`);
    return { at: 'node', node, wanted: source.name };
  }
  const place = source.namespace ?? namespace;
  if (source.kind === 'pod') {
    const pod = objects.pods.find((p) => nameOf(p) === source.name && namespaceOf(p) === place);
    if (pod === undefined)
      throw new TargetError(`there is no pod ${source.name} in namespace ${place}${hint(objects, place)}`);
    return { at: 'pod', pod, wanted: `pod/${source.name}`, namespace: place };
  }
  const ref = REFS[source.resource];
  const wanted = `${ref.kind.toLowerCase()}/${source.name}`;
  const workload = await client.resource(ref).get(place, source.name);
  if (workload === undefined)
    throw new TargetError(`there is no ${wanted} in namespace ${place}${hint(objects, place)}`);
  const mine = objects.pods.filter((p) => namespaceOf(p) === place && isOf(p, workload, source));
  return { at: 'pod', pod: best(mine), wanted, namespace: place };
}

function hint(objects: Objects, namespace: string): string {
  const owners = [
    ...new Set(objects.pods.filter((p) => namespaceOf(p) === namespace).map((p) => ownerOf(p).ref)),
  ].slice(0, 8);
  return owners.length === 0 ? '' : `; there ${owners.length === 1 ? 'is' : 'are'} ${owners.join(', ')}`;
}

function isOf(pod: Pod, workload: KubeObject, source: Extract<Source, { kind: 'workload' }>): boolean {
  if (source.resource === 'cronjobs') {
    const owner = ownerOf(pod);
    return owner.kind === 'Job' && owner.name.startsWith(`${source.name}-`);
  }
  const selector = (workload as { spec?: { selector?: LabelSelector & Readonly<Record<string, string>> } }).spec
    ?.selector;
  const matcher = source.resource === 'replicationcontrollers' ? matcherOfMap(selector) : matcherOf(selector);
  return matchesLabels(matcher, pod.metadata.labels);
}

function best(pods: readonly Pod[]): Pod | undefined {
  const rank = (p: Pod) => (isTerminating(p) || isEnded(p) ? 0 : isReady(p) ? 3 : isRunning(p) ? 2 : 1);
  return [...pods].sort((a, b) => rank(b) - rank(a) || (nameOf(a) < nameOf(b) ? -1 : 1))[0];
}
