import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Client } from '#client/client.ts';
import { ChosenProber } from '../probe/chosen-prober.ts';
import type { Cannot, Prober, ProbeResult, Vantage } from '../probe/result.ts';
import { askNode } from './ask.ts';
import { factsQuery, parseFactsQuery } from './facts-handler.ts';

const signal = new AbortController().signal;
const answering = (status: number, body: string): Client =>
  ({ raw: async () => ({ status, headers: {}, body: Buffer.from(body) }) }) as unknown as Client;
const status = (code: number, message: string) => JSON.stringify({ kind: 'Status', status: 'Failure', code, message });

describe('askNode', () => {
  for (const [what, code, body, cannot] of [
    ['a kubelet of somebody else', 404, '404 page not found\n', 'node n is not one of Coracle’s nodes'],
    [
      'the same through the API server',
      404,
      status(404, 'the server could not find the requested resource: 404 page not found'),
      'node n is not one of Coracle’s nodes',
    ],
    ['a kubelet that takes no POST there', 405, 'Method Not Allowed', 'node n is not one of Coracle’s nodes'],
    ['a page of a proxy', 200, '<html>', 'node n is not one of Coracle’s nodes'],
    ['a pod that is gone', 404, status(404, 'pods "a" not found'), 'node n: pods "a" not found'],
    ['a node that is down', 503, status(503, 'error trying to reach service'), 'node n: error trying to reach service'],
    [
      'a hollow node',
      400,
      'this node is hollow: it has no kernel network',
      'node n: this node is hollow: it has no kernel network',
    ],
  ] as const)
    it(`understands ${what}`, async () =>
      assert.deepEqual(await askNode(answering(code, body), 'n', 'POST', '/x', signal, {}), { cannot }));

  it('names the permission by the verb', async () => {
    const forbidden = answering(403, status(403, 'nodes "n" is forbidden'));
    for (const [method, permission] of [
      ['GET', 'get nodes/proxy'],
      ['POST', 'create nodes/proxy'],
    ] as const)
      assert.deepEqual(await askNode(forbidden, 'n', method, '/x', signal), {
        cannot: `the permission to ${permission} is missing`,
        permission,
      });
  });

  it('hands out what the node says', async () =>
    assert.deepEqual(await askNode(answering(200, '{"ms":1}'), 'n', 'GET', '/x', signal), { ms: 1 }));
});

describe('factsQuery', () => {
  it('is read as it was written', () => {
    const request = { pods: [{ namespace: 'db', name: 'pg-0' }], services: ['10.96.0.1:443/tcp', '[fd00::1]:53/udp'] };
    assert.deepEqual(parseFactsQuery(new URL(factsQuery(request), 'http://node').searchParams), request);
  });
});

describe('ChosenProber', () => {
  const result: ProbeResult = { connects: [], ms: 1 };
  const prober = (answer: ProbeResult | Cannot) => {
    const asked: Vantage[] = [];
    const of: Prober = { probe: async (from) => (asked.push(from), answer) };
    return { of, asked };
  };
  const pod: Vantage = { at: 'pod', node: 'n', namespace: 'db', pod: 'p', uid: 'u' };
  const request = { host: 'h', port: 1, protocol: 'tcp', timeoutMs: 1 } as const;

  it('asks agents where nodes are Coracle’s', async () => {
    const [agent, exec] = [prober(result), prober(result)];
    await new ChosenProber({ laptop: prober(result).of, agent: agent.of, exec: exec.of }).probe(pod, request, signal);
    assert.deepEqual([agent.asked.length, exec.asked.length], [1, 0]);
  });

  it('goes over to exec where they are not, and remembers', async () => {
    const [agent, exec] = [prober({ cannot: 'node n is not one of Coracle’s nodes' }), prober(result)];
    const chosen = new ChosenProber({ laptop: prober(result).of, agent: agent.of, exec: exec.of });
    for (let i = 0; i < 3; i++) assert.deepEqual(await chosen.probe(pod, request, signal), result);
    assert.deepEqual([agent.asked.length, exec.asked.length], [1, 3]);
  });

  it('asks an agent again that failed once', async () => {
    const agent = prober({ cannot: 'node n: pods "p" not found' });
    const chosen = new ChosenProber({ laptop: prober(result).of, agent: agent.of, exec: prober({ cannot: 'no' }).of });
    for (let i = 0; i < 2; i++) await chosen.probe(pod, request, signal);
    assert.equal(agent.asked.length, 2);
  });
});
