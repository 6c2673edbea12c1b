// Pod templates of StatefulSets and DaemonSets as ControllerRevisions, which is what `kubectl rollout undo` reads.
// Upstream: pkg/controller/history.
import type { ControllerRevision } from '#generated/api/apps-v1.ts';
import type { PodTemplateSpec } from '#generated/api/core-v1.ts';
import { type KubeObject, makeControllerRef, type ResourceRef } from '#machinery/object.ts';
import { sameValue } from '../runtime/equality.ts';
import { revisionHash } from '../runtime/hash.ts';

export const REVISION_HASH_LABEL = 'controller.kubernetes.io/hash';
/** On pods: the name (StatefulSet) or hash (DaemonSet) of the revision they were made from. */
export const POD_REVISION_LABEL = 'controller-revision-hash';

interface Owner extends KubeObject {
  readonly spec?: { readonly template: PodTemplateSpec };
}

/** A strategic merge patch that brings the owner back to this template. */
const dataOf = (template: PodTemplateSpec) => ({ spec: { template: { ...template, $patch: 'replace' } } });

/** The template a revision holds. */
export function templateOf(revision: ControllerRevision): PodTemplateSpec {
  const { $patch: _, ...template } = (revision.data as ReturnType<typeof dataOf>).spec.template;
  return template;
}

export const holdsTemplate = (revision: ControllerRevision, template: PodTemplateSpec): boolean =>
  sameValue(templateOf(revision), template);

export const hashOf = (revision: ControllerRevision): string => revision.metadata.labels?.[REVISION_HASH_LABEL] ?? '';

export function makeRevision(
  owner: Owner,
  ref: ResourceRef,
  number: number,
  collisionCount: number | undefined,
): ControllerRevision {
  const data = dataOf(owner.spec!.template);
  const hash = revisionHash(data, collisionCount);
  return {
    metadata: {
      name: `${owner.metadata.name}-${hash}`,
      namespace: owner.metadata.namespace,
      labels: { ...owner.spec!.template.metadata?.labels, [REVISION_HASH_LABEL]: hash },
      ...(owner.metadata.annotations === undefined ? {} : { annotations: owner.metadata.annotations }),
      ownerReferences: [makeControllerRef(owner, ref)],
    },
    data,
    revision: number,
  };
}

/** Lowest number first; equal numbers by age and name. */
export function byNumber(a: ControllerRevision, b: ControllerRevision): number {
  const age = (r: ControllerRevision) => r.metadata.creationTimestamp ?? '';
  if (a.revision !== b.revision) return a.revision - b.revision;
  if (age(a) !== age(b)) return age(a) < age(b) ? -1 : 1;
  return a.metadata.name! < b.metadata.name! ? -1 : 1;
}

/** Revisions nothing uses, beyond the limit, oldest first. */
export function surplusRevisions(
  revisions: readonly ControllerRevision[],
  inUse: ReadonlySet<string>,
  limit: number,
): readonly ControllerRevision[] {
  const unused = revisions.toSorted(byNumber).filter((r) => !inUse.has(r.metadata.name!));
  return unused.slice(0, Math.max(0, unused.length - limit));
}
