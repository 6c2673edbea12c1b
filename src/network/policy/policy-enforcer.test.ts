import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod } from '#generated/api/core-v1.ts';
import type { LocalPod } from '#netmodel/node-network.ts';
import { namespaces, networkpolicies, pods } from '#generated/resources.ts';
import { walk } from '#netmodel/packet.ts';
import { type FakeNode, makeFakeNode } from '../testing.ts';
import { policyPodOf } from './policy-enforcer.ts';

const signal = new AbortController().signal;
const denyAll = {
  ref: networkpolicies,
  object: {
    metadata: { namespace: 'db', name: 'deny' },
    spec: { podSelector: { matchLabels: { app: 'postgres' } }, policyTypes: ['Ingress'] },
  },
};
const db = { ref: namespaces, object: { metadata: { name: 'db', labels: { name: 'db' } } } };
const makeLocal = (parts: Partial<LocalPod> = {}): LocalPod => ({
  uid: 'u1',
  namespace: 'db',
  name: 'postgres-0',
  labels: { app: 'postgres' },
  ips: ['10.244.1.6'],
  hostPorts: [],
  netnsPath: undefined,
  ...parts,
});
const makePod = (
  parts: { uid?: string; labels?: Record<string, string>; ip?: string; phase?: string; spec?: object } = {},
): Pod => ({
  metadata: {
    namespace: 'db',
    name: 'postgres-0',
    uid: parts.uid ?? 'u1',
    labels: parts.labels ?? { app: 'postgres' },
  },
  spec: { nodeName: 'one', containers: [{ name: 'c', ports: [{ name: 'pg', containerPort: 5432 }] }], ...parts.spec },
  status: { phase: parts.phase ?? 'Running', podIPs: [{ ip: parts.ip ?? '10.244.1.6' }] },
});

const verdict = (node: FakeNode, dst = '10.244.1.6') =>
  walk(node.view(), { src: '10.244.2.9', dst, protocol: 'tcp', dport: 5432 }, { from: 'wire' }).verdict;

async function announce(node: FakeNode, pod: LocalPod): Promise<void> {
  const inForce = node.policy.inForce(pod, signal);
  await node.pass();
  await inForce;
}

describe('PolicyEnforcer', () => {
  it('resolves inForce only when the kernel has the policies of a pod that the API does not show yet', async () => {
    const node = await makeFakeNode([db, denyAll]);
    assert.equal(verdict(node), 'sent');
    let resolved = false;
    const inForce = node.policy.inForce(makeLocal(), signal).then(() => (resolved = true));
    await Promise.resolve();
    assert.equal(resolved, false);
    await node.pass();
    await inForce;
    assert.equal(verdict(node), 'dropped');
  });

  it('does not resolve while the kernel refuses, and does once it takes the rules', async () => {
    const node = await makeFakeNode([db, denyAll]);
    node.nft.failNext = new Error('busy');
    let resolved = false;
    const inForce = node.policy.inForce(makeLocal(), signal).then(() => (resolved = true));
    await node.pass();
    assert.equal(resolved, false);
    await node.clock.step(1000);
    await inForce;
    assert.equal(verdict(node), 'dropped');
  });

  it('rejects when its caller gives up', async () => {
    const node = await makeFakeNode([db, denyAll]);
    const gone = new AbortController();
    const inForce = node.policy.inForce(makeLocal(), gone.signal);
    gone.abort(new Error('pod deleted'));
    await assert.rejects(inForce, /pod deleted/);
  });

  it('knows local pods from the API alone after a restart', async () => {
    const node = await makeFakeNode([db, denyAll, { ref: pods, object: makePod() }]);
    assert.equal(verdict(node), 'dropped');
  });

  it('follows the labels the API shows for the announced pod, not those of an earlier pod of that name', async () => {
    const node = await makeFakeNode([
      db,
      denyAll,
      { ref: pods, object: makePod({ uid: 'old', labels: {}, ip: '10.244.1.5' }) },
    ]);
    await announce(node, makeLocal());
    assert.equal(verdict(node), 'dropped');
    node.put(pods, makePod({ labels: {} }));
    await node.pass();
    assert.equal(verdict(node), 'sent');
  });

  it('frees the address when the pod is gone', async () => {
    const node = await makeFakeNode([db, denyAll]);
    await announce(node, makeLocal());
    node.policy.podGone('u1');
    await node.pass();
    assert.equal(verdict(node), 'sent');
  });

  it('puts new policies in force for running pods', async () => {
    const node = await makeFakeNode([db, { ref: pods, object: makePod() }]);
    assert.equal(verdict(node), 'sent');
    node.put(denyAll.ref, denyAll.object);
    await node.pass();
    assert.equal(verdict(node), 'dropped');
  });
});

describe('policyPodOf', () => {
  const unseen: readonly [string, Pod][] = [
    ['on the host network', makePod({ spec: { hostNetwork: true } })],
    ['finished', makePod({ phase: 'Succeeded' })],
    ['without address', { ...makePod(), status: { phase: 'Pending' } }],
  ];
  for (const [name, pod] of unseen) it(`does not see pods ${name}`, () => assert.equal(policyPodOf(pod), undefined));

  it('reads the named ports', () =>
    assert.deepEqual(policyPodOf(makePod())!.namedPorts, [{ name: 'pg', protocol: 'tcp', port: 5432 }]));
});
