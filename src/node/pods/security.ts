// From security contexts of pod and container to what the runtime is told.
import type { Pod, SeccompProfile } from '#generated/api/core-v1.ts';
import type {
  ContainerConfig,
  Image,
  LinuxSandboxSecurityContext,
  NamespaceOption,
  SecurityProfile,
} from '../cri/messages.ts';
import { type AnyContainer, isHostNetwork, podText } from './containers.ts';
import { ContainerConfigError } from './environment.ts';

/** Upstream's defaults for procMount Default. */
const MASKED_PATHS = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const READONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

export function namespaceOptions(pod: Pod, targetId?: string): NamespaceOption {
  const spec = pod.spec!;
  return {
    network: isHostNetwork(pod) ? 'NODE' : 'POD',
    ipc: spec.hostIPC === true ? 'NODE' : 'POD',
    pid:
      targetId !== undefined
        ? 'TARGET'
        : spec.hostPID === true
          ? 'NODE'
          : spec.shareProcessNamespace === true
            ? 'POD'
            : 'CONTAINER',
    ...(targetId === undefined ? {} : { targetId }),
    ...(spec.hostUsers === false ? { usernsOptions: { mode: 'POD' as const } } : {}),
  };
}

function seccompOf(profile: SeccompProfile | undefined, seccompDir: string): SecurityProfile {
  if (profile === undefined || profile.type === 'Unconfined') return { profileType: 'Unconfined' };
  if (profile.type === 'RuntimeDefault') return { profileType: 'RuntimeDefault' };
  return { profileType: 'Localhost', localhostRef: `${seccompDir}/${profile.localhostProfile ?? ''}` };
}

const isPrivileged = (container: AnyContainer): boolean => container.securityContext?.privileged === true;

/** Groups every container of the pod joins. */
export function supplementalGroups(pod: Pod, extra: readonly number[]): readonly number[] {
  const own = pod.spec?.securityContext;
  return [
    ...new Set([...(own?.supplementalGroups ?? []), ...(own?.fsGroup === undefined ? [] : [own.fsGroup]), ...extra]),
  ];
}

export function sandboxSecurity(pod: Pod, seccompDir: string): LinuxSandboxSecurityContext {
  const own = pod.spec?.securityContext;
  const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  return {
    namespaceOptions: namespaceOptions(pod),
    ...(own?.runAsUser === undefined ? {} : { runAsUser: { value: own.runAsUser } }),
    ...(own?.runAsGroup === undefined || own.runAsUser === undefined ? {} : { runAsGroup: { value: own.runAsGroup } }),
    supplementalGroups: supplementalGroups(pod, []),
    privileged: containers.some(isPrivileged),
    seccomp: seccompOf(own?.seccompProfile ?? { type: 'RuntimeDefault' }, seccompDir),
  };
}

export function containerSecurity(
  pod: Pod,
  container: AnyContainer,
  image: Image,
  options: { readonly seccompDir: string; readonly groups: readonly number[]; readonly targetId?: string },
): ContainerConfig['linux']['securityContext'] {
  const own = container.securityContext;
  const podWide = pod.spec?.securityContext;
  const runAsUser = own?.runAsUser ?? podWide?.runAsUser;
  const runAsGroup = own?.runAsGroup ?? podWide?.runAsGroup;
  if ((own?.runAsNonRoot ?? podWide?.runAsNonRoot) === true) checkNonRoot(pod, container, runAsUser, image);
  const user = runAsUser ?? (runAsGroup === undefined && image.uid === undefined ? undefined : (image.uid?.value ?? 0));
  const masked = own?.procMount !== 'Unmasked' && !isPrivileged(container);
  return {
    privileged: isPrivileged(container),
    namespaceOptions: namespaceOptions(pod, options.targetId),
    capabilities: { addCapabilities: own?.capabilities?.add ?? [], dropCapabilities: own?.capabilities?.drop ?? [] },
    ...(runAsUser === undefined && runAsGroup === undefined ? {} : { runAsUser: { value: user ?? 0 } }),
    ...(runAsGroup === undefined ? {} : { runAsGroup: { value: runAsGroup } }),
    readonlyRootfs: own?.readOnlyRootFilesystem === true,
    supplementalGroups: supplementalGroups(pod, options.groups),
    noNewPrivs: own?.allowPrivilegeEscalation === false,
    ...(masked ? { maskedPaths: MASKED_PATHS, readonlyPaths: READONLY_PATHS } : {}),
    seccomp: isPrivileged(container)
      ? { profileType: 'Unconfined' }
      : seccompOf(own?.seccompProfile ?? podWide?.seccompProfile, options.seccompDir),
  };
}

function checkNonRoot(pod: Pod, container: AnyContainer, runAsUser: number | undefined, image: Image): void {
  const where = `(pod: ${JSON.stringify(podText(pod))}, container: ${container.name})`;
  if (runAsUser === 0) throw new ContainerConfigError(`container's runAsUser breaks non-root policy ${where}`);
  if (runAsUser !== undefined) return;
  if (image.username !== '')
    throw new ContainerConfigError(
      `container has runAsNonRoot and image has non-numeric user (${image.username}), cannot verify user is non-root ${where}`,
    );
  if ((image.uid?.value ?? 0) === 0)
    throw new ContainerConfigError(`container has runAsNonRoot and image will run as root ${where}`);
}
