import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ContainerPort, Pod } from '#generated/api/core-v1.ts';
import { refuseUnfit } from './node-fit.ts';

const NODE = { cpuMillis: 1000, memoryBytes: 1 << 30, pods: 3 };
const makePod = (ports: readonly Partial<ContainerPort>[], cpu = '0', sidecarPort?: number): Pod =>
  ({
    metadata: { name: 'p' },
    spec: {
      containers: [{ name: 'c', image: 'i', ports, resources: { requests: { cpu } } }],
      ...(sidecarPort === undefined
        ? {}
        : { initContainers: [{ name: 's', restartPolicy: 'Always', ports: [{ hostPort: sidecarPort }] }] }),
    },
  }) as Pod;

describe('refuseUnfit', () => {
  const TAKEN = {
    reason: 'NodePorts',
    message: "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
  };
  for (const [condition, held, wanted, refusal] of [
    ['the same port', { hostPort: 80 }, { hostPort: 80 }, TAKEN],
    ['another port', { hostPort: 80 }, { hostPort: 81 }, undefined],
    ['another protocol', { hostPort: 53 }, { hostPort: 53, protocol: 'UDP' }, undefined],
    ['another address', { hostPort: 80, hostIP: '10.0.0.1' }, { hostPort: 80, hostIP: '10.0.0.2' }, undefined],
    ['any address', { hostPort: 80, hostIP: '0.0.0.0' }, { hostPort: 80, hostIP: '10.0.0.2' }, TAKEN],
    ['no host port', { containerPort: 80 }, { containerPort: 80 }, undefined],
  ] as const)
    it(`${refusal === undefined ? 'takes' : 'refuses'} a pod beside one with ${condition}`, () =>
      assert.deepEqual(refuseUnfit(makePod([wanted]), [makePod([held])], NODE), refusal));

  it('counts ports of sidecars', () =>
    assert.deepEqual(refuseUnfit(makePod([], '0', 80), [makePod([{ hostPort: 80 }])], NODE), TAKEN));

  it('names the resource that is short', () => {
    assert.deepEqual(refuseUnfit(makePod([], '600m'), [makePod([], '500m')], NODE), {
      reason: 'OutOfcpu',
      message: "Node didn't have enough resource: cpu, requested: 600, used: 500, capacity: 1000",
    });
    assert.equal(refuseUnfit(makePod([]), [makePod([]), makePod([]), makePod([])], NODE)?.reason, 'OutOfpods');
  });
});
