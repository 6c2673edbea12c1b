// NodeSight through the kubeconfig: facts of Coracle's nodes by nodes/proxy; on other clusters it says that it cannot, and why.
import type { Client } from '#client/client.ts';
import type { Cannot } from '../probe/result.ts';
import { askNode } from './ask.ts';
import type { FactsRequest, NodeFacts, NodeSight } from './facts.ts';
import { factsQuery } from './facts-handler.ts';

export class ProxiedNodeSight implements NodeSight {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  facts(node: string, request: FactsRequest, signal: AbortSignal): Promise<NodeFacts | Cannot> {
    return askNode<NodeFacts>(this.#client, node, 'GET', factsQuery(request), signal);
  }
}

/** For tests of what is left when nodes cannot be asked: a foreign cluster. */
export const hiddenNodes: NodeSight = {
  facts: async (node) => ({ cannot: `node ${node} is not one of Coracle’s nodes` }),
};
