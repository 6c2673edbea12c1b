import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NetworkPolicySpec } from '#generated/api/networking-v1.ts';
import { decide, peerOfPod } from './policy-decision.ts';
import { makeClient, makeFacts, makeNamespace, makePod, makePolicy } from './testing.ts';

const pod = makePod();
const client = makeClient();
const isolate = (ingress: NetworkPolicySpec['ingress'], name = 'policy') =>
  makePolicy(
    'db',
    {
      podSelector: { matchLabels: { app: 'postgres' } },
      policyTypes: ['Ingress'],
      ...(ingress === undefined ? {} : { ingress }),
    },
    name,
  );
const asked = (policies: ReturnType<typeof makePolicy>[], port = 5432) =>
  decide(makeFacts({ policies }), 'ingress', pod, peerOfPod(client), port, 'tcp');

describe('decide', () => {
  it('lets through where no policy selects the pod', () => {
    assert.deepEqual(asked([]).policies, []);
    assert.equal(asked([]).allowed, true);
  });

  it('names the rule that lets it through, of whichever policy', () => {
    const decision = asked([isolate([]), isolate([{}, { ports: [{ port: 1 }] }], 'open')]);
    assert.equal(`${decision.by?.policy.metadata.name} ${decision.by?.field}`, 'open spec.ingress[0]');
    assert.equal(decision.policies.length, 2);
  });

  it('names the rule that comes nearest, and the half of it that does not fit', () => {
    const api = { namespaceSelector: {}, podSelector: { matchLabels: { app: 'api' } } };
    const otherPort = asked([isolate([{ from: [{ podSelector: {} }] }, { from: [api], ports: [{ port: 5433 }] }])]);
    assert.equal(otherPort.nearest?.field, 'spec.ingress[1].ports');
    assert.match(otherPort.nearest.why, /on TCP 5433 only/);
    const otherPeer = asked([
      isolate([{ from: [{ podSelector: { matchLabels: { app: 'web' } } }], ports: [{ port: 5432 }] }]),
    ]);
    assert.equal(otherPeer.nearest?.field, 'spec.ingress[0].from');
    assert.match(otherPeer.nearest.why, /pods app=web of this namespace only/);
  });

  it('says of a policy without rules that it allows nothing', () => {
    const { nearest, evidence } = asked([isolate(undefined)]);
    assert.equal(nearest, undefined);
    assert.match(evidence[0]!.text, /allows nothing/);
  });

  it('takes a named port as the server’s own', () => {
    assert.equal(asked([isolate([{ ports: [{ port: 'pg' }] }])]).allowed, true);
    assert.equal(asked([isolate([{ ports: [{ port: 'pg' }] }])], 5433).allowed, false);
  });

  it('goes by the labels that the namespace really has', () => {
    const from = [{ namespaceSelector: { matchLabels: { team: 'a' } } }];
    const named = { ...makeNamespace('app'), metadata: { name: 'app', labels: { team: 'a' } } };
    assert.equal(asked([isolate([{ from }])]).allowed, false);
    const facts = makeFacts({ policies: [isolate([{ from }])], namespaces: [named] });
    assert.equal(decide(facts, 'ingress', pod, peerOfPod(client), 5432, 'tcp').allowed, true);
  });

  it('never keeps a pod from itself', () =>
    assert.equal(
      decide(makeFacts({ policies: [isolate([])] }), 'ingress', pod, peerOfPod(pod), 5432, 'tcp').allowed,
      true,
    ));

  it('takes a pod on the host’s network for its node’s address', () => {
    const onHost = makeClient({ spec: { hostNetwork: true }, ip: '192.168.10.11' });
    assert.deepEqual(peerOfPod(onHost), { pod: undefined, ip: '192.168.10.11' });
  });
});
