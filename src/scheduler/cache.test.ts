import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ASSUMED_TTL_MS, SchedulerCache, interleaveByZone } from './cache.ts';
import { makeNodeInfo } from './node-info.ts';
import { makePodInfo } from './pod-info.ts';
import { makeNode, makePod } from './testing.ts';

const cpuOn = (cache: SchedulerCache, node: string) => cache.snapshot().get(node)?.requested.cpuMillis;

describe('SchedulerCache', () => {
  it("counts pods that arrive before their node, and keeps them over the node's return", () => {
    const cache = new SchedulerCache();
    cache.setPod(makePod({ name: 'p', nodeName: 'a', cpu: '1' }));
    cache.setNode(makeNode({ name: 'a' }));
    assert.equal(cpuOn(cache, 'a'), 1_000);
    cache.removeNode('a');
    assert.equal(cache.snapshot().nodes.length, 0);
    cache.setNode(makeNode({ name: 'a' }));
    assert.equal(cpuOn(cache, 'a'), 1_000);
    cache.removePod('default/p');
    assert.equal(cpuOn(cache, 'a'), 0);
  });

  it('believes an assumed pod until the watch confirms, moves or never mentions it', () => {
    const cache = new SchedulerCache();
    for (const name of ['a', 'b']) cache.setNode(makeNode({ name }));
    const pod = makePodInfo(makePod({ name: 'p', cpu: '1' }));
    cache.assume(pod, 'a');
    assert.throws(() => cache.assume(pod, 'a'), /placed already/);
    assert.deepEqual(cache.expire(1e12), []);
    cache.bound('default/p', 0);
    cache.setPod(makePod({ name: 'p', cpu: '1', nodeName: 'b' }));
    assert.deepEqual([cpuOn(cache, 'a'), cpuOn(cache, 'b')], [0, 1_000]);
    assert.deepEqual(cache.expire(1e12), []);

    cache.assume(makePodInfo(makePod({ name: 'lost', cpu: '1' })), 'a');
    cache.bound('default/lost', 0);
    assert.deepEqual(cache.expire(ASSUMED_TTL_MS - 1), []);
    assert.deepEqual(cache.expire(ASSUMED_TTL_MS), ['default/lost']);
    assert.equal(cpuOn(cache, 'a'), 0);
  });

  it('makes new only the nodes that changed', () => {
    const cache = new SchedulerCache();
    for (let i = 0; i < 10; i++) cache.setNode(makeNode({ name: `n${i}` }));
    const before = [...cache.snapshot().nodes];
    cache.assume(makePodInfo(makePod()), 'n3');
    const after = cache.snapshot().nodes;
    assert.deepEqual(after.map((n, i) => n === before[i]).filter((same) => !same).length, 1);
  });

  it('knows on how many nodes an image is', () => {
    const cache = new SchedulerCache();
    cache.setNode(makeNode({ name: 'a', images: { x: 1, y: 1 } }));
    cache.setNode(makeNode({ name: 'b', images: { x: 1 } }));
    assert.equal(cache.snapshot().imageNodes('x'), 2);
    cache.setNode(makeNode({ name: 'b' }));
    cache.removeNode('a');
    assert.equal(cache.snapshot().imageNodes('x'), 0);
  });
});

describe('interleaveByZone', () => {
  it('takes one node of each zone in turn', () => {
    const node = (name: string, zone: string) =>
      makeNodeInfo(makeNode({ name, labels: { 'topology.kubernetes.io/zone': zone } }));
    const order = interleaveByZone([node('a1', 'a'), node('a2', 'a'), node('a3', 'a'), node('b1', 'b')]).map(
      (n) => n.name,
    );
    assert.deepEqual(order, ['a1', 'b1', 'a2', 'a3']);
  });
});
