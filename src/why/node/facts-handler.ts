// A node's facts as an endpoint of the kubelet's port: GET, so that whoever may `get nodes/proxy` may ask.
import { StatusError } from '#machinery/status.ts';
import { type CollectDeps, collectFacts } from './collect.ts';
import type { FactsRequest, NodeFacts } from './facts.ts';

export const FACTS_PATH = '/coracle/v1/facts';

/** `?pod=NAMESPACE/NAME&service=ADDRESS:PORT/PROTOCOL`, each as often as needed. */
export function factsQuery({ pods, services }: FactsRequest): string {
  const query = new URLSearchParams();
  for (const { namespace, name } of pods) query.append('pod', `${namespace}/${name}`);
  for (const service of services) query.append('service', service);
  const text = query.toString();
  return text === '' ? FACTS_PATH : `${FACTS_PATH}?${text}`;
}

export function parseFactsQuery(query: URLSearchParams): FactsRequest {
  const pods = query.getAll('pod').map((text) => {
    const [namespace, name] = text.split('/');
    if (namespace === undefined || name === undefined)
      throw StatusError.badRequest(`pod ${JSON.stringify(text)} is not NAMESPACE/NAME`);
    return { namespace, name };
  });
  return { pods, services: query.getAll('service') };
}

/** `undefined`: a hollow node, which has no kernel network. */
export function factsHandler(deps: CollectDeps | undefined) {
  return {
    method: 'GET' as const,
    path: FACTS_PATH,
    async handle(query: URLSearchParams, _body: Uint8Array, signal: AbortSignal): Promise<NodeFacts> {
      if (deps === undefined)
        throw StatusError.badRequest('this node is hollow: it has no kernel network to look into');
      return collectFacts(parseFactsQuery(query), deps, signal);
    },
  };
}
