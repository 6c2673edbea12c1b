// The stable identity of a StatefulSet's pods: names, labels, host names and claims by ordinal.
// Upstream: stateful_set_utils.go.
import type { StatefulSet } from '#generated/api/apps-v1.ts';
import type { PersistentVolumeClaim, Pod, PodTemplateSpec, Volume } from '#generated/api/core-v1.ts';
import type { OwnerReference } from '#generated/api/meta-v1.ts';
import { statefulsets } from '#generated/resources.ts';
import { makeControllerRef } from '#machinery/object.ts';
import { podFromTemplate } from '../runtime/pod-control.ts';
import { POD_REVISION_LABEL } from '../runtime/revisions.ts';

const POD_NAME_LABEL = 'statefulset.kubernetes.io/pod-name';
const POD_INDEX_LABEL = 'apps.kubernetes.io/pod-index';

export const firstOrdinal = (set: StatefulSet): number => set.spec!.ordinals?.start ?? 0;
export const replicasOf = (set: StatefulSet): number => set.spec!.replicas ?? 1;
export const isWanted = (set: StatefulSet, ordinal: number): boolean =>
  ordinal >= firstOrdinal(set) && ordinal < firstOrdinal(set) + replicasOf(set);

/** Undefined when the pod's name is not one of the set's. */
export function ordinalOf(set: StatefulSet, pod: Pod): number | undefined {
  const match = /^(.*)-(0|[1-9]\d*)$/.exec(pod.metadata.name!);
  return match !== null && match[1] === set.metadata.name ? Number(match[2]) : undefined;
}

export const claimName = (template: PersistentVolumeClaim, set: StatefulSet, ordinal: number): string =>
  `${template.metadata.name}-${set.metadata.name}-${ordinal}`;

/** The pod of one ordinal, from a revision's template. */
export function makePod(set: StatefulSet, template: PodTemplateSpec, revisionName: string, ordinal: number): Pod {
  const name = `${set.metadata.name}-${ordinal}`;
  return withIdentity(
    set,
    ordinal,
    withLabels(podFromTemplate(template, { object: set, ref: statefulsets }, name), {
      [POD_REVISION_LABEL]: revisionName,
    }),
  );
}

const withLabels = (pod: Pod, labels: Readonly<Record<string, string>>): Pod => ({
  ...pod,
  metadata: { ...pod.metadata, labels: { ...pod.metadata.labels, ...labels } },
});

function withIdentity(set: StatefulSet, ordinal: number, pod: Pod): Pod {
  const name = pod.metadata.name!;
  const labelled = withLabels(pod, { [POD_NAME_LABEL]: name, [POD_INDEX_LABEL]: String(ordinal) });
  const volumes = claimVolumes(set, ordinal, pod.spec!.volumes ?? []);
  const { serviceName } = set.spec!;
  return {
    ...labelled,
    spec: {
      ...pod.spec!,
      hostname: name,
      ...(serviceName ? { subdomain: serviceName } : {}),
      ...(volumes.length === 0 ? {} : { volumes }),
    },
  };
}

/** The template's volumes, with those named like a claim template replaced by the ordinal's claim. */
function claimVolumes(set: StatefulSet, ordinal: number, volumes: readonly Volume[]): readonly Volume[] {
  const templates = set.spec!.volumeClaimTemplates ?? [];
  const names = new Set(templates.map((t) => t.metadata.name));
  const claims = templates.map((t) => ({
    name: t.metadata.name!,
    persistentVolumeClaim: { claimName: claimName(t, set, ordinal), readOnly: false },
  }));
  return [...claims, ...volumes.filter((v) => !names.has(v.name))];
}

/** Labels by which Services and people find the pod are as they should be. */
export function hasIdentity(ordinal: number, pod: Pod): boolean {
  const { labels, name } = pod.metadata;
  return labels?.[POD_NAME_LABEL] === name && labels?.[POD_INDEX_LABEL] === String(ordinal);
}

export function identityLabels(pod: Pod, ordinal: number): Readonly<Record<string, string>> {
  return { [POD_NAME_LABEL]: pod.metadata.name!, [POD_INDEX_LABEL]: String(ordinal) };
}

export function makeClaims(set: StatefulSet, ordinal: number): readonly PersistentVolumeClaim[] {
  return (set.spec!.volumeClaimTemplates ?? []).map((template) => ({
    ...template,
    metadata: {
      ...template.metadata,
      name: claimName(template, set, ordinal),
      namespace: set.metadata.namespace,
      labels: { ...template.metadata.labels, ...set.spec!.selector.matchLabels },
    },
    status: undefined,
  }));
}

/**
 * Who shall own an ordinal's claim under spec.persistentVolumeClaimRetentionPolicy: the set (goes with it), the pod (goes with the
 * pod that is scaled away), or nobody. Other owners stay.
 */
export function claimOwners(
  set: StatefulSet,
  ordinal: number,
  pod: Pod,
  claim: PersistentVolumeClaim,
): readonly OwnerReference[] {
  const { whenDeleted = 'Retain', whenScaled = 'Retain' } = set.spec!.persistentVolumeClaimRetentionPolicy ?? {};
  const condemned = !isWanted(set, ordinal);
  const present = claim.metadata.ownerReferences ?? [];
  const isSet = (o: OwnerReference) =>
    o.uid === set.metadata.uid || (o.kind === 'StatefulSet' && o.name === set.metadata.name);
  const isPod = (o: OwnerReference) => o.kind === 'Pod' && o.name === pod.metadata.name;
  const others = present.filter((o) => !isSet(o) && !isPod(o));
  if (whenScaled === 'Delete' && condemned) {
    const owner = {
      apiVersion: 'v1',
      kind: 'Pod',
      name: pod.metadata.name!,
      uid: pod.metadata.uid!,
      controller: true,
      blockOwnerDeletion: true,
    };
    return [...others, owner];
  }
  return whenDeleted === 'Delete' ? [...others, makeControllerRef(set, statefulsets)] : others;
}
