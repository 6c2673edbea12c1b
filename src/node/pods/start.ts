// Starting: a pod's sandbox, and its containers one by one.
import { createHash } from 'node:crypto';
import type { Pod } from '#generated/api/core-v1.ts';
import { pods as podsRef } from '#generated/resources.ts';
import type { HostPort, LocalPod } from '#netmodel/node-network.ts';
import type { Image, Mount, PodSandboxConfig } from '../cri/messages.ts';
import type { PodVolumes } from '../volumes/volumes.ts';
import { type AnyContainer, ephemeralContainers, isHostNetwork, mainContainers } from './containers.ts';
import type { StartAction } from './actions.ts';
import { containerConfig, podLogDirectory, sandboxConfig } from './cri-config.ts';
import { podResolver } from './dns.ts';
import { ContainerConfigError, makeEnvironment } from './environment.ts';
import { expand } from './expansion.ts';
import { runHook } from './hooks.ts';
import { hostsFile } from './hosts-file.ts';
import type { PodDeps } from './pod-deps.ts';
import { containerResources, podCgroup, podCgroupResources } from './resources.ts';
import {
  containerFrom,
  newestContainer,
  readySandbox,
  type RuntimeContainer,
  type RuntimeSandbox,
  sandboxFrom,
} from './runtime-pod.ts';

const RUNTIME_DEFAULT_HANDLER = '';

export const podDir = (deps: Pick<PodDeps, 'paths'>, uid: string): string => `${deps.paths.rootDir}/pods/${uid}`;

export function makeSandboxConfig(pod: Pod, attempt: number, deps: PodDeps): PodSandboxConfig {
  return sandboxConfig(pod, {
    attempt,
    logsRoot: deps.paths.logsRoot,
    userNamespace: deps.userNamespaces.of(pod),
    cgroupParent: podCgroup(deps.cgroupRoot, pod),
    resolver: podResolver(pod, deps.cluster, deps.nodeResolver()),
  });
}

/** Folders and control group of a pod. May run again. */
export function preparePlaces(pod: Pod, deps: PodDeps): void {
  const { namespace, name, uid } = pod.metadata;
  deps.files.mkdir(podDir(deps, uid!), 0o750);
  deps.files.mkdir(podLogDirectory(deps.paths.logsRoot, namespace!, name!, uid!), 0o755);
  deps.cgroups.create(podCgroup(deps.cgroupRoot, pod), podCgroupResources(pod));
}

export async function startSandbox(pod: Pod, config: PodSandboxConfig, deps: PodDeps): Promise<RuntimeSandbox> {
  const id = await deps.limiter.run(() => deps.runtime.runPodSandbox(config, RUNTIME_DEFAULT_HANDLER));
  const sandbox = sandboxFrom(await deps.runtime.podSandboxStatus(id));
  deps.cache.putSandbox(
    { uid: pod.metadata.uid!, namespace: pod.metadata.namespace!, name: pod.metadata.name! },
    sandbox,
  );
  return sandbox;
}

export async function localPod(pod: Pod, sandbox: RuntimeSandbox, deps: PodDeps): Promise<LocalPod> {
  const hostPorts: HostPort[] = [...mainContainers(pod), ...(pod.spec?.initContainers ?? [])]
    .flatMap((c) => c.ports ?? [])
    .filter((p) => (p.hostPort ?? 0) > 0 && !isHostNetwork(pod))
    .map((p) => ({
      protocol: (p.protocol ?? 'TCP') as HostPort['protocol'],
      hostIP: p.hostIP ?? '',
      hostPort: p.hostPort!,
      containerPort: p.containerPort,
    }));
  return {
    uid: pod.metadata.uid!,
    namespace: pod.metadata.namespace!,
    name: pod.metadata.name!,
    labels: pod.metadata.labels ?? {},
    ips: isHostNetwork(pod) ? [] : sandbox.ips,
    hostPorts,
    netnsPath: isHostNetwork(pod) ? undefined : await deps.runtime.sandboxNetns(sandbox.id),
  };
}

/** Of what only a new container can take over: upstream hashes name and image (the rest of a pod's spec is immutable or resized). */
export const containerHash = (container: AnyContainer): string =>
  createHash('sha256')
    .update(JSON.stringify([container.name, container.image]))
    .digest('hex')
    .slice(0, 8);

export interface StartContext {
  readonly pod: Pod;
  readonly sandbox: RuntimeSandbox;
  readonly sandboxConfig: PodSandboxConfig;
  readonly volumes: PodVolumes;
  /** Resolves when policies stand in the kernel; awaited before the first process runs. */
  readonly policies: Promise<void>;
  /** The image, found or pulled; throws ImageError. */
  readonly image: Promise<Image>;
}

