// The ReplicaSets of a Deployment as its revisions: which is the new one, what it is called, the annotations that number
// revisions, and which old ones may be forgotten. Upstream: util/deployment_util.go.
import type { Deployment, ReplicaSet } from '#generated/api/apps-v1.ts';
import type { PodTemplateSpec } from '#generated/api/core-v1.ts';
import { deployments } from '#generated/resources.ts';
import { makeControllerRef } from '#machinery/object.ts';
import { sameValue } from '../runtime/equality.ts';
import { revisionHash } from '../runtime/hash.ts';

export const HASH_LABEL = 'pod-template-hash';
export const REVISION = 'deployment.kubernetes.io/revision';
const REVISION_HISTORY = 'deployment.kubernetes.io/revision-history';
const DESIRED_REPLICAS = 'deployment.kubernetes.io/desired-replicas';
const MAX_REPLICAS = 'deployment.kubernetes.io/max-replicas';

/** Annotations of the Deployment that its ReplicaSets do not take over. */
const NOT_COPIED: ReadonlySet<string> = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  REVISION,
  REVISION_HISTORY,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
  'deprecated.deployment.rollback.to',
]);

/** Characters of revision-history kept: upstream's maxRevHistoryLengthInChars. */
const REVISION_HISTORY_MAX = 2000;

type Annotations = Readonly<Record<string, string>>;

/** Oldest first; names break ties. */
export function byCreation(a: ReplicaSet, b: ReplicaSet): number {
  const [x, y] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  if (x !== y) return x < y ? -1 : 1;
  return a.metadata.name! < b.metadata.name! ? -1 : 1;
}

/** An int64: adopted sets may come with numbers that a double has no room for. */
export function revisionOf(object: { readonly metadata: { readonly annotations?: Annotations } }): bigint {
  const text = object.metadata.annotations?.[REVISION];
  return text !== undefined && /^\d{1,19}$/.test(text) ? BigInt(text) : 0n;
}

/** The number after all of these. */
export const revisionAfter = (sets: readonly ReplicaSet[]): bigint =>
  sets.map(revisionOf).reduce((a, b) => (a > b ? a : b), 0n) + 1n;

const compareRevisions = (a: ReplicaSet, b: ReplicaSet): number => {
  const [x, y] = [revisionOf(a), revisionOf(b)];
  return x < y ? -1 : x > y ? 1 : 0;
};

export const desiredReplicasOf = (set: ReplicaSet): number | undefined => numberAt(set, DESIRED_REPLICAS);
export const maxReplicasOf = (set: ReplicaSet): number | undefined => numberAt(set, MAX_REPLICAS);

function numberAt(
  object: { readonly metadata: { readonly annotations?: Annotations } },
  key: string,
): number | undefined {
  const text = object.metadata.annotations?.[key];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** Equal but for the hash label. */
export function sameTemplate(a: PodTemplateSpec, b: PodTemplateSpec): boolean {
  return sameValue(withoutHash(a), withoutHash(b));
}

function withoutHash(template: PodTemplateSpec): PodTemplateSpec {
  const { [HASH_LABEL]: _, ...labels } = template.metadata?.labels ?? {};
  return { ...template, metadata: { ...template.metadata, labels } };
}

/** The set that has the Deployment's template; the oldest when several do. */
export function findNewSet(d: Deployment, sets: readonly ReplicaSet[]): ReplicaSet | undefined {
  return sets.toSorted(byCreation).find((s) => sameTemplate(s.spec!.template!, d.spec!.template));
}

/** A ReplicaSet for the Deployment's present template, without its size. */
export function makeNewSet(d: Deployment, replicas: number, revision: bigint, size: SizeNote): ReplicaSet {
  const hash = revisionHash(d.spec!.template, d.status?.collisionCount);
  const labels = { ...d.spec!.template.metadata?.labels, [HASH_LABEL]: hash };
  const { selector, template, minReadySeconds } = d.spec!;
  return {
    metadata: {
      name: `${d.metadata.name}-${hash}`,
      namespace: d.metadata.namespace,
      labels,
      annotations: { ...copiedAnnotations(d), [REVISION]: String(revision), ...sizeAnnotations(size) },
      ownerReferences: [makeControllerRef(d, deployments)],
    },
    spec: {
      replicas,
      ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [HASH_LABEL]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
}

function copiedAnnotations(d: Deployment): Annotations {
  return Object.fromEntries(Object.entries(d.metadata.annotations ?? {}).filter(([k]) => !NOT_COPIED.has(k)));
}

/** What a set notes of the Deployment's size when it was last scaled. */
export interface SizeNote {
  readonly desired: number;
  readonly max: number;
}

export function sizeAnnotations({ desired, max }: SizeNote): Annotations {
  return { [DESIRED_REPLICAS]: String(desired), [MAX_REPLICAS]: String(max) };
}

/** The annotations the new set should have when it is (again) the newest revision. */
export function newSetAnnotations(d: Deployment, set: ReplicaSet, newRevision: bigint): Annotations {
  const present = set.metadata.annotations ?? {};
  const merged = { ...present, ...copiedAnnotations(d) };
  const before = revisionOf(set);
  if (before >= newRevision) return merged;
  if (present[REVISION] === undefined) return { ...merged, [REVISION]: String(newRevision) };
  // A roll-back: the set remembers the numbers it once had.
  const history = (present[REVISION_HISTORY] ?? '').split(',').filter((r) => r !== '');
  while ([...history, before].join(',').length > REVISION_HISTORY_MAX) history.shift();
  return { ...merged, [REVISION]: String(newRevision), [REVISION_HISTORY]: [...history, before].join(',') };
}

/** Old sets beyond the history limit that nothing uses any more, lowest revision first. */
export function forgettableSets(d: Deployment, old: readonly ReplicaSet[]): readonly ReplicaSet[] {
  const limit = d.spec!.revisionHistoryLimit;
  // Upstream's "no limit": the field's largest value.
  if (limit === undefined || limit === 2 ** 31 - 1) return [];
  const alive = old.filter((s) => s.metadata.deletionTimestamp === undefined);
  const surplus = alive.length - limit;
  if (surplus <= 0) return [];
  return alive
    .toSorted((a, b) => compareRevisions(a, b) || byCreation(a, b))
    .slice(0, surplus)
    .filter(
      (s) =>
        s.spec!.replicas === 0 &&
        (s.status?.replicas ?? 0) === 0 &&
        (s.metadata.generation ?? 0) <= (s.status?.observedGeneration ?? 0),
    );
}
