// Allocation is the write function's hook between validation and commit: cluster addresses and node ports.
import type { KubeObject } from '#machinery/object.ts';
import type { Served } from '../served.ts';

export interface Allocation {
  /** With what was allocated filled in. */
  readonly object: KubeObject;
  /** The write is in the store: what the old object held and the new one does not is given back. */
  committed(): void | Promise<void>;
  /** The write did not happen: what was taken is given back. */
  undo(): void | Promise<void>;
}

export interface Allocator {
  readonly group: string;
  readonly resource: string;
  /** Throws StatusError when something asked for cannot be had. Takes nothing on a dry run. */
  allocate(object: KubeObject, old: KubeObject | undefined, dryRun: boolean): Promise<Allocation>;
  /** The object is gone from the store. */
  release(old: KubeObject): void | Promise<void>;
}

export class Allocators {
  /** group/resource → its allocator. */
  readonly #byResource: ReadonlyMap<string, Allocator>;

  constructor(allocators: readonly Allocator[]) {
    this.#byResource = new Map(allocators.map((a) => [`${a.group}/${a.resource}`, a]));
  }

  allocate(
    served: Served,
    object: KubeObject,
    old: KubeObject | undefined,
    dryRun: boolean,
  ): Promise<Allocation> | undefined {
    return this.#of(served)?.allocate(object, old, dryRun);
  }

  release(served: Served, old: KubeObject): void | Promise<void> {
    return this.#of(served)?.release(old);
  }

  #of(served: Served): Allocator | undefined {
    return this.#byResource.get(`${served.definition.group}/${served.definition.resource}`);
  }
}
