// Makes the bootstrap roles and bindings and keeps them whole, after every start, as upstream's auto-reconciliation:
// missing objects are made, missing rules, subjects, labels and annotations are added, additions of the administrator
// stay, and what is annotated autoupdate=false is left alone. May run twice and on several servers at once.
import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  Subject,
} from '#generated/api/rbac-v1.ts';
import type { ObjectMeta } from '#generated/api/meta-v1.ts';
import { clusterrolebindings, clusterroles, namespaces, rolebindings, roles } from '#generated/resources.ts';
import type { Client } from '#client/client.ts';
import type { Log } from '#base/log.ts';
import { keyOf, type KubeObject, type ResourceRef } from '#machinery/object.ts';
import { isStatus } from '#machinery/status.ts';
import { uncoveredRules } from '../rules.ts';
import { BOOTSTRAP_CLUSTER_ROLE_BINDINGS, BOOTSTRAP_NAMESPACE_ROLE_BINDINGS } from './bindings.ts';
import { BOOTSTRAP_CLUSTER_ROLES } from './cluster-roles.ts';
import { BOOTSTRAP_CONTROLLER_ROLES } from './controller-roles.ts';
import { BOOTSTRAP_NAMESPACE_ROLES } from './namespace-roles.ts';
import {
  AUTOUPDATE_ANNOTATION,
  clusterRoleBindingObject,
  clusterRoleObject,
  roleBindingObject,
  roleObject,
} from './notation.ts';

export interface ReconcileBootstrapDeps {
  /** Must be allowed everything (the API server's own identity). */
  readonly client: Client;
  readonly log: Log;
}

/** Writes under way at once: enough to share syncs of the store, few enough to leave room for others. */
const CONCURRENCY = 16;
/** Tries of one object when others write it at the same time; upstream's. */
const ATTEMPTS = 3;

export interface ReconcileResult {
  readonly created: number;
  readonly updated: number;
}

/** Resolves when every role and binding is in place; rejects with the first failure. */
export async function reconcileBootstrapRoles(deps: ReconcileBootstrapDeps): Promise<ReconcileResult> {
  const { client, log } = deps;
  const count = { created: 0, updated: 0 };
  const pass = <T extends KubeObject>(
    ref: ResourceRef<T>,
    wanted: readonly T[],
    decide: (wanted: T, existing: T | undefined) => Change<T>,
  ) => reconcileAll(client, ref, wanted, decide, count);

  const systemNamespaces = [
    ...new Set([...Object.keys(BOOTSTRAP_NAMESPACE_ROLES), ...Object.keys(BOOTSTRAP_NAMESPACE_ROLE_BINDINGS)]),
  ];
  await ensureNamespaces(client, systemNamespaces);
  await Promise.all([
    pass(
      clusterroles,
      [...BOOTSTRAP_CLUSTER_ROLES, ...BOOTSTRAP_CONTROLLER_ROLES].map(clusterRoleObject),
      reconcileRole,
    ),
    pass(roles, inNamespaces(BOOTSTRAP_NAMESPACE_ROLES, roleObject), reconcileRole),
  ]);
  // After the roles: a binding never points to nothing.
  await Promise.all([
    pass(clusterrolebindings, BOOTSTRAP_CLUSTER_ROLE_BINDINGS.map(clusterRoleBindingObject), reconcileBinding),
    pass(rolebindings, inNamespaces(BOOTSTRAP_NAMESPACE_ROLE_BINDINGS, roleBindingObject), reconcileBinding),
  ]);
  if (count.created + count.updated > 0) log.info('bootstrap RBAC policy reconciled', count);
  return count;
}

export type Change<T> =
  | { readonly action: 'none' }
  | { readonly action: 'create' | 'update' | 'replace'; readonly object: T };

/** Also for Roles, which have no aggregationRule. */
export function reconcileRole<T extends Role | ClusterRole>(wanted: T, existing: T | undefined): Change<T> {
  if (existing === undefined) return { action: 'create', object: wanted };
  if (isProtected(existing)) return { action: 'none' };
  const metadata = withMissingMarks(existing.metadata, wanted.metadata);
  const aggregation = withMissingSelectors(existing, wanted);
  // The rules of an aggregated role belong to the aggregation controller.
  const missing: readonly PolicyRule[] =
    'aggregationRule' in wanted && wanted.aggregationRule !== undefined
      ? []
      : uncoveredRules(existing.rules ?? [], wanted.rules ?? []);
  if (metadata === existing.metadata && aggregation === existing && missing.length === 0) return { action: 'none' };
  return {
    action: 'update',
    object: {
      ...aggregation,
      metadata,
      ...(missing.length === 0 ? {} : { rules: [...(existing.rules ?? []), ...missing] }),
    },
  };
}

