// Questions about the containers of a pod's spec that several parts ask.
import type { Container, ContainerStatus, EphemeralContainer, Pod } from '#generated/api/core-v1.ts';

export type AnyContainer = Container | EphemeralContainer;

/** A native sidecar: an init container that goes on running beside the main containers. */
export const isSidecar = (container: Container): boolean => container.restartPolicy === 'Always';

export const initContainers = (pod: Pod): readonly Container[] => pod.spec?.initContainers ?? [];
export const mainContainers = (pod: Pod): readonly Container[] => pod.spec?.containers ?? [];
export const ephemeralContainers = (pod: Pod): readonly EphemeralContainer[] => pod.spec?.ephemeralContainers ?? [];

export const allContainers = (pod: Pod): readonly AnyContainer[] => [
  ...initContainers(pod),
  ...mainContainers(pod),
  ...ephemeralContainers(pod),
];

export const findContainer = (pod: Pod, name: string): AnyContainer | undefined =>
  allContainers(pod).find((c) => c.name === name);

export function findContainerStatus(pod: Pod, name: string): ContainerStatus | undefined {
  const { containerStatuses = [], initContainerStatuses = [], ephemeralContainerStatuses = [] } = pod.status ?? {};
  return [...containerStatuses, ...initContainerStatuses, ...ephemeralContainerStatuses].find((s) => s.name === name);
}

/** May a container that ended with this code run again? Rules of the container first, then its policy, then the pod's. */
export function mayRestart(pod: Pod, container: Container, exitCode: number): boolean {
  for (const rule of container.restartPolicyRules ?? []) {
    const values = rule.exitCodes?.values ?? [];
    const matches = rule.exitCodes?.operator === 'NotIn' ? !values.includes(exitCode) : values.includes(exitCode);
    if (matches && rule.action === 'Restart') return true;
  }
  const policy = container.restartPolicy ?? pod.spec?.restartPolicy ?? 'Always';
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);
}

export const isHostNetwork = (pod: Pod): boolean => pod.spec?.hostNetwork === true;

/** `name_namespace(uid)`: how upstream's messages name a pod. */
export const podText = (pod: Pod): string => `${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})`;

/** The object an event about one container names. */
export const isTerminalPhase = (pod: Pod): boolean =>
  pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
