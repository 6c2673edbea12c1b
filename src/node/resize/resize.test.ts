import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Container, Pod, ResourceRequirements } from '#generated/api/core-v1.ts';
import { needsRestart, refuseResize, resizeEvent, sameAmounts, shortage, withResources } from './resize.ts';

const NODE = { cpuMillis: 4000, memoryBytes: 4 << 30, pods: 10 };
const asking = (cpu: string, memory = '0'): Pod =>
  ({
    metadata: { name: 'p', uid: 'u', generation: 3 },
    spec: { containers: [{ name: 'c', image: 'i', resources: { requests: { cpu, memory } } }] },
  }) as Pod;

describe('refuseResize', () => {
  it('gives what fits beside the others', () =>
    assert.equal(refuseResize(asking('3'), [asking('500m'), asking('500m')], NODE), undefined));

  it('defers what would fit without the others, in upstream’s words', () =>
    assert.deepEqual(refuseResize(asking('3001m'), [asking('1')], NODE), {
      reason: 'Deferred',
      message: "Node didn't have enough resource: cpu, requested: 3001, used: 1000, capacity: 4000",
    }));

  it('calls infeasible what the node never has', () => {
    assert.deepEqual(refuseResize(asking('5'), [], NODE), {
      reason: 'Infeasible',
      message: "Node didn't have enough capacity: cpu, requested: 5000, capacity: 4000",
    });
    assert.match(refuseResize(asking('1', '5Gi'), [], NODE)!.message, /capacity: memory, requested: 5368709120, /);
  });
});

describe('shortage', () => {
  it('is none for what asks for nothing, even on a full node', () =>
    assert.equal(shortage(asking('0'), [asking('9')], NODE), undefined));
  it('counts pods', () =>
    assert.deepEqual(
      shortage(
        asking('0'),
        Array.from({ length: 10 }, () => asking('0')),
        NODE,
      ),
      {
        resource: 'pods',
        requested: 1,
        used: 10,
        capacity: 10,
      },
    ));
});

describe('sameAmounts', () => {
  it('compares amounts, not their text, and only what can be resized', () => {
    const of = (cpu: string, disk: string): ResourceRequirements => ({
      requests: { cpu, 'ephemeral-storage': disk },
    });
    assert.equal(sameAmounts(of('1', '1Gi'), of('1000m', '2Gi')), true);
    assert.equal(sameAmounts(of('1', '1Gi'), of('1001m', '1Gi')), false);
    assert.equal(sameAmounts({}, of('1', '1Gi')), false);
  });
});

describe('needsRestart', () => {
  const container = { name: 'c', resizePolicy: [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }] };
  const needs = (from: ResourceRequirements, to: ResourceRequirements) =>
    needsRestart(container as unknown as Container, from, to);

  it('is for the resource whose policy says so', () => {
    assert.equal(needs({ requests: { cpu: '1' } }, { requests: { cpu: '2' } }), false);
    assert.equal(needs({ limits: { memory: '1Gi' } }, { limits: { memory: '2Gi' } }), true);
    assert.equal(needs({ limits: { memory: '1Gi' } }, { limits: { memory: '1024Mi' } }), false);
  });
});

describe('withResources', () => {
  it('is the pod itself while nothing differs', () => {
    const pod = asking('1');
    assert.equal(withResources(pod, { c: { requests: { cpu: '1000m', memory: '0' } } }), pod);
    assert.equal(
      withResources(pod, { c: { requests: { cpu: '2' } } }).spec!.containers[0]!.resources!.requests!.cpu,
      '2',
    );
  });
});

describe('resizeEvent', () => {
  it('has the containers’ resources and the generation', () =>
    assert.equal(
      resizeEvent(asking('1', '1Gi'), 'error', 'no'),
      'Pod resize error: {"containers":[{"name":"c","resources":{"requests":{"cpu":"1","memory":"1Gi"}}}],"generation":3,"error":"no"}',
    ));
});
