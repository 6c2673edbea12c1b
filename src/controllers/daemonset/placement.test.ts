import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PodSpec, Taint } from '#generated/api/core-v1.ts';
import { makeDaemonSet, makeNode } from '../runtime/builders.ts';
import { daemonTolerations, makeDaemonPod, placementOn, targetNodeOf } from './placement.ts';

const containers = [{ name: 'web', image: 'web:1' }];
const withSpec = (spec: Partial<PodSpec>) =>
  makeDaemonSet({ template: { metadata: { labels: { app: 'web' } }, spec: { containers, ...spec } } });
const taint = (key: string, effect: string): Taint => ({ key, effect });
const affinity = {
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [{ matchExpressions: [{ key: 'disk', operator: 'In', values: ['ssd'] }] }],
    },
  },
};

describe('placementOn', () => {
  for (const [condition, spec, node, shouldRun, mayStay] of [
    ['nothing speaks against it', {}, makeNode('a'), true, true],
    ['another node is named', { nodeName: 'b' }, makeNode('a'), false, false],
    ['the node lacks a label', { nodeSelector: { disk: 'ssd' } }, makeNode('a'), false, false],
    [
      'the node has the label',
      { nodeSelector: { disk: 'ssd' } },
      makeNode('a', { labels: { disk: 'ssd' } }),
      true,
      true,
    ],
    ['node affinity does not match', { affinity }, makeNode('a'), false, false],
    [
      'it is not ready',
      {},
      makeNode('a', { taints: [taint('node.kubernetes.io/not-ready', 'NoExecute')] }),
      true,
      true,
    ],
    [
      'it is cordoned',
      {},
      makeNode('a', { taints: [taint('node.kubernetes.io/unschedulable', 'NoSchedule')] }),
      true,
      true,
    ],
    ['a taint keeps new pods away', {}, makeNode('a', { taints: [taint('k', 'NoSchedule')] }), false, true],
    ['a taint drives pods out', {}, makeNode('a', { taints: [taint('k', 'NoExecute')] }), false, false],
    ['a taint only prefers others', {}, makeNode('a', { taints: [taint('k', 'PreferNoSchedule')] }), true, true],
    [
      'the network is missing',
      {},
      makeNode('a', { taints: [taint('node.kubernetes.io/network-unavailable', 'NoSchedule')] }),
      false,
      true,
    ],
    [
      'the network is missing and not needed',
      { hostNetwork: true },
      makeNode('a', { taints: [taint('node.kubernetes.io/network-unavailable', 'NoSchedule')] }),
      true,
      true,
    ],
  ] as const) {
    it(`answers ${shouldRun}, ${mayStay} when ${condition}`, () => {
      assert.deepEqual(placementOn(withSpec(spec), node), { shouldRun, mayStay });
    });
  }
});

describe('daemonTolerations', () => {
  it('outlasts a toleration of the template that would end', () => {
    const own = { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 5 };
    const result = daemonTolerations({ containers, tolerations: [{ operator: 'Exists' }, own] });
    assert.deepEqual(result[0], { operator: 'Exists' });
    assert.deepEqual(
      result.filter((t) => t.key === own.key),
      [{ key: own.key, operator: 'Exists', effect: 'NoExecute' }],
    );
    assert.equal(result.length, 7);
  });
});

describe('makeDaemonPod', () => {
  it("names the node in place of the set's own terms and keeps its preferences", () => {
    const preferred = [{ weight: 1, preference: { matchExpressions: [{ key: 'x', operator: 'Exists' }] } }];
    const set = withSpec({
      affinity: {
        nodeAffinity: { ...affinity.nodeAffinity, preferredDuringSchedulingIgnoredDuringExecution: preferred },
      },
    });
    const pod = makeDaemonPod(set, 'h', 'n1');
    assert.equal(targetNodeOf(pod), 'n1');
    assert.deepEqual(pod.spec!.affinity!.nodeAffinity!.preferredDuringSchedulingIgnoredDuringExecution, preferred);
  });
});
