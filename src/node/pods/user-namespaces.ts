// User namespaces of pods with `hostUsers: false`: 65,536 ids of the machine to a pod, which no other pod of the machine has. All nodes
// of `up`, of all clusters, share one kernel, so ranges are claimed in one folder for all of them: a link named after the range, which
// points to the `userns` file in the pod's folder (upstream's file). A link that points nowhere is of a pod that is gone.
import type { Pod } from '#generated/api/core-v1.ts';
import type { FileSystem } from '#host/file-system.ts';
import type { UserNamespace } from '../cri/messages.ts';
import type { Runtime } from '../cri/runtime.ts';

/** Upstream's default idsPerPod. */
const IDS_PER_POD = 65_536;
/**
 * Ranges are taken here: 0x70000000 and up, above what /etc/subuid and container managers hand out, below what programs take for a
 * negative number. 4,094 pods.
 */
const FIRST_RANGE = 0x7000;
const LAST_RANGE = 0x7ffd;

export const usesUserNamespace = (pod: Pod): boolean => pod.spec?.hostUsers === false;

export interface UserNamespacesDeps {
  readonly files: FileSystem;
  /** Where the folders of the node's pods are. */
  readonly rootDir: string;
  /** One for the whole machine. */
  readonly claimsDir: string;
}

export class UserNamespaces {
  readonly #deps: UserNamespacesDeps;

  constructor(deps: UserNamespacesDeps) {
    this.#deps = deps;
  }

  /** What the runtime is told: the node's own ids, or the pod's range, claimed at the first call. The pod's folder is there. */
  of(pod: Pod): UserNamespace {
    if (!usesUserNamespace(pod)) return { mode: 'NODE' };
    const uid = pod.metadata.uid!;
    const known = this.#recorded(uid);
    const range = known !== undefined && this.#claim(uid, known) ? known : this.#claimFree(uid);
    const ids = [{ hostId: range * IDS_PER_POD, containerId: 0, length: IDS_PER_POD }];
    return { mode: 'POD', uids: ids, gids: ids };
  }

  /** The pod's folder goes after this. May run again. */
  release(uid: string): void {
    const range = this.#recorded(uid);
    if (range === undefined) return;
    const { files } = this.#deps;
    if (files.readlink(this.#link(range)) === this.#file(uid)) files.unlink(this.#link(range));
    files.unlink(this.#file(uid));
  }

  /** Frees what pods have left that went without a word: their cluster was deleted, or their node's disk was. May run at any time. */
  sweep(): void {
    const { files, claimsDir } = this.#deps;
    for (const name of files.list(claimsDir)) {
      const link = `${claimsDir}/${name}`;
      const target = files.readlink(link);
      const inode = files.stat(link, false)?.inode;
      if (target === undefined || inode === undefined || files.stat(target) !== undefined) continue;
      // Another agent may have swept it a moment ago, and the range be claimed anew: what was moved away is looked at again.
      const moved = `${claimsDir}/swept-${inode}`;
      this.#ifThere(() => files.rename(link, moved));
      const held = files.readlink(moved);
      if (held !== undefined && files.stat(held) !== undefined) this.#ifFree(() => files.symlink(held, link));
      files.unlink(moved);
    }
  }

  #claimFree(uid: string): number {
    const { files, claimsDir } = this.#deps;
    files.mkdir(claimsDir, 0o700);
    const taken = new Set(files.list(claimsDir));
    for (let range = FIRST_RANGE; range <= LAST_RANGE; range++) {
      if (taken.has(String(range))) continue;
      // The file comes first: a link without its file would count as left over.
      const ids = [{ hostId: range * IDS_PER_POD, containerId: 0, length: IDS_PER_POD }];
      files.write(this.#file(uid), JSON.stringify({ uidMappings: ids, gidMappings: ids }), 0o600);
      if (this.#claim(uid, range)) return range;
    }
    files.unlink(this.#file(uid));
    throw new Error('create user namespace: could not find an empty slot to allocate a user namespace');
  }

  /** True when the range is the pod's now. */
  #claim(uid: string, range: number): boolean {
    const { files } = this.#deps;
    this.#ifFree(() => files.symlink(this.#file(uid), this.#link(range)));
    return files.readlink(this.#link(range)) === this.#file(uid);
  }

  #recorded(uid: string): number | undefined {
    const text = this.#deps.files.readText(this.#file(uid));
    if (text === undefined) return undefined;
    try {
      const { uidMappings } = JSON.parse(text) as { uidMappings: readonly { readonly hostId: number }[] };
      const range = uidMappings[0]!.hostId / IDS_PER_POD;
      return Number.isInteger(range) && range >= FIRST_RANGE && range <= LAST_RANGE ? range : undefined;
    } catch {
      return undefined; // cut short by a crash, so before anything ran with it
    }
  }

  #ifFree(link: () => void): void {
    try {
      link();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }

  #ifThere(move: () => void): void {
    try {
      move();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  #file(uid: string): string {
    return `${this.#deps.rootDir}/pods/${uid}/userns`;
  }

  #link(range: number): string {
    return `${this.#deps.claimsDir}/${range}`;
  }
}

/** Throws upstream's words where the runtime would start the pod as the machine's root all the same. */
export async function checkUserNamespaces(pod: Pod, runtime: Runtime): Promise<void> {
  if (!usesUserNamespace(pod)) return;
  const { runtimeHandlers } = await runtime.status();
  if (runtimeHandlers.find((h) => h.name === '')?.features?.userNamespaces === true) return;
  throw new Error("can't set `spec.hostUsers: false`, runtime does not support user namespaces");
}
