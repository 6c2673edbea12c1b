// Which pod a connection goes to: pure choices over what the API shows. A ready pod that is not going away; the primary where it can be
// told; the one in use as long as it is good.
import type { Pod, Service } from '#generated/api/core-v1.ts';
import { isPodReady } from '#kinds/core/pod/readiness.ts';

export type Role = 'primary' | 'replica' | 'unknown';

export interface Endpoint {
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
  readonly role: Role;
}

/** Labels by which operators and charts mark who takes writes, and their values for it. */
const ROLE_LABELS: readonly (readonly [string, readonly string[]])[] = [
  ['cnpg.io/instanceRole', ['primary']],
  ['postgres-operator.crunchydata.com/role', ['master', 'primary']],
  ['spilo-role', ['master', 'primary']],
  ['mysql.oracle.com/cluster-role', ['PRIMARY', 'primary']],
  ['app.kubernetes.io/role', ['primary', 'master', 'leader']],
  ['app.kubernetes.io/component', ['primary', 'master']],
  ['role', ['primary', 'master', 'leader']],
];
const REPLICA_VALUES = new Set(['replica', 'standby', 'slave', 'secondary', 'read', 'follower', 'SECONDARY']);

export function roleOf(pod: Pod): Role {
  for (const [label, values] of ROLE_LABELS) {
    const value = pod.metadata.labels?.[label];
    if (value === undefined) continue;
    if (values.includes(value)) return 'primary';
    if (REPLICA_VALUES.has(value)) return 'replica';
  }
  return 'unknown';
}

export const isUsable = (pod: Pod): boolean => pod.metadata.deletionTimestamp === undefined && isPodReady(pod);

/** Usable pods, who takes writes first, then the oldest: StatefulSets begin with their first. `roles` are answers of the servers. */
export function candidates(pods: readonly Pod[], roles: ReadonlyMap<string, Role> = new Map()): readonly Endpoint[] {
  const order: Readonly<Record<Role, number>> = { primary: 0, unknown: 1, replica: 2 };
  return pods
    .filter(isUsable)
    .map((pod) => {
      const labelled = roleOf(pod);
      const uid = pod.metadata.uid ?? '';
      return {
        namespace: pod.metadata.namespace ?? 'default',
        pod: pod.metadata.name ?? '',
        uid,
        role: labelled === 'unknown' ? (roles.get(uid) ?? 'unknown') : labelled,
      };
    })
    .sort((a, b) => order[a.role] - order[b.role] || (a.pod < b.pod ? -1 : 1));
}

/** The endpoint for the next connection; `current` stays while nothing is better. `failed`: those that just refused, tried last. */
export function choose(
  found: readonly Endpoint[],
  current: string | undefined,
  failed: ReadonlySet<string>,
): Endpoint | undefined {
  const good = found.filter((e) => !failed.has(e.uid));
  const pool = good.length > 0 ? good : found;
  const [best] = pool;
  const same = pool.find((e) => e.uid === current);
  // A replica in use gives way to the primary, never to another replica.
  return same !== undefined && (same.role === best?.role || best?.role !== 'primary') ? same : best;
}

/** Why there is nothing to connect to, in a sentence. */
export function whyNone(pods: readonly Pod[]): string {
  if (pods.length === 0) return 'no pod is there';
  const going = pods.filter((p) => p.metadata.deletionTimestamp !== undefined).length;
  if (going === pods.length) return going === 1 ? 'the pod is going away' : `all ${going} pods are going away`;
  return pods.length === 1 ? 'the pod is not ready' : `none of ${pods.length} pods is ready`;
}

/**
 * The container's port for a remote port. For a service it is its port by number or name, then its targetPort, which may be named by the
 * pod; for pods a number is itself. Undefined: there is no such port.
 */
export function containerPort(remote: string, service: Service | undefined, pod: Pod): number | undefined {
  if (service === undefined) return /^\d+$/.test(remote) ? Number(remote) : named(remote, pod);
  const port = service.spec?.ports?.find((p) => String(p.port) === remote || p.name === remote);
  if (port === undefined) return undefined;
  const target = port.targetPort ?? port.port;
  return typeof target === 'number' ? (target === 0 ? port.port : target) : named(target, pod);
}

function named(name: string, pod: Pod): number | undefined {
  const containers = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])];
  return containers.flatMap((c) => c.ports ?? []).find((p) => p.name === name)?.containerPort;
}
