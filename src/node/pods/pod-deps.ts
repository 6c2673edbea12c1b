// What the steps of a pod's life use.
import type { Pod, Service } from '#generated/api/core-v1.ts';
import type { Clock } from '#base/clock.ts';
import type { Log } from '#base/log.ts';
import type { Client, EventRecorder } from '#client/client.ts';
import type { Cgroups } from '#host/cgroups.ts';
import type { FileSystem } from '#host/file-system.ts';
import type { NodeNetwork } from '#netmodel/node-network.ts';
import type { PodCache } from '../cri/pod-cache.ts';
import type { Runtime } from '../cri/runtime.ts';
import type { Pressure } from '../eviction/thresholds.ts';
import type { Images } from '../images/images.ts';
import type { Limiter } from '../limiter.ts';
import type { ObjectCache } from '../object-cache.ts';
import type { Probes } from '../probes/probes.ts';
import type { Allocatable } from '../resize/resize.ts';
import type { Resizer } from '../resize/resizer.ts';
import type { StatusWriter } from '../status/status-writer.ts';
import type { Volumes } from '../volumes/volumes.ts';
import type { ResolverConfig } from '#netmodel/resolv-conf.ts';
import type { NodeFacts } from './field-ref.ts';
import type { UserNamespaces } from './user-namespaces.ts';

export interface PodPaths {
  readonly rootDir: string;
  /** Container logs: `<logs>/<namespace>_<name>_<uid>/<container>/<n>.log`. */
  readonly logsRoot: string;
  readonly seccompDir: string;
  /** Of /proc and /sys, hidden from containers. */
  readonly masked: readonly string[];
}

export interface PodDeps {
  readonly client: Client;
  readonly runtime: Runtime;
  readonly cache: PodCache;
  readonly network: NodeNetwork;
  readonly volumes: Volumes;
  readonly objects: ObjectCache;
  readonly images: Images;
  readonly probes: Probes;
  readonly statuses: StatusWriter;
  readonly events: EventRecorder;
  readonly cgroups: Cgroups;
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly log: Log;
  /** Bounds sandbox starts and exec probes together. */
  readonly limiter: Limiter;
  readonly paths: PodPaths;
  readonly userNamespaces: Pick<UserNamespaces, 'of' | 'release'>;
  /** Containers without a seccomp profile get the runtime's. */
  readonly seccompDefault: boolean;
  /** Sysctls that are risky and may be set all the same; a `*` at the end stands for anything. */
  readonly allowedUnsafeSysctls: readonly string[];
  /** What the node is short of now. */
  readonly pressures: () => readonly Pressure[];
  readonly resizer: Resizer;
  readonly allocatable: Allocatable;
  /** Pods this node has taken that are not at their end, with what they were given. */
  readonly taken: () => readonly Pod[];
  readonly cgroupRoot: string;
  readonly cluster: { readonly dnsIPs: readonly string[]; readonly domain: string };
  readonly nodeResolver: () => ResolverConfig;
  readonly facts: () => NodeFacts;
  readonly memoryCapacityBytes: () => number;
  services(namespace: string): readonly Service[];
  /** The pod as the API last showed it. */
  current(uid: string): Pod | undefined;
}
