// From requests and limits to quality of service, control groups and out-of-memory scores, by upstream's formulas.
import type { Pod, ResourceRequirements } from '#generated/api/core-v1.ts';
import type { CgroupResources } from '#host/cgroups.ts';
import { cpuMillis, quantityToNumber } from '#machinery/quantity.ts';
import type { LinuxContainerResources } from '../cri/messages.ts';
import { type AnyContainer, initContainers, isSidecar, mainContainers } from './containers.ts';

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

const CPU_PERIOD_US = 100_000;
/** The kernel refuses shorter quotas. */
const CPU_QUOTA_MIN_US = 1000;
const CPU_SHARES_MIN = 2;
const CPU_SHARES_MAX = 262_144;

export function qosClassOf(pod: Pod): QosClass {
  const resources = [...initContainers(pod), ...mainContainers(pod)].map((c) => c.resources);
  const names = ['cpu', 'memory'];
  const positive = (r: ResourceRequirements | undefined, kind: 'requests' | 'limits', name: string) =>
    quantityNano(r?.[kind]?.[name]) > 0;
  if (!resources.some((r) => names.some((n) => positive(r, 'requests', n) || positive(r, 'limits', n))))
    return 'BestEffort';
  const guaranteed = resources.every((r) =>
    names.every(
      (n) =>
        positive(r, 'limits', n) &&
        (r?.requests?.[n] === undefined || quantityNano(r.requests[n]) === quantityNano(r?.limits?.[n])),
    ),
  );
  return guaranteed ? 'Guaranteed' : 'Burstable';
}

const quantityNano = (q: string | undefined): number => (q === undefined ? 0 : cpuMillis(q));

export const sharesOf = (millis: number): number =>
  Math.min(CPU_SHARES_MAX, Math.max(CPU_SHARES_MIN, Math.floor((millis * 1024) / 1000)));

const quotaOf = (millis: number): number => Math.max(CPU_QUOTA_MIN_US, Math.floor((millis * CPU_PERIOD_US) / 1000));

export function containerResources(
  pod: Pod,
  container: AnyContainer,
  memoryCapacityBytes: number,
): LinuxContainerResources {
  const { requests, limits } = container.resources ?? {};
  const cpu = cpuMillis(requests?.cpu ?? limits?.cpu);
  const cpuLimit = cpuMillis(limits?.cpu);
  const memoryLimit = quantityToNumber(limits?.memory);
  return {
    cpuShares: sharesOf(cpu),
    cpuPeriod: CPU_PERIOD_US,
    cpuQuota: cpuLimit > 0 ? quotaOf(cpuLimit) : 0,
    memoryLimitInBytes: memoryLimit,
    oomScoreAdj: oomScoreAdj(pod, quantityToNumber(requests?.memory), memoryCapacityBytes),
  };
}

export function oomScoreAdj(pod: Pod, memoryRequestBytes: number, memoryCapacityBytes: number): number {
  if ((pod.spec?.priority ?? 0) >= 2_000_000_000) return -997; // system-node-critical and above
  const qos = qosClassOf(pod);
  if (qos === 'Guaranteed') return -997;
  if (qos === 'BestEffort') return 1000;
  const score = 1000 - Math.floor((1000 * memoryRequestBytes) / Math.max(1, memoryCapacityBytes));
  return Math.min(999, Math.max(3, score));
}

/** Below the node's root: `/kubepods/burstable/pod<uid>`. */
export function podCgroup(cgroupRoot: string, pod: Pod): string {
  const qos = qosClassOf(pod);
  const group = qos === 'Guaranteed' ? '' : `/${qos.toLowerCase()}`;
  return `${cgroupRoot === '/' ? '' : cgroupRoot}/kubepods${group}/pod${pod.metadata.uid}`;
}

/** The pod's own group: the sum of its containers' needs; a limit only where every container has one. */
export function podCgroupResources(pod: Pod): CgroupResources {
  const main = mainContainers(pod);
  const sidecars = initContainers(pod).filter(isSidecar);
  const others = initContainers(pod).filter((c) => !isSidecar(c));
  const sum = (kind: 'requests' | 'limits', read: (q: string | undefined) => number, name: 'cpu' | 'memory') => {
    const of = (c: AnyContainer) =>
      read(c.resources?.[kind]?.[name] ?? (kind === 'requests' ? c.resources?.limits?.[name] : undefined));
    const side = sidecars.reduce((total, c) => total + of(c), 0);
    return Math.max(side + main.reduce((total, c) => total + of(c), 0), ...others.map((c) => side + of(c)));
  };
  const limited = (name: 'cpu' | 'memory') =>
    [...main, ...initContainers(pod)].every((c) => c.resources?.limits?.[name] !== undefined);
  return {
    cpuShares: sharesOf(sum('requests', cpuMillis, 'cpu')),
    ...(limited('cpu') ? { cpuQuota: quotaOf(sum('limits', cpuMillis, 'cpu')) } : {}),
    ...(limited('memory') ? { memoryLimitBytes: sum('limits', quantityToNumber, 'memory') } : {}),
  };
}
