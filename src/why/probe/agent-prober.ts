// Probes from Coracle's own nodes and pods: asked of the node's agent through the API server (nodes/proxy).
import type { Client } from '#client/client.ts';
import { askNode } from '../node/ask.ts';
import type { Cannot, Prober, ProbeRequest, ProbeResult, Vantage } from './result.ts';

export const PROBE_PATH = '/coracle/v1/probe';

/** What the agent is sent. */
export interface AgentProbe {
  readonly from: Exclude<Vantage, { readonly at: 'laptop' }>;
  readonly request: ProbeRequest;
}

export class AgentProber implements Prober {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  async probe(from: Vantage, request: ProbeRequest, signal: AbortSignal): Promise<ProbeResult | Cannot> {
    if (from.at === 'laptop') return { cannot: 'a node’s agent cannot probe from the laptop' };
    const body: AgentProbe = { from, request };
    return askNode<ProbeResult>(this.#client, from.node, 'POST', PROBE_PATH, signal, body);
  }
}
