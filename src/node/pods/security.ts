// From security contexts of pod and container to what the runtime is told.
import type { Pod, SeccompProfile } from '#generated/api/core-v1.ts';
import type { FileSystem } from '#host/file-system.ts';
import type {
  ContainerConfig,
  Image,
  LinuxSandboxSecurityContext,
  NamespaceOption,
  SecurityProfile,
  UserNamespace,
} from '../cri/messages.ts';
import { type AnyContainer, isHostNetwork, podText } from './containers.ts';
import { ContainerConfigError } from './environment.ts';

/** Upstream's defaults for procMount Default, on every machine. */
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
const CPUS = '/sys/devices/system/cpu';

/** What a container must not see: a machine's processors tell by their heat what others compute. */
export const maskedPaths = (files: Pick<FileSystem, 'list' | 'stat'>): readonly string[] => [
  ...MASKED_PATHS,
  ...files
    .list(CPUS)
    .filter((name) => /^cpu\d+$/.test(name))
    .map((name) => `${CPUS}/${name}/thermal_throttle`)
    .filter((path) => files.stat(path) !== undefined),
];

const READONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

function namespaceOptions(pod: Pod, usernsOptions: UserNamespace, targetId?: string): NamespaceOption {
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
    usernsOptions,
  };
}

export interface ContainerSecurityOptions {
  /** Where Localhost profiles are. */
  readonly seccompDir: string;
  /** Upstream's SeccompDefault: who asks for no profile gets the runtime's. */
  readonly seccompDefault: boolean;
  readonly maskedPaths: readonly string[];
  readonly userNamespace: UserNamespace;
  /** Container whose processes an ephemeral one sees. */
  readonly targetId?: string;
}

function seccompOf(profile: SeccompProfile | undefined, options: ContainerSecurityOptions): SecurityProfile {
  if (profile === undefined) return { profileType: options.seccompDefault ? 'RuntimeDefault' : 'Unconfined' };
  if (profile.type === 'Unconfined') return { profileType: 'Unconfined' };
  if (profile.type === 'RuntimeDefault') return { profileType: 'RuntimeDefault' };
  return { profileType: 'Localhost', localhostRef: `${options.seccompDir}/${profile.localhostProfile ?? ''}` };
}

const isPrivileged = (container: AnyContainer): boolean => container.securityContext?.privileged === true;

/** Groups every container of the pod joins. */
function supplementalGroups(pod: Pod): readonly number[] {
  const own = pod.spec?.securityContext;
  return [...new Set([...(own?.fsGroup === undefined ? [] : [own.fsGroup]), ...(own?.supplementalGroups ?? [])])];
}

const groupsPolicy = (pod: Pod): 'Merge' | 'Strict' =>
  pod.spec?.securityContext?.supplementalGroupsPolicy === 'Strict' ? 'Strict' : 'Merge';

export function sandboxSecurity(pod: Pod, userNamespace: UserNamespace): LinuxSandboxSecurityContext {
  const own = pod.spec?.securityContext;
  const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  return {
    namespaceOptions: namespaceOptions(pod, userNamespace),
    ...(own?.runAsUser === undefined ? {} : { runAsUser: { value: own.runAsUser } }),
    ...(own?.runAsGroup === undefined || own.runAsUser === undefined ? {} : { runAsGroup: { value: own.runAsGroup } }),
    supplementalGroups: supplementalGroups(pod),
    supplementalGroupsPolicy: groupsPolicy(pod),
    privileged: containers.some(isPrivileged),
    // Never the pod's own: a profile made for its containers may forbid what the sandbox does.
    seccomp: { profileType: 'RuntimeDefault' },
  };
}

export function containerSecurity(
  pod: Pod,
  container: AnyContainer,
  image: Image,
  options: ContainerSecurityOptions,
): ContainerConfig['linux']['securityContext'] {
  const own = container.securityContext;
  const podWide = pod.spec?.securityContext;
  const runAsUser = own?.runAsUser ?? podWide?.runAsUser;
  const runAsGroup = own?.runAsGroup ?? podWide?.runAsGroup;
  if ((own?.runAsNonRoot ?? podWide?.runAsNonRoot) === true) checkNonRoot(pod, container, runAsUser, image);
  const masked = own?.procMount !== 'Unmasked' && !isPrivileged(container);
  return {
    privileged: isPrivileged(container),
    namespaceOptions: namespaceOptions(pod, options.userNamespace, options.targetId),
    capabilities: { addCapabilities: own?.capabilities?.add ?? [], dropCapabilities: own?.capabilities?.drop ?? [] },
    ...userOf(runAsUser, image),
    ...(runAsGroup === undefined ? {} : { runAsGroup: { value: runAsGroup } }),
    readonlyRootfs: own?.readOnlyRootFilesystem === true,
    supplementalGroups: supplementalGroups(pod),
    supplementalGroupsPolicy: groupsPolicy(pod),
    noNewPrivs: own?.allowPrivilegeEscalation === false,
    ...(masked ? { maskedPaths: options.maskedPaths, readonlyPaths: READONLY_PATHS } : {}),
    seccomp: isPrivileged(container)
      ? { profileType: 'Unconfined' }
      : seccompOf(own?.seccompProfile ?? podWide?.seccompProfile, options),
  };
}

/** The spec's user, else the image's by number or by name; the group of `USER 1000:1000` is not taken over, as upstream has it. */
function userOf(
  runAsUser: number | undefined,
  image: Image,
): { readonly runAsUser: { readonly value: number } } | { readonly runAsUsername: string } {
  if (runAsUser !== undefined) return { runAsUser: { value: runAsUser } };
  if (image.uid != null) return { runAsUser: { value: image.uid.value } };
  return image.username === '' ? { runAsUser: { value: 0 } } : { runAsUsername: image.username };
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
