// What the node has given to each pod, kept beside the pod's other files so that an agent that starts again knows it: the API tells
// only what is wanted. Upstream's allocated_pods_state and actuated_pods_state, one file a pod.
import type { Pod } from '#generated/api/core-v1.ts';
import type { FileSystem } from '#host/file-system.ts';
import { type PodResources, resourcesIn } from './resize.ts';

export interface Allocation {
  /** Given to its containers. */
  readonly allocated: PodResources;
  /** What containers still run with, where that is something else. */
  readonly actual: PodResources;
}

export interface AllocationsDeps {
  readonly files: Pick<FileSystem, 'mkdir' | 'write' | 'readText' | 'rename' | 'unlink'>;
  readonly rootDir: string;
}

export class Allocations {
  readonly #deps: AllocationsDeps;
  /** Pod uid → what was given; undefined when the file says nothing. */
  readonly #known = new Map<string, Allocation | undefined>();

  constructor(deps: AllocationsDeps) {
    this.#deps = deps;
  }

  get(uid: string): Allocation | undefined {
    if (!this.#known.has(uid)) this.#known.set(uid, this.#read(uid));
    return this.#known.get(uid);
  }

  /** Gives a pod what it asks for. One that asks for no resources cannot be resized, and leaves no file. */
  admit(pod: Pod): Allocation {
    const allocation: Allocation = { allocated: resourcesIn(pod), actual: {} };
    const asks = Object.values(allocation.allocated).some((r) => r.requests !== undefined || r.limits !== undefined);
    if (asks) this.set(pod.metadata.uid!, allocation);
    else this.#known.set(pod.metadata.uid!, allocation);
    return allocation;
  }

  set(uid: string, allocation: Allocation): void {
    const { files } = this.#deps;
    this.#known.set(uid, allocation);
    const path = this.#path(uid);
    files.mkdir(path.slice(0, path.lastIndexOf('/')), 0o750);
    files.write(`${path}.new`, JSON.stringify(allocation), 0o600);
    files.rename(`${path}.new`, path);
  }

  forget(uid: string): void {
    this.#known.delete(uid);
  }

  #read(uid: string): Allocation | undefined {
    const text = this.#deps.files.readText(this.#path(uid));
    if (text === undefined) return undefined;
    try {
      return JSON.parse(text) as Allocation;
    } catch {
      return undefined; // torn by a crash of the machine: what is wanted now is taken as given
    }
  }

  #path(uid: string): string {
    return `${this.#deps.rootDir}/pods/${uid}/resources.json`;
  }
}
