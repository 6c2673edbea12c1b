// What the API server does to pods around a write (upstream: registry/core/pod strategy).
import type { Pod } from '#generated/api/core-v1.ts';
import type { Strategy } from '#schema/resource.ts';
import { defaultPod, defaultPodSpec } from './defaults.ts';
import { computeQos } from './qos.ts';
import { volumeWarnings } from './validate-volumes.ts';
import { validatePod, validatePodStatusUpdate, validatePodUpdate } from './validation.ts';

export const podStrategy: Strategy<Pod> = {
  nameRule: 'subdomain',
  default: defaultPod,
  prepareForCreate: (pod, context) => {
    const gated = (pod.spec?.schedulingGates ?? []).length > 0;
    const condition = {
      type: 'PodScheduled',
      status: 'False',
      lastTransitionTime: context.now,
      reason: 'SchedulingGated',
      message: 'Scheduling is blocked due to non-empty scheduling gates',
    };
    return {
      ...pod,
      ...(pod.spec === undefined ? {} : { spec: defaultPodSpec(pod.spec) }),
      status: { phase: 'Pending', ...(gated ? { conditions: [condition] } : {}), qosClass: computeQos(pod) },
    };
  },
  prepareForUpdate: (pod, old) => ({ ...pod, status: old.status }),
  warnings: (pod) => volumeWarnings(pod.spec?.volumes, 'spec.volumes'),
  validateCreate: validatePod,
  validateUpdate: validatePodUpdate,
  validateStatusUpdate: validatePodStatusUpdate,
  gracefulDeletionSeconds: (pod, requested) => {
    if ((pod.spec?.nodeName ?? '') === '') return 0;
    if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') return 0;
    const seconds = requested ?? pod.spec?.terminationGracePeriodSeconds ?? 0;
    return seconds < 0 ? 1 : seconds;
  },
};
