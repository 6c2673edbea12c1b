// What a Job's podFailurePolicy makes of a failed pod: the first rule that fits says. Upstream: pod_failure_policy.go.
import type { PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement } from '#generated/api/batch-v1.ts';
import type { ContainerStatus, Pod } from '#generated/api/core-v1.ts';

export interface FailureVerdict {
  /** Undefined: no rule fitted. */
  readonly action?: 'Ignore' | 'FailIndex' | 'Count' | 'FailJob';
  /** Whether the failure counts against the limits of retries. */
  readonly counts: boolean;
  /** Why the Job fails, with action FailJob. */
  readonly message?: string;
}

const NO_RULE: FailureVerdict = { counts: true };

export function judgeFailure(policy: PodFailurePolicy | undefined, pod: Pod): FailureVerdict {
  for (const [index, { action, onExitCodes, onPodConditions }] of (policy?.rules ?? []).entries()) {
    const what = onExitCodes !== undefined ? exitCodeOf(pod, onExitCodes) : conditionOf(pod, onPodConditions ?? []);
    if (what === undefined) continue;
    if (action === 'Ignore') return { action, counts: false };
    if (action === 'FailIndex' || action === 'Count') return { action, counts: true };
    if (action === 'FailJob')
      return { action, counts: true, message: `${what} matching ${action} rule at index ${index}` };
  }
  return NO_RULE;
}

function exitCodeOf(pod: Pod, requirement: PodFailurePolicyOnExitCodesRequirement): string | undefined {
  const { namespace, name } = pod.metadata;
  const containers = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])];
  const hit = containers.find((c) => fits(c, requirement));
  return hit === undefined
    ? undefined
    : `Container ${hit.name} for pod ${namespace}/${name} failed with exit code ${hit.state!.terminated!.exitCode}`;
}

function fits(container: ContainerStatus, { containerName, operator, values }: PodFailurePolicyOnExitCodesRequirement) {
  // A container that is still being stopped has no code yet.
  const code = container.state?.terminated?.exitCode ?? 0;
  if (code === 0 || (containerName !== undefined && containerName !== container.name)) return false;
  return operator === 'In' ? values.includes(code) : operator === 'NotIn' && !values.includes(code);
}

function conditionOf(
  pod: Pod,
  patterns: readonly { readonly type: string; readonly status?: string }[],
): string | undefined {
  const { namespace, name } = pod.metadata;
  const hit = (pod.status?.conditions ?? []).find((c) =>
    patterns.some((p) => p.type === c.type && p.status === c.status),
  );
  return hit === undefined ? undefined : `Pod ${namespace}/${name} has condition ${hit.type}`;
}
