// What plugins read of the cluster besides nodes and pods: volumes and the objects around them, namespaces, and the
// selectors under which a pod's siblings are found. Backed by informers in production, by maps in tests.
import type { Namespace, PersistentVolume, PersistentVolumeClaim, Pod } from '#generated/api/core-v1.ts';
import type { PodDisruptionBudget } from '#generated/api/policy-v1.ts';
import type { CSINode, StorageClass } from '#generated/api/storage-v1.ts';
import {
  csinodes,
  namespaces,
  persistentvolumeclaims,
  persistentvolumes,
  poddisruptionbudgets,
  replicasets,
  replicationcontrollers,
  services,
  statefulsets,
  storageclasses,
} from '#generated/resources.ts';
import type { Informers } from '#client/client.ts';
import { controllerOf, makeKey } from '#machinery/object.ts';
import {
  type LabelMatcher,
  type LabelRequirement,
  matcherOf,
  matcherOfMap,
  matchesLabels,
} from '#machinery/selectors.ts';

export interface Lister {
  /** By `namespace/name`. */
  claim(key: string): PersistentVolumeClaim | undefined;
  volume(name: string): PersistentVolume | undefined;
  volumesOfClass(storageClass: string): readonly PersistentVolume[];
  storageClass(name: string): StorageClass | undefined;
  csiNode(name: string): CSINode | undefined;
  namespace(name: string): Namespace | undefined;
  budgets(namespace: string): readonly PodDisruptionBudget[];
  /** What the Services that select the pod and its controller select, together; undefined when it has neither. */
  siblings(pod: Pod): LabelMatcher | undefined;
}

export function createLister(informers: Informers): Lister {
  const claims = informers.informer(persistentvolumeclaims);
  const volumes = informers.informer(persistentvolumes);
  const classes = informers.informer(storageclasses);
  const csi = informers.informer(csinodes);
  const spaces = informers.informer(namespaces);
  const budgets = informers.informer(poddisruptionbudgets);
  const allServices = informers.informer(services);
  const owners = {
    ReplicaSet: informers.informer(replicasets),
    StatefulSet: informers.informer(statefulsets),
  } as const;
  const controllers = informers.informer(replicationcontrollers);
  volumes.addIndex('class', (pv) => [pv.spec?.storageClassName ?? '']);
  return {
    claim: (key) => claims.get(key),
    volume: (name) => volumes.get(name),
    volumesOfClass: (name) => volumes.byIndex('class', name),
    storageClass: (name) => classes.get(name),
    csiNode: (name) => csi.get(name),
    namespace: (name) => spaces.get(name),
    budgets: (namespace) => budgets.listNamespace(namespace),
    siblings(pod) {
      const namespace = pod.metadata.namespace ?? '';
      const found: LabelMatcher[] = [];
      for (const service of allServices.listNamespace(namespace)) {
        const selector = service.spec?.selector;
        if (selector === undefined || Object.keys(selector).length === 0) continue;
        const matcher = matcherOfMap(selector);
        if (matchesLabels(matcher, pod.metadata.labels)) found.push(matcher);
      }
      const owner = controllerOf(pod);
      const key = owner === undefined ? '' : makeKey(namespace, owner.name);
      if (owner?.kind === 'ReplicaSet' || owner?.kind === 'StatefulSet')
        found.push(matcherOf(owners[owner.kind].get(key)?.spec?.selector));
      else if (owner?.kind === 'ReplicationController') found.push(matcherOfMap(controllers.get(key)?.spec?.selector));
      const requirements: LabelRequirement[] = found.flatMap((m) => m.requirements);
      return requirements.length === 0 ? undefined : { requirements };
    },
  };
}
