// One shared informer per resource and selection, started and stopped together.
import type { KubeObject, ResourceRef } from '#machinery/object.ts';
import type { Informer, Informers } from './client.ts';
import { type InformerDeps, type InformerOptions, ListWatchInformer } from './informer.ts';

export function createInformers(
  deps: InformerDeps,
  options: { readonly freeze?: boolean; readonly watchList?: boolean } = {},
): Informers {
  return new SharedInformers(deps, options);
}

class SharedInformers implements Informers {
  readonly #deps: InformerDeps;
  readonly #options: InformerOptions;
  /** Resource and selection → informer. */
  readonly #informers = new Map<string, ListWatchInformer<KubeObject>>();
  readonly #stopped = new AbortController();
  readonly #running: Promise<void>[] = [];
  #started = false;

  constructor(deps: InformerDeps, options: InformerOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  informer<T extends KubeObject>(
    ref: ResourceRef<T>,
    options: { readonly namespace?: string; readonly labelSelector?: string; readonly fieldSelector?: string } = {},
  ): Informer<T> {
    const { namespace = '', labelSelector = '', fieldSelector = '' } = options;
    const id = JSON.stringify([ref.group, ref.version, ref.resource, namespace, labelSelector, fieldSelector]);
    const known = this.#informers.get(id);
    if (known !== undefined) return known as unknown as ListWatchInformer<T>;
    const informer = new ListWatchInformer<T>(this.#deps, ref, { ...this.#options, ...options });
    this.#informers.set(id, informer as unknown as ListWatchInformer<KubeObject>);
    if (this.#started) this.#running.push(informer.run(this.#stopped.signal));
    return informer;
  }

  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const informers = [...this.#informers.values()];
    if (!this.#started) {
      this.#started = true;
      for (const informer of informers) this.#running.push(informer.run(this.#stopped.signal));
    }
    await new Promise<void>((resolve, reject) => {
      const onAbort = () => reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      void Promise.all(informers.map((i) => i.whenSynced()))
        .then(() => resolve())
        .finally(() => signal.removeEventListener('abort', onAbort));
    });
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('the informers were stopped'));
    await Promise.all(this.#running);
  }
}
