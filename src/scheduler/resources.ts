// Amounts of resources in the fixed shape that the hot path of scheduling sums and compares.
import type { Container, Pod } from '#generated/api/core-v1.ts';
import { type ResourceAmounts, amountsOf, heldRequests, podRequests } from '#kinds/core/pod/requests.ts';

export interface Resources {
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  readonly ephemeralBytes: number;
  /** Extended resources and huge pages, by name. Undefined when there are none. */
  readonly others: Readonly<Record<string, number>> | undefined;
}

export const noResources: Resources = { cpuMillis: 0, memoryBytes: 0, ephemeralBytes: 0, others: undefined };

/** What scoring takes for a container that asks for nothing: upstream's 100m and 200Mi. */
const ASSUMED = { cpu: '100m', memory: '200Mi' };

/** A resource list in numbers; `pods` is not counted here. */
export const resourcesOf = (list: Readonly<Record<string, string>> | undefined): Resources => shaped(amountsOf(list));

export const requestsOf = (pod: Pod): Resources => shaped(heldRequests(pod));

/** As requestsOf, with assumed values where a container names no cpu or memory: for scoring only. */
export function requestsForScoring(pod: Pod): Resources {
  const assume = (container: Container): Container => ({
    ...container,
    resources: { ...container.resources, requests: { ...ASSUMED, ...container.resources?.requests } },
  });
  const { spec } = pod;
  if (spec === undefined) return noResources;
  return shaped(
    podRequests({
      ...pod,
      spec: { ...spec, containers: spec.containers.map(assume), initContainers: spec.initContainers?.map(assume) },
    }),
  );
}

function shaped(amounts: ResourceAmounts): Resources {
  let others: Record<string, number> | undefined;
  for (const name in amounts) {
    if (name === 'cpu' || name === 'memory' || name === 'ephemeral-storage' || name === 'pods') continue;
    (others ??= {})[name] = amounts[name]!;
  }
  return {
    cpuMillis: amounts['cpu'] ?? 0,
    memoryBytes: amounts['memory'] ?? 0,
    ephemeralBytes: amounts['ephemeral-storage'] ?? 0,
    others,
  };
}

export const addResources = (a: Resources, b: Resources): Resources => combine(a, b, 1);
export const subResources = (a: Resources, b: Resources): Resources => combine(a, b, -1);

function combine(a: Resources, b: Resources, sign: 1 | -1): Resources {
  let { others } = a;
  if (b.others !== undefined) {
    const sum: Record<string, number> = { ...a.others };
    for (const name in b.others) sum[name] = (sum[name] ?? 0) + sign * b.others[name]!;
    others = sum;
  }
  return {
    cpuMillis: a.cpuMillis + sign * b.cpuMillis,
    memoryBytes: a.memoryBytes + sign * b.memoryBytes,
    ephemeralBytes: a.ephemeralBytes + sign * b.ephemeralBytes,
    others,
  };
}
