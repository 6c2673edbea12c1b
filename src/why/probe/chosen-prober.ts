// The best way to probe from each place: the laptop itself, a node's agent where the cluster is Coracle's, exec elsewhere.
import { isCannot } from '../node/ask.ts';
import type { Cannot, Prober, ProbeRequest, ProbeResult, Vantage } from './result.ts';

export interface Probers {
  readonly laptop: Prober;
  /** Absent when nodes are hidden, as on a foreign cluster. */
  readonly agent?: Prober;
  readonly exec: Prober;
}

export class ChosenProber implements Prober {
  readonly #probers: Probers;
  /** Nodes that are not Coracle's, or may not be asked; asked once. */
  readonly #foreign = new Map<string, Cannot>();

  constructor(probers: Probers) {
    this.#probers = probers;
  }

  async probe(from: Vantage, request: ProbeRequest, signal: AbortSignal): Promise<ProbeResult | Cannot> {
    const { laptop, agent, exec } = this.#probers;
    if (from.at === 'laptop') return laptop.probe(from, request, signal);
    let cannot = this.#foreign.get(from.node);
    if (cannot === undefined && agent !== undefined) {
      const result = await agent.probe(from, request, signal);
      if (!isCannot(result)) return result;
      cannot = result;
      if (result.permission !== undefined || result.cannot.includes('not one of Coracle'))
        this.#foreign.set(from.node, result);
    }
    const other = await exec.probe(from, request, signal);
    // Of two reasons the one that can be mended is told: a missing right before a missing tool.
    return isCannot(other) && other.permission === undefined && cannot !== undefined && from.at === 'node'
      ? cannot
      : other;
  }
}
