// What every kind of volume offers, and what it may use.
import type {
  ConfigMap,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  Secret,
  Volume,
} from '#generated/api/core-v1.ts';
import type { VolumeAttachment } from '#generated/api/storage-v1.ts';
import type { Clock } from '#base/clock.ts';
import type { FileSystem } from '#host/file-system.ts';
import type { Mounts } from '#host/mounts.ts';
import type { NodeFacts } from '../pods/field-ref.ts';

/** The volume cannot be had yet; said in a FailedMount event and tried again. */
export class VolumeError extends Error {
  readonly code = 'FailedMount';
}

/** The attach/detach controller has not brought the volume here yet: ordinary for a moment, so waited for quietly. */
export class NotAttachedError extends VolumeError {}

export interface PreparedVolume {
  /** Where it is on the node. */
  readonly path: string;
  readonly readOnly: boolean;
}

export interface VolumeDeps {
  readonly files: FileSystem;
  readonly mounts: Mounts;
  readonly clock: Clock;
  readonly nodeName: string;
  readonly rootDir: string;
  /** Where backing files of claimed volumes are: one directory for all nodes of the machine. */
  readonly volumesDir: string;
  readonly facts: () => NodeFacts;
  configMap(podUid: string, namespace: string, name: string): Promise<ConfigMap | undefined>;
  secret(podUid: string, namespace: string, name: string): Promise<Secret | undefined>;
  claim(namespace: string, name: string): Promise<PersistentVolumeClaim | undefined>;
  persistentVolume(name: string): Promise<PersistentVolume | undefined>;
  attachment(name: string): Promise<VolumeAttachment | undefined>;
  /** Names in node.status.volumesInUse: what is named there is detached by nobody. */
  readonly inUse: VolumesInUse;
  /** A token for the pod's service account, from a cache that renews it. */
  token(pod: Pod, audience: string | undefined, expirationSeconds: number): Promise<string>;
}

export interface VolumesInUse {
  /** Resolves when the API server's node carries the name. */
  claim(name: string): Promise<void>;
  /** Keeps the name for now, without telling. */
  hold(name: string): void;
  /** The volume is unmounted: the name may go. */
  release(name: string): void;
}

export interface VolumeContext {
  readonly pod: Pod;
  readonly volume: Volume;
  /** `ROOT/pods/UID/volumes/PLUGIN/NAME`: the place of volumes on the node's disk. */
  readonly dir: string;
  /** The same on the node's one tmpfs. */
  readonly memoryDir: string;
}

export interface VolumePlugin {
  /** The field of `spec.volumes[]` it serves. */
  readonly field: keyof Volume;
  /** Folder below `volumes/`, upstream's name. */
  readonly folder: string;
  /** Makes it or finds it made; may run again at any time, and refreshes what can be refreshed. */
  setUp(context: VolumeContext, deps: VolumeDeps): Promise<PreparedVolume>;
  /** Releases it by place alone (the pod may be gone); `dir` and `memoryDir` as in the context. */
  tearDown(dir: string, memoryDir: string, deps: VolumeDeps): Promise<void>;
}
