// Drops history by itself, as kube-apiserver does on etcd: every interval it compacts to what was the newest revision one
// interval ago, so between one and two intervals of history are there.
import type { Clock, Timer } from '#base/clock.ts';
import type { Log } from '#base/log.ts';
import type { Store } from './store.ts';

export interface AutoCompactionDeps {
  readonly store: Pick<Store, 'revision' | 'compact'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly everyMs: number;
}

export class AutoCompaction {
  readonly #deps: AutoCompactionDeps;
  #timer: Timer | undefined;
  #mark = 0;
  #stopped = false;

  constructor(deps: AutoCompactionDeps) {
    this.#deps = deps;
  }

  begin(): void {
    const { clock, everyMs } = this.#deps;
    if (this.#stopped) return;
    this.#timer = clock.setTimer(everyMs, () => void this.#compact().then(() => this.begin()));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  async #compact(): Promise<void> {
    const { store, log } = this.#deps;
    try {
      const newest = await store.revision();
      if (this.#mark > 0) await store.compact(this.#mark);
      this.#mark = newest;
    } catch (error) {
      if (!this.#stopped) log.warn('Compaction failed; it is tried again', { error });
    }
  }
}