/** Creates and starts one container and runs its postStart hook. Throws ContainerConfigError, ImageError, RunContainerError. */
export class RunContainerError extends Error {
  readonly code: 'RunContainerError' | 'CreateContainerError' | 'PostStartHookError';
  constructor(code: RunContainerError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export async function startContainer(
  action: StartAction,
  context: StartContext,
  deps: PodDeps,
): Promise<RuntimeContainer> {
  const { pod, sandbox, volumes } = context;
  const { container, previous } = action;
  const uid = pod.metadata.uid!;
  const image = await context.image;
  const podIPs = isHostNetwork(pod) ? deps.facts().nodeIPs : sandbox.ips;
  const envs = await makeEnvironment(pod, container, podIPs, {
    configMap: (namespace, name) => deps.objects.configMap(uid, namespace, name),
    secret: (namespace, name) => deps.objects.secret(uid, namespace, name),
    services: (namespace) => deps.services(namespace),
    facts: deps.facts(),
  });
  const restartCount =
    previous === undefined ? 0 : previous.state === 'created' ? previous.restartCount : previous.restartCount + 1;
  if (previous?.state === 'created') await removeContainer(uid, previous, deps);
  await pruneDead(uid, container.name, previous, deps);
  const recursive = await recursivelyReadOnly(container, deps);
  const messageFile = terminationFile(uid, container, restartCount, deps);
  const target =
    action.kind === 'ephemeral'
      ? ephemeralContainers(pod).find((c) => c.name === container.name)?.targetContainerName
      : undefined;
  const targetId = target === undefined ? undefined : newestContainer(deps.cache.get(uid)!, target)?.id;
  const config = containerConfig(pod, container, {
    restartCount,
    hash: containerHash(container),
    envs,
    mounts: [
      ...containerMounts(pod, container, volumes, new Map(envs.map((e) => [e.key, e.value])), deps, recursive),
      ...kubeletMounts(pod, container, podIPs, messageFile, deps),
    ],
    image,
    imageRef: image.id,
    resources: containerResources(pod, container, deps.memoryCapacityBytes()),
    seccompDir: deps.paths.seccompDir,
    seccompDefault: deps.seccompDefault,
    maskedPaths: deps.paths.masked,
    userNamespace: deps.userNamespaces.of(pod),
    terminationMessageFile: messageFile,
    ...(targetId === undefined ? {} : { targetId }),
  });
  deps.files.mkdir(`${context.sandboxConfig.logDirectory}/${container.name}`, 0o755);
  let id: string;
  try {
    id = await deps.runtime.createContainer(sandbox.id, config, context.sandboxConfig);
  } catch (cause) {
    const message = messageOf(cause);
    deps.events.event(pod, podsRef, 'Warning', 'Failed', `Error: ${message}`);
    throw new RunContainerError('CreateContainerError', message, { cause });
  }
  deps.events.event(pod, podsRef, 'Normal', 'Created', `Created container: ${container.name}`);
  await context.policies;
  try {
    await deps.runtime.startContainer(id);
  } catch (cause) {
    deps.cache.putContainer(uid, containerFrom(await deps.runtime.containerStatus(id), sandbox.id));
    const message = messageOf(cause);
    deps.events.event(pod, podsRef, 'Warning', 'Failed', `Error: ${message}`);
    throw new RunContainerError('RunContainerError', message, { cause });
  }
  deps.events.event(pod, podsRef, 'Normal', 'Started', `Started container ${container.name}`);
  const started = containerFrom(await deps.runtime.containerStatus(id), sandbox.id);
  deps.cache.putContainer(uid, started);

  const hook = container.lifecycle?.postStart;
  if (hook !== undefined) {
    try {
      await runHook(pod, container, id, podIPs[0] ?? '', hook, deps);
    } catch (cause) {
      const message = messageOf(cause);
      deps.events.event(pod, podsRef, 'Warning', 'FailedPostStartHook', message);
      await deps.runtime.stopContainer(id, pod.spec?.terminationGracePeriodSeconds ?? 30);
      deps.cache.putContainer(uid, containerFrom(await deps.runtime.containerStatus(id), sandbox.id));
      throw new RunContainerError('PostStartHookError', message, { cause });
    }
  }
  return started;
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message.replace(/^rpc error: code = \w+ desc = /, '') : String(error);

/** Of each container the newest dead one stays, for its log and last state. */
async function pruneDead(uid: string, name: string, keep: RuntimeContainer | undefined, deps: PodDeps): Promise<void> {
  const dead =
    deps.cache.get(uid)?.containers.filter((c) => c.name === name && c.state === 'exited' && c.id !== keep?.id) ?? [];
  for (const container of dead) await removeContainer(uid, container, deps);
}

export async function removeContainer(
  uid: string,
  container: RuntimeContainer,
  deps: Pick<PodDeps, 'runtime' | 'cache' | 'probes'>,
): Promise<void> {
  await deps.runtime.removeContainer(container.id);
  deps.cache.dropContainer(uid, container.id);
  deps.probes.forget(container.id);
}

function terminationFile(uid: string, container: AnyContainer, restartCount: number, deps: PodDeps): string {
  const dir = `${podDir(deps, uid)}/containers/${container.name}`;
  deps.files.mkdir(dir, 0o750);
  const file = `${dir}/${restartCount}.message`;
  deps.files.write(file, '', 0o666);
  return file;
}

function kubeletMounts(
  pod: Pod,
  container: AnyContainer,
  podIPs: readonly string[],
  messageFile: string,
  deps: PodDeps,
): Mount[] {
  const mounts: Mount[] = [
    { containerPath: container.terminationMessagePath ?? '/dev/termination-log', hostPath: messageFile },
  ];
  if (!(container.volumeMounts ?? []).some((m) => m.mountPath === '/etc/hosts')) {
    const path = `${podDir(deps, pod.metadata.uid!)}/etc-hosts`;
    const nodeHosts = isHostNetwork(pod) ? (deps.files.readText('/etc/hosts') ?? '') : '';
    const text = hostsFile(pod, podIPs, deps.cluster.domain, nodeHosts);
    if (deps.files.readText(path) !== text) deps.files.write(path, text, 0o644);
    mounts.push({ containerPath: '/etc/hosts', hostPath: path });
  }
  return mounts;
}

const PROPAGATION = {
  None: 'PROPAGATION_PRIVATE',
  HostToContainer: 'PROPAGATION_HOST_TO_CONTAINER',
  Bidirectional: 'PROPAGATION_BIDIRECTIONAL',
} as const;

/** Paths of mounts below which nothing may be writable. */
async function recursivelyReadOnly(container: AnyContainer, { runtime }: PodDeps): Promise<ReadonlySet<string>> {
  const asked = (container.volumeMounts ?? []).filter((m) => !['', 'Disabled'].includes(m.recursiveReadOnly ?? ''));
  if (asked.length === 0) return new Set();
  const handler = (await runtime.status()).runtimeHandlers.find((h) => h.name === RUNTIME_DEFAULT_HANDLER);
  if (handler?.features?.recursiveReadOnlyMounts === true) return new Set(asked.map((m) => m.mountPath));
  const demanded = asked.find((m) => m.recursiveReadOnly === 'Enabled');
  if (demanded !== undefined)
    throw new ContainerConfigError(
      `volume ${JSON.stringify(demanded.name)} requested recursive read-only mode, but it is not supported by the runtime`,
    );
  return new Set();
}

function containerMounts(
  pod: Pod,
  container: AnyContainer,
  volumes: PodVolumes,
  env: ReadonlyMap<string, string>,
  deps: PodDeps,
  recursive: ReadonlySet<string>,
): Mount[] {
  return (container.volumeMounts ?? []).map((mount) => {
    const volume = volumes.get(mount.name);
    if (volume === undefined)
      throw new ContainerConfigError(
        `cannot find volume ${JSON.stringify(mount.name)} to mount into container ${JSON.stringify(container.name)}`,
      );
    const sub =
      mount.subPathExpr === undefined || mount.subPathExpr === ''
        ? (mount.subPath ?? '')
        : expandStrictly(mount.subPathExpr, env);
    const path = sub === '' ? volume.path : subPath(pod, volume.path, sub, mount.name, deps);
    return {
      containerPath: mount.mountPath.startsWith('/') ? mount.mountPath : `/${mount.mountPath}`,
      hostPath: path,
      readonly: mount.readOnly === true || volume.readOnly,
      ...(recursive.has(mount.mountPath) ? { recursiveReadOnly: true } : {}),
      propagation: PROPAGATION[(mount.mountPropagation ?? 'None') as keyof typeof PROPAGATION],
    };
  });
}

function expandStrictly(text: string, env: ReadonlyMap<string, string>): string {
  const missing: string[] = [];
  const out = expand(text, (name) => {
    const value = env.get(name);
    if (value === undefined) missing.push(name);
    return value;
  });
  if (missing.length > 0)
    throw new ContainerConfigError(`missing value for ${missing.map((m) => JSON.stringify(m)).join(', ')}`);
  return out;
}

/** A path inside a volume, made as a folder when missing. Links may not lead out of the volume. */
function subPath(pod: Pod, volumePath: string, sub: string, name: string, deps: PodDeps): string {
  if (sub.startsWith('/') || sub.split('/').includes('..'))
    throw new ContainerConfigError(
      `failed to prepare subPath for volumeMount ${JSON.stringify(name)}: subPath ${JSON.stringify(sub)} must be relative and without '..'`,
    );
  const { files } = deps;
  const base = files.realpath(volumePath) ?? volumePath;
  let at = base;
  for (const part of sub.split('/').filter((p) => p !== '' && p !== '.')) {
    const next = `${at}/${part}`;
    if (files.stat(next, false) === undefined) {
      files.mkdir(next, files.stat(base)?.mode ?? 0o750);
      const group = pod.spec?.securityContext?.fsGroup;
      if (group !== undefined) files.chown(next, 0, group);
    }
    const real = files.realpath(next);
    if (real === undefined || (real !== base && !real.startsWith(`${base}/`))) {
      throw new ContainerConfigError(
        `failed to prepare subPath for volumeMount ${JSON.stringify(name)}: subPath ${JSON.stringify(sub)} leads out of its volume`,
      );
    }
    at = real;
  }
  return at;
}

export { readySandbox };
