// How long pods take, seen by a watch: create → Running and delete → gone, one or many, on whatever cluster the client leads to.
import type { Pod } from '#generated/api/core-v1.ts';
import { pods } from '#generated/resources.ts';
import type { Client } from '#client/client.ts';
import { clock } from './cluster.ts';

/** Of every cluster that is measured: name of the node, and of an image that is there. */
export interface PodPlace {
  readonly node: string;
  readonly image: string;
}

export class PodTiming {
  readonly #client: Client;
  readonly #place: PodPlace;
  readonly #stop = new AbortController();
  readonly #pods = new Map<string, Pod>();
  readonly #waiting = new Set<() => void>();

  constructor(client: Client, place: PodPlace) {
    this.#client = client;
    this.#place = place;
  }

  async start(): Promise<void> {
    const list = await this.#client.resource(pods).list({ namespace: 'default' });
    void (async () => {
      for await (const event of this.#client
        .resource(pods)
        .watch({ namespace: 'default', resourceVersion: list.metadata.resourceVersion! }, this.#stop.signal)) {
        if (event.type === 'BOOKMARK') continue;
        if (event.type === 'DELETED') this.#pods.delete(event.object.metadata.name!);
        else this.#pods.set(event.object.metadata.name!, event.object);
        for (const wake of this.#waiting) wake();
      }
    })().catch((error: unknown) => {
      if (!this.#stop.signal.aborted) throw error;
    });
  }

  stop(): void {
    this.#stop.abort();
  }

  /** Milliseconds until it runs. */
  async create(name: string): Promise<number> {
    const from = clock.monotonic();
    await this.#client.resource(pods).create({
      metadata: { name, namespace: 'default', labels: { bench: 'pods' } },
      spec: {
        nodeSelector: { 'kubernetes.io/hostname': this.#place.node },
        automountServiceAccountToken: false,
        containers: [
          { name: 'main', image: this.#place.image, imagePullPolicy: 'IfNotPresent', command: ['sleep', '3600'] },
        ],
      },
    });
    await this.#when(name, (pod) => pod?.status?.phase === 'Running');
    return clock.monotonic() - from;
  }

  /** Milliseconds until it is gone, with a grace of one second. */
  async remove(name: string): Promise<number> {
    const from = clock.monotonic();
    await this.#client.resource(pods).delete('default', name, { gracePeriodSeconds: 1 });
    await this.#when(name, (pod) => pod === undefined);
    return clock.monotonic() - from;
  }

  /** Milliseconds until the last runs. */
  async createMany(count: number): Promise<number> {
    const from = clock.monotonic();
    await Promise.all(Array.from({ length: count }, (_, i) => this.create(`bench-many-${i}`)));
    return clock.monotonic() - from;
  }

  /** Milliseconds until the last of these is gone. */
  async removeMany(count: number): Promise<number> {
    const from = clock.monotonic();
    await this.#client
      .resource(pods)
      .deleteCollection({ namespace: 'default', labelSelector: 'bench=pods' }, { gracePeriodSeconds: 1 });
    await Promise.all(
      Array.from({ length: count }, (_, i) => this.#when(`bench-many-${i}`, (pod) => pod === undefined)),
    );
    return clock.monotonic() - from;
  }

  #when(name: string, holds: (pod: Pod | undefined) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!holds(this.#pods.get(name))) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }
}
