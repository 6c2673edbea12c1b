// The sandbox and container configurations handed to the runtime, made from a pod's spec.
import type { Pod } from '#generated/api/core-v1.ts';
import type {
  ContainerConfig,
  Image,
  KeyValue,
  LinuxContainerResources,
  Mount,
  PodSandboxConfig,
  UserNamespace,
} from '../cri/messages.ts';
import { type AnyContainer, isHostNetwork } from './containers.ts';
import type { ResolverConfig } from '#netmodel/resolv-conf.ts';
import { expand } from './expansion.ts';
import { podHostname } from './hosts-file.ts';
import { ANNOTATIONS, LABELS } from './runtime-pod.ts';
import { containerSecurity, sandboxSecurity } from './security.ts';
import { dottedSysctl } from './sysctls.ts';

export const podLabels = (pod: Pod): Record<string, string> => ({
  ...pod.metadata.labels,
  [LABELS.podName]: pod.metadata.name!,
  [LABELS.podNamespace]: pod.metadata.namespace!,
  [LABELS.podUid]: pod.metadata.uid!,
});

/** `/var/log/pods/<namespace>_<name>_<uid>` below the node's own root. */
export const podLogDirectory = (logsRoot: string, namespace: string, name: string, uid: string): string =>
  `${logsRoot}/${namespace}_${name}_${uid}`;

export interface SandboxInputs {
  readonly attempt: number;
  readonly logsRoot: string;
  readonly userNamespace: UserNamespace;
  readonly cgroupParent: string;
  readonly resolver: ResolverConfig;
}

export function sandboxConfig(pod: Pod, inputs: SandboxInputs): PodSandboxConfig {
  const { name, namespace, uid } = pod.metadata;
  return {
    metadata: { name: name!, namespace: namespace!, uid: uid!, attempt: inputs.attempt },
    hostname: isHostNetwork(pod) ? '' : podHostname(pod),
    logDirectory: podLogDirectory(inputs.logsRoot, namespace!, name!, uid!),
    dnsConfig: inputs.resolver,
    // Host ports are rules of the node's network, not of the runtime.
    portMappings: [],
    labels: podLabels(pod),
    annotations: { ...pod.metadata.annotations },
    linux: {
      cgroupParent: inputs.cgroupParent,
      securityContext: sandboxSecurity(pod, inputs.userNamespace),
      sysctls: Object.fromEntries(
        (pod.spec?.securityContext?.sysctls ?? []).map((s) => [dottedSysctl(s.name), s.value]),
      ),
    },
  };
}

export interface ContainerInputs {
  readonly restartCount: number;
  readonly hash: string;
  readonly envs: readonly KeyValue[];
  readonly mounts: readonly Mount[];
  readonly image: Image;
  readonly imageRef: string;
  readonly resources: LinuxContainerResources;
  readonly seccompDir: string;
  readonly seccompDefault: boolean;
  readonly maskedPaths: readonly string[];
  readonly userNamespace: UserNamespace;
  readonly terminationMessageFile: string;
  readonly targetId?: string;
}

export function containerConfig(pod: Pod, container: AnyContainer, inputs: ContainerInputs): ContainerConfig {
  const env = new Map(inputs.envs.map((e) => [e.key, e.value]));
  const expandAll = (words: readonly string[] | undefined) =>
    (words ?? []).map((w) => expand(w, (name) => env.get(name)));
  return {
    metadata: { name: container.name, attempt: inputs.restartCount },
    image: { image: inputs.imageRef, userSpecifiedImage: container.image ?? '' },
    command: expandAll(container.command),
    args: expandAll(container.args),
    workingDir: container.workingDir ?? '',
    envs: inputs.envs,
    mounts: inputs.mounts.map((m) => idmapped(m, inputs.userNamespace)),
    labels: { ...podLabelsShort(pod), [LABELS.containerName]: container.name },
    annotations: {
      [ANNOTATIONS.hash]: inputs.hash,
      [ANNOTATIONS.restartCount]: String(inputs.restartCount),
      [ANNOTATIONS.terminationMessagePath]: container.terminationMessagePath ?? '/dev/termination-log',
      [ANNOTATIONS.terminationMessagePolicy]: container.terminationMessagePolicy ?? 'File',
      [ANNOTATIONS.terminationMessageFile]: inputs.terminationMessageFile,
      [ANNOTATIONS.gracePeriod]: String(pod.spec?.terminationGracePeriodSeconds ?? 30),
    },
    logPath: `${container.name}/${inputs.restartCount}.log`,
    stdin: container.stdin === true,
    stdinOnce: container.stdinOnce === true,
    tty: container.tty === true,
    linux: {
      resources: inputs.resources,
      securityContext: containerSecurity(pod, container, inputs.image, {
        seccompDir: inputs.seccompDir,
        seccompDefault: inputs.seccompDefault,
        maskedPaths: inputs.maskedPaths,
        userNamespace: inputs.userNamespace,
        ...(inputs.targetId === undefined ? {} : { targetId: inputs.targetId }),
      }),
    },
  };
}

/** What is root's outside is root's inside too: the kernel translates at the mount, and no file changes hands. */
const idmapped = (mount: Mount, { uids, gids }: UserNamespace): Mount =>
  uids === undefined || gids === undefined ? mount : { ...mount, uidMappings: uids, gidMappings: gids };

const podLabelsShort = (pod: Pod): Record<string, string> => ({
  [LABELS.podName]: pod.metadata.name!,
  [LABELS.podNamespace]: pod.metadata.namespace!,
  [LABELS.podUid]: pod.metadata.uid!,
});
