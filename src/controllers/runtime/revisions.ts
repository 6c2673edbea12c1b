// Pod templates of StatefulSets and DaemonSets as ControllerRevisions, which is what `kubectl rollout undo` reads.
// Upstream: pkg/controller/history, pkg/controller/daemon/update.go.
import type { ControllerRevision } from '#generated/api/apps-v1.ts';
import type { PodTemplateSpec } from '#generated/api/core-v1.ts';
import type { LabelSelector } from '#generated/api/meta-v1.ts';
import type { Informer, ResourceClient } from '#client/client.ts';
import { controllerOf, type KubeObject, makeControllerRef, type ResourceRef } from '#machinery/object.ts';
import { isStatus } from '#machinery/status.ts';
import { sameValue } from './equality.ts';
import { revisionHash } from './hash.ts';
import { candidatesOf, claim, planClaims } from './ownership.ts';
import { matchesLabelSelector } from './selection.ts';

/** On pods: the name (StatefulSet) or hash (DaemonSet) of the revision they were made from. */
export const POD_REVISION_LABEL = 'controller-revision-hash';

/** On revisions: their hash. DaemonSets use the pods' label for it. */
export const REVISION_HASH_LABEL = 'controller.kubernetes.io/hash';

interface Owner extends KubeObject {
  readonly spec?: { readonly template: PodTemplateSpec; readonly selector: LabelSelector };
  readonly status?: { readonly collisionCount?: number };
}

/** A strategic merge patch that brings the owner back to this template, byte for byte as upstream writes it: clients compare bytes. */
const dataOf = (template: PodTemplateSpec) =>
  withSortedKeys({ spec: { template: { ...template, $patch: 'replace' } } });

function withSortedKeys<T>(value: T): T {
  if (Array.isArray(value)) return value.map(withSortedKeys) as T;
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, v]) => [key, withSortedKeys(v)])) as T;
}

/** The template a revision holds. */
export function templateOf(revision: ControllerRevision): PodTemplateSpec {
  const { $patch: _, ...template } = (revision.data as ReturnType<typeof dataOf>).spec.template;
  return template;
}

export const holdsTemplate = (revision: ControllerRevision, template: PodTemplateSpec): boolean =>
  sameValue(templateOf(revision), template);

export function makeRevision(owner: Owner, ref: ResourceRef, number: number, hashLabel: string): ControllerRevision {
  const data = dataOf(owner.spec!.template);
  const hash = revisionHash(data, owner.status?.collisionCount);
  return {
    metadata: {
      name: `${owner.metadata.name}-${hash}`,
      namespace: owner.metadata.namespace,
      labels: { ...owner.spec!.template.metadata?.labels, [hashLabel]: hash },
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

export interface RevisionHistoryDeps<O extends Owner> {
  readonly owners: ResourceClient<O>;
  readonly client: ResourceClient<ControllerRevision>;
  /** Indexed by controller (ownership.ts). */
  readonly informer: Informer<ControllerRevision>;
  readonly hashLabel: string;
}

export interface Revisions {
  /** Holds the owner's present template. */
  readonly update: ControllerRevision;
  /** Lowest number first; `update` is the last. */
  readonly all: readonly ControllerRevision[];
}

/** The revisions of one kind's objects: claimed, made, numbered and forgotten. */
export class RevisionHistory<O extends Owner> {
  readonly #deps: RevisionHistoryDeps<O>;

  constructor(deps: RevisionHistoryDeps<O>) {
    this.#deps = deps;
  }

  /** Finds or makes the revision of the present template and gives it the highest number. */
  async sync(owner: O): Promise<Revisions> {
    const { owners, client, informer } = this.#deps;
    const plan = planClaims(owner, candidatesOf(informer, owner), (r) =>
      matchesLabelSelector(owner.spec!.selector, r.metadata.labels),
    );
    const sorted = (await claim(owner, plan, { owners, objects: client })).toSorted(byNumber);
    const next = (sorted.at(-1)?.revision ?? 0) + 1;
    const equal = sorted.findLast((r) => holdsTemplate(r, owner.spec!.template));
    let update: ControllerRevision;
    if (equal === undefined) update = await this.#create(owner, next);
    else if (equal === sorted.at(-1)) update = equal;
    // A roll-back: the old revision becomes the newest.
    else update = await client.update({ ...equal, revision: next });
    return { update, all: [...sorted.filter((r) => r.metadata.uid !== update.metadata.uid), update] };
  }

  async delete(revision: ControllerRevision): Promise<void> {
    const { namespace, name, uid } = revision.metadata;
    await this.#deps.client.delete(namespace, name!, { preconditions: { uid } });
  }

  async #create(owner: O, number: number): Promise<ControllerRevision> {
    const { owners, client, hashLabel } = this.#deps;
    const wanted = makeRevision(owner, owners.ref, number, hashLabel);
    try {
      return await client.create(wanted);
    } catch (error) {
      if (!isStatus(error, 'AlreadyExists')) throw error;
      const present = await client.get(wanted.metadata.namespace, wanted.metadata.name!);
      const isOurs = present !== undefined && controllerOf(present)?.uid === owner.metadata.uid;
      if (isOurs && holdsTemplate(present, owner.spec!.template)) return present;
      // Another template with the same hash: the count moves it.
      const collisionCount = (owner.status?.collisionCount ?? 0) + 1;
      await owners.updateStatus({ ...owner, status: { ...owner.status, collisionCount } });
      throw error;
    }
  }
}
