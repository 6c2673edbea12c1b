// The volumes of this node's pods: the list of kinds, preparing all of a pod's, refreshing them, releasing them, and finding what
// pods long gone have left.
import type { Pod, Volume } from '#generated/api/core-v1.ts';
import { configMap } from './configmap.ts';
import { attachedName, disksInUse } from './disk.ts';
import { downwardAPI } from './downwardapi.ts';
import { emptyDir } from './emptydir.ts';
import { hostPath } from './hostpath.ts';
import { ephemeral, persistentVolumeClaim } from './persistentvolumeclaim.ts';
import { projected } from './projected.ts';
import { secret } from './secret.ts';
import { type PreparedVolume, type VolumeDeps, VolumeError, type VolumePlugin } from './volume.ts';

/** Every kind of volume there is. The order does not matter: a volume names exactly one. */
export const VOLUME_PLUGINS: readonly VolumePlugin[] = [
  configMap,
  downwardAPI,
  emptyDir,
  ephemeral,
  hostPath,
  persistentVolumeClaim,
  projected,
  secret,
];

export type PodVolumes = ReadonlyMap<string, PreparedVolume>;

export class Volumes {
  readonly #deps: VolumeDeps;
  /** Pod uid → its prepared volumes. */
  readonly #prepared = new Map<string, PodVolumes>();
  #memoryReady: Promise<void> | undefined;
  /** Attached volumes being mounted or unmounted; those that are mounted have left their record on disk. */
  readonly #held = new Set<string>();

  /** `tellInUse` brings the names to the API server. */
  constructor(deps: Omit<VolumeDeps, 'inUse'>, tellInUse: () => Promise<void>) {
    this.#deps = {
      ...deps,
      inUse: {
        claim: (name) => {
          this.#held.add(name);
          return tellInUse();
        },
        hold: (name) => void this.#held.add(name),
        release: (name) => {
          this.#held.delete(name);
          tellInUse().catch(() => {}); // the regular report follows
        },
      },
    };
  }

  get memoryRoot(): string {
    return `${this.#deps.rootDir}/memory`;
  }

  /** Makes the pod's volumes or refreshes them; throws VolumeError for the first that cannot be had. */
  async setUp(pod: Pod): Promise<PodVolumes> {
    const uid = pod.metadata.uid!;
    const volumes = pod.spec?.volumes ?? [];
    await this.#mountMemory();
    const made = await Promise.all(
      volumes.map(async (volume) => {
        const plugin = pluginOf(volume);
        const place = `pods/${uid}/volumes/${plugin.folder}/${volume.name}`;
        try {
          const context = {
            pod,
            volume,
            dir: `${this.#deps.rootDir}/${place}`,
            memoryDir: `${this.memoryRoot}/${place}`,
          };
          return [volume.name, await plugin.setUp(context, this.#deps)] as const;
        } catch (error) {
          const why = error instanceof Error ? error.message : String(error);
          throw new VolumeError(`MountVolume.SetUp failed for volume ${JSON.stringify(volume.name)} : ${why}`, {
            cause: error,
          });
        }
      }),
    );
    const prepared = new Map(made);
    this.#prepared.set(uid, prepared);
    return prepared;
  }

  /** Does any of the pod's volumes wait for something outside the node? */
  static waits(pod: Pod): boolean {
    return (pod.spec?.volumes ?? []).some((v) => v.persistentVolumeClaim !== undefined || v.ephemeral !== undefined);
  }

  prepared(uid: string): PodVolumes | undefined {
    return this.#prepared.get(uid);
  }

  /** Unmounts and removes all volumes of a pod, known or left over. May run again. */
  async tearDown(uid: string): Promise<void> {
    const { files, rootDir } = this.#deps;
    const place = `pods/${uid}/volumes`;
    for (const plugin of new Map(VOLUME_PLUGINS.map((p) => [p.folder, p])).values()) {
      const names = new Set([
        ...files.list(`${rootDir}/${place}/${plugin.folder}`),
        ...files.list(`${this.memoryRoot}/${place}/${plugin.folder}`),
      ]);
      for (const name of names) {
        const own = `${place}/${plugin.folder}/${name}`;
        await plugin.tearDown(`${rootDir}/${own}`, `${this.memoryRoot}/${own}`, this.#deps);
      }
    }
    await files.removeAll(`${this.memoryRoot}/pods/${uid}`);
    this.#prepared.delete(uid);
  }

  /** Names for node.status.volumesInUse. */
  inUse(): readonly string[] {
    return [...new Set([...this.#held, ...[...disksInUse(this.#deps)].map(attachedName)])].sort();
  }

  /** One tmpfs a node for everything secret: no mount process at pod start. */
  #mountMemory(): Promise<void> {
    return (this.#memoryReady ??= (async () => {
      if (this.#deps.mounts.list().some((m) => m.target === this.memoryRoot)) return;
      this.#deps.files.mkdir(this.memoryRoot, 0o755);
      await this.#deps.mounts.tmpfs(this.memoryRoot, { mode: '0755' });
    })());
  }
}

function pluginOf(volume: Volume): VolumePlugin {
  const plugin = VOLUME_PLUGINS.find((p) => volume[p.field] !== undefined);
  if (plugin !== undefined) return plugin;
  const kind = Object.keys(volume).find((k) => k !== 'name') ?? 'empty';
  throw new VolumeError(
    `volume ${JSON.stringify(volume.name)}: kind ${kind} is not supported: use one of ${VOLUME_PLUGINS.map((p) => p.field).join(', ')}`,
  );
}
