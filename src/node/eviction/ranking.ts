// Who has to go, and in which words: upstream's order of victims and its messages. Pure.
import type { Container, Pod } from '#generated/api/core-v1.ts';
import { podLimits, podRequests } from '#kinds/core/pod/requests.ts';
import { qosOf } from '#kinds/core/pod/qos.ts';
import { quantityToNumber } from '#machinery/quantity.ts';
import type { Refusal } from '../pods/admission.ts';
import { mainContainers } from '../pods/containers.ts';
import {
  amountText,
  binaryText,
  exceeds,
  type Observations,
  type Pressure,
  type Resource,
  RESOURCE_OF,
  type Threshold,
} from './thresholds.ts';

/** What a pod uses, as measured. */
export interface PodUsage {
  /** Working set. */
  readonly memoryBytes: number;
  readonly processes: number;
  readonly containers: readonly {
    readonly name: string;
    readonly memoryBytes: number;
    /** Writable layer and logs. */
    readonly diskBytes: number;
    readonly inodes: number;
  }[];
  /** Volume name → what lies in it; only volumes on the node's own disk. */
  readonly volumes: ReadonlyMap<string, { readonly bytes: number; readonly inodes: number }>;
}
export type UsageOf = (pod: Pod) => PodUsage | undefined;

/** Upstream's SystemCriticalPriority. */
const CRITICAL_PRIORITY = 2_000_000_000;
const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';
const SOURCE_ANNOTATION = 'kubernetes.io/config.source';

/** Static pods, their mirrors, and what the system itself needs: never evicted. */
export function isCritical({ metadata, spec }: Pod): boolean {
  const notes = metadata.annotations ?? {};
  if (notes[MIRROR_ANNOTATION] !== undefined) return true;
  if (notes[SOURCE_ANNOTATION] !== undefined && notes[SOURCE_ANNOTATION] !== 'api') return true;
  return (spec?.priority ?? 0) >= CRITICAL_PRIORITY;
}

const sum = (numbers: Iterable<number>): number => [...numbers].reduce((total, n) => total + n, 0);

export const diskBytesOf = (usage: PodUsage): number =>
  sum(usage.containers.map((c) => c.diskBytes)) + sum([...usage.volumes.values()].map((v) => v.bytes));
const inodesOf = (usage: PodUsage): number =>
  sum(usage.containers.map((c) => c.inodes)) + sum([...usage.volumes.values()].map((v) => v.inodes));

function usedOf(resource: Resource, usage: PodUsage): number {
  if (resource === 'memory') return usage.memoryBytes;
  if (resource === 'ephemeral-storage') return diskBytesOf(usage);
  return resource === 'inodes' ? inodesOf(usage) : usage.processes;
}

/** First to go first: who uses more than it asked for, then the lower priority, then the greater excess. */
export function rankPods(pods: readonly Pod[], resource: Resource, usageOf: UsageOf): readonly Pod[] {
  const facts = new Map(
    pods.map((pod) => {
      const usage = usageOf(pod);
      const over = usage === undefined ? undefined : usedOf(resource, usage) - (podRequests(pod)[resource] ?? 0);
      return [pod, { over, priority: pod.spec?.priority ?? 0 }] as const;
    }),
  );
  const known = (pod: Pod) => facts.get(pod)!;
  return pods.toSorted((a, b) => {
    const [x, y] = [known(a), known(b)];
    const byPriority = x.priority - y.priority;
    // One that nothing is known of goes before all others.
    const unknown = Number(x.over !== undefined) - Number(y.over !== undefined);
    const greedy = Number((y.over ?? 0) > 0) - Number((x.over ?? 0) > 0);
    const excess = (y.over ?? 0) - (x.over ?? 0);
    // Processes are not asked for: priority alone comes before their number.
    return resource === 'pids'
      ? byPriority || unknown || excess
      : unknown || (x.over === undefined ? 0 : greedy) || byPriority || (x.over === undefined ? 0 : excess);
  });
}

