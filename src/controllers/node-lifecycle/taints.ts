// The taints that follow from a node's conditions, and the zone rule that stops evictions when a whole zone looks dead.
// Upstream: pkg/controller/nodelifecycle.
import type { Node, Taint } from '#generated/api/core-v1.ts';
import { findCondition } from '#machinery/conditions.ts';

export const NOT_READY = 'node.kubernetes.io/not-ready';
export const UNREACHABLE = 'node.kubernetes.io/unreachable';
const UNSCHEDULABLE = 'node.kubernetes.io/unschedulable';

/** Condition, its status → taint. */
const CONDITION_TAINTS: readonly (readonly [type: string, status: string, key: string])[] = [
  ['Ready', 'False', NOT_READY],
  ['Ready', 'Unknown', UNREACHABLE],
  ['MemoryPressure', 'True', 'node.kubernetes.io/memory-pressure'],
  ['DiskPressure', 'True', 'node.kubernetes.io/disk-pressure'],
  ['NetworkUnavailable', 'True', 'node.kubernetes.io/network-unavailable'],
  ['PIDPressure', 'True', 'node.kubernetes.io/pid-pressure'],
];
const OWN_NO_SCHEDULE: ReadonlySet<string> = new Set([...CONDITION_TAINTS.map(([, , key]) => key), UNSCHEDULABLE]);

/**
 * All taints the node should have. Foreign ones stay. `evict`: pods without toleration shall go; undefined leaves NoExecute taints
 * as they are (the zone's turn has not come).
 */
export function wantedTaints(node: Node, evict: boolean | undefined, now: string): readonly Taint[] {
  const present = node.spec?.taints ?? [];
  const status = (type: string) => findCondition(node.status?.conditions, type)?.status;
  const noSchedule = CONDITION_TAINTS.filter(([type, bad]) => status(type) === bad).map(([, , key]) => key);
  if (node.spec?.unschedulable === true) noSchedule.push(UNSCHEDULABLE);
  const ready = status('Ready');
  const isOwnNoExecute = (t: Taint) => t.effect === 'NoExecute' && (t.key === NOT_READY || t.key === UNREACHABLE);
  // A node that has not spoken yet is given time to.
  const isWell = ready === undefined || ready === 'True';
  const wantedKey = isWell || evict === false ? undefined : ready === 'False' ? NOT_READY : UNREACHABLE;
  const foreign = present.filter(
    (t) => !(t.effect === 'NoSchedule' && OWN_NO_SCHEDULE.has(t.key)) && !isOwnNoExecute(t),
  );
  const held = present.filter(isOwnNoExecute);
  const noExecute =
    wantedKey === undefined
      ? []
      : held.length === 0 && evict === undefined
        ? []
        : held.some((t) => t.key === wantedKey)
          ? held.filter((t) => t.key === wantedKey)
          : [{ key: wantedKey, effect: 'NoExecute', timeAdded: now }];
  return [
    ...foreign,
    ...noSchedule.map(
      (key) =>
        present.find((t) => t.key === key && t.effect === 'NoSchedule') ?? {
          key,
          effect: 'NoSchedule',
          timeAdded: now,
        },
    ),
    ...noExecute,
  ];
}

export type ZoneState = 'Normal' | 'PartialDisruption' | 'FullDisruption';

/** Upstream's --unhealthy-zone-threshold, and below how many nodes a disrupted zone evicts nothing. */
const UNHEALTHY_ZONE_THRESHOLD = 0.55;
export const LARGE_CLUSTER_NODES = 50;

export function zoneState(ready: number, notReady: number): ZoneState {
  if (ready === 0 && notReady > 0) return 'FullDisruption';
  if (notReady > 2 && notReady / (ready + notReady) >= UNHEALTHY_ZONE_THRESHOLD) return 'PartialDisruption';
  return 'Normal';
}

export function zoneOf(node: Node): string {
  const labels = node.metadata.labels ?? {};
  return `${labels['topology.kubernetes.io/region'] ?? ''}:${labels['topology.kubernetes.io/zone'] ?? ''}`;
}
