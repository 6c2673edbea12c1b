// A question and what is needed to answer it.
import type { Clock } from '#base/clock.ts';
import type { Client } from '#client/client.ts';
import type { Facts, Forward } from './facts.ts';
import type { Located } from './locate.ts';
import type { NodeSight } from './node/facts.ts';
import type { Cannot, Prober } from './probe/result.ts';
import type { Report } from './report.ts';
import type { Source, Target } from './target.ts';

export interface AskDeps {
  readonly client: Client;
  readonly sight: NodeSight;
  readonly prober: Prober;
  readonly clock: Clock;
  /** Port-forwards of this machine. */
  readonly forwards: () => readonly Forward[];
  /** A command in a container, its output; for what only the server's own files say. */
  readonly exec?: (
    pod: { readonly namespace: string; readonly name: string; readonly container: string },
    command: readonly string[],
    signal: AbortSignal,
  ) => Promise<string | Cannot>;
}

export interface Question {
  readonly target: Target;
  readonly source: Source;
  /** Default of names without one. */
  readonly namespace: string;
  readonly probes: boolean;
  readonly domain?: string;
  /** Contents of the authority's file that the target names. */
  readonly ca?: string;
}

export interface Answer {
  readonly report: Report;
  readonly facts: Facts;
  readonly located: Located;
}