export function evictionMessage(
  resource: Resource,
  pod: Pod,
  usage: PodUsage | undefined,
  due: readonly Threshold[],
  observations: Observations,
): string {
  let message = `The node was low on resource: ${resource}. `;
  const threshold = due.find((t) => RESOURCE_OF[t.signal] === resource && observations.has(t.signal));
  if (threshold !== undefined) {
    const { available, capacity } = observations.get(threshold.signal)!;
    message += `Threshold quantity: ${amountText(threshold.amount, capacity)}, available: ${binaryText(available)}. `;
  }
  if (resource !== 'memory' && resource !== 'ephemeral-storage') return message;
  for (const container of mainContainers(pod)) {
    const measured = usage?.containers.find((c) => c.name === container.name);
    if (measured === undefined) continue;
    const used = resource === 'memory' ? measured.memoryBytes : measured.diskBytes;
    const request = container.resources?.requests?.[resource] ?? '0';
    if (used > quantityToNumber(request))
      message += `Container ${container.name} was using ${binaryText(used)}, request is ${request}, has larger consumption of ${resource}. `;
  }
  return message;
}

/** A limit of the pod's own that it has gone beyond: of an emptyDir, of the pod as a whole, of a container. */
export function brokenStorageLimit(pod: Pod, usage: PodUsage): string | undefined {
  for (const volume of pod.spec?.volumes ?? []) {
    const limit = volume.emptyDir?.sizeLimit;
    const used = usage.volumes.get(volume.name)?.bytes;
    if (limit !== undefined && used !== undefined && quantityToNumber(limit) > 0 && exceeds(used, limit))
      return `Usage of EmptyDir volume ${JSON.stringify(volume.name)} exceeds the limit ${JSON.stringify(limit)}. `;
  }
  const podLimit = podLimits(pod)['ephemeral-storage'];
  if (podLimit !== undefined && diskBytesOf(usage) > podLimit)
    return `Pod ephemeral local storage usage exceeds the total limit of containers ${podLimitText(pod, podLimit)}. `;
  for (const container of mainContainers(pod)) {
    const limit = container.resources?.limits?.['ephemeral-storage'];
    const used = usage.containers.find((c) => c.name === container.name)?.diskBytes;
    if (limit !== undefined && used !== undefined && exceeds(used, limit))
      return `Container ${container.name} exceeded its local ephemeral storage limit ${JSON.stringify(limit)}. `;
  }
  return undefined;
}

/** In the notation of the containers' own limits. */
function podLimitText(pod: Pod, bytes: number): string {
  const texts = [...mainContainers(pod), ...(pod.spec?.initContainers ?? [])]
    .map((c: Container) => c.resources?.limits?.['ephemeral-storage'])
    .filter((t) => t !== undefined);
  return texts.find((t) => quantityToNumber(t) === bytes) ?? binaryText(bytes);
}

/** Does any limit of the pod need its disk usage measured? */
export const hasStorageLimit = (pod: Pod): boolean =>
  (pod.spec?.volumes ?? []).some((v) => v.emptyDir?.sizeLimit !== undefined) ||
  podLimits(pod)['ephemeral-storage'] !== undefined;

/** Under pressure no new pods are taken, but for critical ones and, when only memory is short, those that ask for some. */
export function refuseUnderPressure(pod: Pod, pressures: readonly Pressure[]): Refusal | undefined {
  if (pressures.length === 0 || isCritical(pod)) return undefined;
  if (pressures.length === 1 && pressures[0] === 'MemoryPressure') {
    if (qosOf(pod) !== 'BestEffort') return undefined;
    const tolerated = (pod.spec?.tolerations ?? []).some(
      (t) =>
        ((t.key ?? '') === '' ? t.operator === 'Exists' : t.key === 'node.kubernetes.io/memory-pressure') &&
        ((t.effect ?? '') === '' || t.effect === 'NoSchedule') &&
        (t.operator === 'Exists' || (t.value ?? '') === ''),
    );
    if (tolerated) return undefined;
  }
  return { reason: 'Evicted', message: `The node had condition: [${pressures.join(' ')}]. ` };
}