export function reconcileBinding<T extends RoleBinding | ClusterRoleBinding>(
  wanted: T,
  existing: T | undefined,
): Change<T> {
  if (existing === undefined) return { action: 'create', object: wanted };
  if (isProtected(existing)) return { action: 'none' };
  // roleRef cannot be changed: another role means another binding.
  if (existing.roleRef.kind !== wanted.roleRef.kind || existing.roleRef.name !== wanted.roleRef.name)
    return { action: 'replace', object: wanted };
  const metadata = withMissingMarks(existing.metadata, wanted.metadata);
  const has = (subject: Subject): boolean => (existing.subjects ?? []).some((s) => sameSubject(s, subject));
  const missing = (wanted.subjects ?? []).filter((s) => !has(s));
  if (metadata === existing.metadata && missing.length === 0) return { action: 'none' };
  return { action: 'update', object: { ...existing, metadata, subjects: [...(existing.subjects ?? []), ...missing] } };
}

async function reconcileAll<T extends KubeObject>(
  client: Client,
  ref: ResourceRef<T>,
  wanted: readonly T[],
  decide: (wanted: T, existing: T | undefined) => Change<T>,
  count: { created: number; updated: number },
): Promise<void> {
  const resource = client.resource(ref);
  const existing = new Map((await resource.list()).items.map((o) => [keyOf(o), o]));
  const queue = wanted.values();
  const worker = async (): Promise<void> => {
    for (const object of queue) {
      let current = existing.get(keyOf(object));
      for (let attempt = 1; ; attempt++) {
        try {
          const change = decide(object, current);
          if (change.action === 'replace') await resource.delete(object.metadata.namespace, object.metadata.name!);
          if (change.action === 'create' || change.action === 'replace') await resource.create(change.object);
          if (change.action === 'update') await resource.update(change.object);
          if (change.action === 'create') count.created++;
          else if (change.action !== 'none') count.updated++;
          break;
        } catch (error) {
          // Another server, or an administrator, was faster: look again.
          if (attempt >= ATTEMPTS || !(isStatus(error, 'Conflict') || isStatus(error, 'AlreadyExists'))) throw error;
          current = await resource.get(object.metadata.namespace, object.metadata.name!);
        }
      }
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
}

async function ensureNamespaces(client: Client, names: readonly string[]): Promise<void> {
  const resource = client.resource(namespaces);
  await Promise.all(
    names.map(async (name) => {
      if ((await resource.get(undefined, name)) !== undefined) return;
      try {
        await resource.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
      } catch (error) {
        if (!isStatus(error, 'AlreadyExists')) throw error;
      }
    }),
  );
}

function inNamespaces<B, T>(
  table: Readonly<Record<string, readonly B[]>>,
  make: (namespace: string, entry: B) => T,
): T[] {
  return Object.entries(table).flatMap(([namespace, entries]) => entries.map((entry) => make(namespace, entry)));
}

const isProtected = (object: KubeObject): boolean => object.metadata.annotations?.[AUTOUPDATE_ANNOTATION] === 'false';

/** The same object when nothing is missing. Values that stand there stay: an administrator's word. */
function withMissingMarks(existing: ObjectMeta, wanted: ObjectMeta): ObjectMeta {
  const lacks = (has: ObjectMeta['labels'], want: ObjectMeta['labels']): boolean =>
    Object.keys(want ?? {}).some((k) => has?.[k] === undefined);
  if (!lacks(existing.labels, wanted.labels) && !lacks(existing.annotations, wanted.annotations)) return existing;
  return {
    ...existing,
    labels: { ...wanted.labels, ...existing.labels },
    annotations: { ...wanted.annotations, ...existing.annotations },
  };
}

function withMissingSelectors<T extends Role | ClusterRole>(existing: T, wanted: T): T {
  const want = (wanted as ClusterRole).aggregationRule?.clusterRoleSelectors ?? [];
  const has = (existing as ClusterRole).aggregationRule?.clusterRoleSelectors ?? [];
  const missing = want.filter((w) => !has.some((h) => JSON.stringify(h) === JSON.stringify(w)));
  return missing.length === 0
    ? existing
    : { ...existing, aggregationRule: { clusterRoleSelectors: [...has, ...missing] } };
}

const sameSubject = (a: Subject, b: Subject): boolean =>
  a.kind === b.kind &&
  a.name === b.name &&
  (a.namespace ?? '') === (b.namespace ?? '') &&
  (a.apiGroup ?? '') === (b.apiGroup ?? '');
