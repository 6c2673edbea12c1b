// Quality of service: which pods are squeezed and evicted first (upstream: component-helpers, qos.ComputePodQOS).
import type { Pod, ResourceRequirements } from '#generated/api/core-v1.ts';
import { compareQuantity, isZeroQuantity, parseQuantity } from '#machinery/quantity.ts';

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

const COUNTED = ['cpu', 'memory'] as const;

/** From the spec alone. */
export function computeQos(pod: Pod): QosClass {
  const spec = pod.spec;
  const podLevel = spec?.resources;
  const all = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].map((c) => c.resources);
  const asked =
    podLevel !== undefined && (podLevel.requests !== undefined || podLevel.limits !== undefined) ? [podLevel] : all;
  const anything = asked.some((r) => COUNTED.some((name) => isSet(r?.requests?.[name]) || isSet(r?.limits?.[name])));
  if (!anything) return 'BestEffort';
  return asked.every(isGuaranteed) ? 'Guaranteed' : 'Burstable';
}

/** The class the server recorded, else computed. */
export const qosOf = (pod: Pod): QosClass => (pod.status?.qosClass as QosClass | undefined) ?? computeQos(pod);

const isSet = (quantity: string | undefined): boolean =>
  quantity !== undefined && !isZeroQuantity(parseQuantity(quantity));

function isGuaranteed(resources: ResourceRequirements | undefined): boolean {
  return COUNTED.every((name) => {
    const limit = resources?.limits?.[name];
    const request = resources?.requests?.[name] ?? limit;
    if (limit === undefined || !isSet(limit)) return false;
    return compareQuantity(parseQuantity(limit), parseQuantity(request!)) === 0;
  });
}
