// Making and removing pods for a controller, with the events that upstream records on the controller's object.
import type { Pod, PodTemplateSpec } from '#generated/api/core-v1.ts';
import { pods } from '#generated/resources.ts';
import type { Client, EventRecorder } from '#client/client.ts';
import { type KubeObject, makeControllerRef, type ResourceRef } from '#machinery/object.ts';
import { isStatus, StatusError } from '#machinery/status.ts';

export interface PodOwner<O extends KubeObject = KubeObject> {
  readonly object: O;
  readonly ref: ResourceRef<O>;
}

/** A pod as the template says, owned by `owner`; named by generateName unless `name` is given. */
export function podFromTemplate(template: PodTemplateSpec, owner: PodOwner, name?: string): Pod {
  const { labels, annotations, finalizers } = template.metadata ?? {};
  return {
    metadata: {
      ...(name === undefined ? { generateName: podNamePrefix(owner.object.metadata.name!) } : { name }),
      namespace: owner.object.metadata.namespace,
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ...(finalizers === undefined ? {} : { finalizers }),
      ownerReferences: [makeControllerRef(owner.object, owner.ref)],
    },
    spec: template.spec!,
  };
}

/** `web-`: the prefix is used only where names made from it can be valid. */
const podNamePrefix = (owner: string): string => `${owner}-`;

export class PodControl {
  readonly #client: Client;
  readonly #events: EventRecorder;

  constructor(client: Client, events: EventRecorder) {
    this.#client = client;
    this.#events = events;
  }

  async create(pod: Pod, owner: PodOwner): Promise<Pod> {
    try {
      const made = await this.#client.resource(pods).create(pod);
      this.#events.event(owner.object, owner.ref, 'Normal', 'SuccessfulCreate', `Created pod: ${made.metadata.name}`);
      return made;
    } catch (error) {
      // A namespace on its way out refuses content; saying so for every pod would only fill it again.
      if (!isNamespaceTerminating(error)) {
        this.#events.event(
          owner.object,
          owner.ref,
          'Warning',
          'FailedCreate',
          `Error creating: ${(error as Error).message}`,
        );
      }
      throw error;
    }
  }

  async delete(pod: Pod, owner: PodOwner): Promise<void> {
    const { namespace, name, uid } = pod.metadata;
    try {
      await this.#client.resource(pods).delete(namespace, name!, { preconditions: { uid } });
    } catch (error) {
      if (isStatus(error, 'NotFound') || isStatus(error, 'Conflict')) return;
      this.#events.event(
        owner.object,
        owner.ref,
        'Warning',
        'FailedDelete',
        `Error deleting: ${(error as Error).message}`,
      );
      throw error;
    }
    this.#events.event(owner.object, owner.ref, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
  }
}

export function isNamespaceTerminating(error: unknown): boolean {
  return error instanceof StatusError && (error.details?.causes ?? []).some((c) => c.reason === 'NamespaceTerminating');
}

/** First batch of slowStart; doubles while all succeed. Upstream's SlowStartInitialBatchSize. */
const FIRST_BATCH = 1;

export interface SlowStartResult {
  readonly succeeded: number;
  readonly error: unknown;
}

/**
 * Calls `make(index)` for 0 ≤ index < count in batches of 1, 2, 4, …, so that a template the server refuses costs a few calls
 * and not `count`. Ends with the first batch in which one failed.
 */
export async function slowStart(count: number, make: (index: number) => Promise<unknown>): Promise<SlowStartResult> {
  let succeeded = 0;
  for (let batch = Math.min(count, FIRST_BATCH); batch > 0; batch = Math.min(2 * batch, count - succeeded)) {
    const results = await Promise.allSettled(Array.from({ length: batch }, (_, i) => make(succeeded + i)));
    succeeded += results.filter((r) => r.status === 'fulfilled').length;
    const failed = results.find((r) => r.status === 'rejected');
    if (failed !== undefined) return { succeeded, error: failed.reason };
  }
  return { succeeded, error: undefined };
}
