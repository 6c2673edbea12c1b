// What the kubelet's HTTPS API needs of the kubelet: logs, streams, pods, statistics. The HTTP side is built on this interface.
import type { Pod } from '#generated/api/core-v1.ts';
import type { Clock } from '#base/clock.ts';
import type { Cgroups } from '#host/cgroups.ts';
import type { FileSystem } from '#host/file-system.ts';
import { StatusError } from '#machinery/status.ts';
import { configz } from './configz.ts';
import type { PodCache } from '../cri/pod-cache.ts';
import type { Runtime } from '../cri/runtime.ts';
import type { KubeletOptions } from '../kubelet.ts';
import type { LogOptions, LogReader } from '../logs/log-reader.ts';
import { findContainer, findContainerStatus } from '../pods/containers.ts';
import { readySandbox, type RuntimeContainer, type RuntimePod } from '../pods/runtime-pod.ts';
import type { MachineFacts } from '../status/machine.ts';
import { StatsSource, type StatsSummary } from './stats.ts';

export interface ContainerLogOptions extends LogOptions {
  readonly previous?: boolean;
}

export interface StreamOptions {
  readonly command?: readonly string[];
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** All failures are StatusError with upstream's words. */
export interface NodeServer {
  readonly nodeName: string;
  /** Pods of this node, as the API shows them. */
  pods(): readonly Pod[];
  healthy(): Promise<boolean>;
  /** Throws before the first byte when there is no such log. */
  containerLogs(
    namespace: string,
    pod: string,
    container: string,
    options: ContainerLogOptions,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;
  /** URL of the runtime's streaming server (SPDY, or WebSocket v4.channel), reachable from this node. */
  execUrl(namespace: string, pod: string, container: string, options: StreamOptions): Promise<string>;
  attachUrl(
    namespace: string,
    pod: string,
    container: string,
    options: Omit<StreamOptions, 'command'>,
  ): Promise<string>;
  portForwardUrl(namespace: string, pod: string, ports: readonly number[]): Promise<string>;
  /** One command to its end (the /run endpoint, checks of the explainer). */
  run(
    namespace: string,
    pod: string,
    container: string,
    command: readonly string[],
    timeoutSeconds: number,
  ): Promise<{ readonly stdout: Uint8Array; readonly stderr: Uint8Array; readonly exitCode: number }>;
  /** Where the pod's network namespace is, for dialling into it. */
  podNetns(namespace: string, pod: string): Promise<string | undefined>;
  /** The kubelet's /configz. */
  config(): object;
  /** The kubelet's /stats/summary. */
  statsSummary(): Promise<StatsSummary>;
}

export interface NodeServerDeps {
  readonly runtime: Runtime;
  readonly cache: PodCache;
  readonly logs: LogReader;
  readonly clock: Clock;
  readonly cgroups: Cgroups;
  readonly files: FileSystem;
  readonly options: KubeletOptions;
  readonly machine: MachineFacts;
  readonly maxPods: number;
  pods(): readonly Pod[];
  podCgroup(pod: Pod): string;
}

export function createNodeServer(deps: NodeServerDeps): NodeServer {
  const findPod = (namespace: string, name: string): Pod => {
    const pod = deps.pods().find((p) => p.metadata.namespace === namespace && p.metadata.name === name);
    if (pod === undefined) throw StatusError.notFound({ resource: 'pods' }, name);
    return pod;
  };
  const runtimeOf = (pod: Pod): RuntimePod | undefined => deps.cache.get(pod.metadata.uid!);
  const running = (namespace: string, name: string, container: string): RuntimeContainer => {
    const pod = findPod(namespace, name);
    const found = runtimeOf(pod)?.containers.find((c) => c.name === container && c.state === 'running');
    if (found === undefined) throw StatusError.badRequest(`container not found (${JSON.stringify(container)})`);
    return found;
  };
  const statsOf = new StatsSource(deps);
  return {
    nodeName: deps.options.nodeName,
    pods: () => deps.pods(),
    healthy: async () => (await deps.runtime.status()).conditions.every((c) => c.type !== 'RuntimeReady' || c.status),

    containerLogs(namespace, name, container, options, signal) {
      const pod = findPod(namespace, name);
      const { path, id } = findLog(pod, runtimeOf(pod), container, options.previous === true, deps.logs);
      const ended = () => deps.cache.get(pod.metadata.uid!)?.containers.find((c) => c.id === id)?.state !== 'running';
      return deps.logs.read(path, options, ended, signal);
    },

    execUrl: (namespace, pod, container, options) =>
      deps.runtime.execUrl({
        containerId: running(namespace, pod, container).id,
        cmd: options.command ?? [],
        tty: options.tty,
        stdin: options.stdin,
        stdout: options.stdout,
        stderr: options.stderr && !options.tty,
      }),
    attachUrl: (namespace, pod, container, options) =>
      deps.runtime.attachUrl({
        containerId: running(namespace, pod, container).id,
        tty: options.tty,
        stdin: options.stdin,
        stdout: options.stdout,
        stderr: options.stderr && !options.tty,
      }),
    async portForwardUrl(namespace, pod, ports) {
      const runtime = runtimeOf(findPod(namespace, pod));
      const sandbox = runtime === undefined ? undefined : readySandbox(runtime);
      if (sandbox === undefined) throw StatusError.badRequest(`pod ${JSON.stringify(pod)} has no running sandbox`);
      return deps.runtime.portForwardUrl(sandbox.id, ports);
    },
    run: (namespace, pod, container, command, timeoutSeconds) =>
      deps.runtime.execSync(running(namespace, pod, container).id, command, timeoutSeconds),
    async podNetns(namespace, pod) {
      const runtime = runtimeOf(findPod(namespace, pod));
      const sandbox = runtime === undefined ? undefined : readySandbox(runtime);
      return sandbox === undefined ? undefined : deps.runtime.sandboxNetns(sandbox.id);
    },
    config: () => configz(deps.options, deps.maxPods),
    statsSummary: () => statsOf.summary(),
  };
}

function findLog(
  pod: Pod,
  runtime: RuntimePod | undefined,
  container: string,
  previous: boolean,
  logs: LogReader,
): { path: string; id: string } {
  if (findContainer(pod, container) === undefined)
    throw StatusError.badRequest(`container ${container} is not valid for pod ${pod.metadata.name}`);
  const all = (runtime?.containers ?? []).filter((c) => c.name === container);
  const found = previous ? all[1] : all[0];
  if (found !== undefined && found.state !== 'created')
    return { path: logs.path(runtime!, container, found.restartCount), id: found.id };
  const waiting = findContainerStatus(pod, container)?.state?.waiting;
  if (previous)
    throw StatusError.badRequest(
      `previous terminated container ${JSON.stringify(container)} in pod ${JSON.stringify(pod.metadata.name)} not found`,
    );
  const why =
    waiting?.reason === 'ErrImagePull' || waiting?.reason === 'ImagePullBackOff'
      ? `trying and failing to pull image`
      : (waiting?.reason ?? 'ContainerCreating');
  throw StatusError.badRequest(
    `container ${JSON.stringify(container)} in pod ${JSON.stringify(pod.metadata.name)} is waiting to start: ${why}`,
  );
}
