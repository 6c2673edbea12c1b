// Keeps the tunnel table of a node: which other nodes' tunnelled packets are counted and let in.
import type { Node } from '#generated/api/core-v1.ts';
import type { Clock } from '#base/clock.ts';
import type { Log } from '#base/log.ts';
import type { MetricsRegistry } from '#base/metrics.ts';
import type { Informer } from '#client/client.ts';
import { Elements } from '#netmodel/elements.ts';
import { TUNNEL_TABLE, tunnelElements, tunnelPortElement, tunnelTable } from '#netmodel/tunnel-rules.ts';
import type { Nft } from '../nftables/nft.ts';
import { TableSync } from '../nftables/table-sync.ts';
import { unlessAborted } from '../unless-aborted.ts';

export interface TunnelGuardDeps {
  readonly nodes: Informer<Node>;
  readonly nft: Nft;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
  readonly nodeName: string;
}

export class TunnelGuard {
  readonly name = 'tunnel-guard';
  readonly #deps: TunnelGuardDeps;
  readonly #elements = new Elements(TUNNEL_TABLE);
  readonly #sync: TableSync;
  #unsubscribe: (() => void) | undefined;

  constructor(deps: TunnelGuardDeps) {
    this.#deps = deps;
    this.#sync = new TableSync({ ...deps, elements: this.#elements, table: tunnelTable, prepare: () => {} });
  }

  async start(signal: AbortSignal): Promise<void> {
    const { nodes, nodeName } = this.#deps;
    await unlessAborted(nodes.whenSynced(), signal);
    this.#elements.replace('port', [tunnelPortElement]);
    this.#unsubscribe = nodes.subscribe(({ key, object }) => {
      if (key === nodeName) return;
      this.#elements.replace(`node ${key}`, tunnelElements(object));
      if (this.#elements.pending) this.#sync.poke();
    });
    await this.#sync.start(signal);
  }

  /** The rules stay in the kernel: traffic goes on while the agent is away. */
  async stop(): Promise<void> {
    this.#unsubscribe?.();
    this.#sync.stop();
  }
}
