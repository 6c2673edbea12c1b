import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod, ResourceRequirements } from '#generated/api/core-v1.ts';
import { containerResources, oomScoreAdj, podCgroup, podCgroupResources, qosClassOf, sharesOf } from './resources.ts';

const MIB = 1024 ** 2;
const podOf = (
  containers: readonly ResourceRequirements[],
  initContainers: readonly object[] = [],
  spec: object = {},
) =>
  ({
    metadata: { name: 'p', namespace: 'default', uid: 'u' },
    spec: {
      containers: containers.map((resources, i) => ({ name: `c${i}`, resources })),
      initContainers: initContainers.map((c, i) => ({ name: `i${i}`, ...c })),
      ...spec,
    },
  }) as unknown as Pod;
const full = { cpu: '500m', memory: '64Mi' };

describe('QoS', () => {
  for (const [expected, path, pod] of [
    ['Guaranteed', '/node/kubepods/podu', podOf([{ limits: full }, { limits: full, requests: full }])],
    ['Burstable', '/node/kubepods/burstable/podu', podOf([{ limits: full }, {}])],
    ['Burstable', '/node/kubepods/burstable/podu', podOf([{ limits: full, requests: { cpu: '1m', memory: '64Mi' } }])],
    ['Burstable', '/node/kubepods/burstable/podu', podOf([{ requests: { memory: '1Mi' } }])],
    ['BestEffort', '/node/kubepods/besteffort/podu', podOf([{}])],
    ['BestEffort', '/node/kubepods/besteffort/podu', podOf([{ requests: { cpu: '0' } }])],
  ] as const)
    it(`is ${expected} with ${JSON.stringify(pod.spec!.containers.map((c) => c.resources))}, and so is the control group`, () => {
      assert.equal(qosClassOf(pod), expected);
      assert.equal(podCgroup('/node', pod), path);
    });

  it('decides who is killed first when memory runs out', () => {
    const score = (pod: Pod) => oomScoreAdj(pod, 256 * MIB, 1024 * MIB);
    assert.equal(score(podOf([{ limits: full }])), -997);
    assert.equal(score(podOf([{}])), 1000);
    assert.equal(score(podOf([{ requests: { memory: '256Mi' } }])), 750);
    assert.equal(score(podOf([{}], [], { priority: 2_000_001_000 })), -997);
  });
});

describe('requests and limits', () => {
  it('become shares, quota and the memory limit of a container', () => {
    const pod = podOf([{ requests: { cpu: '250m', memory: '32Mi' }, limits: { cpu: '2', memory: '64Mi' } }]);
    const { cpuShares, cpuPeriod, cpuQuota, memoryLimitInBytes } = containerResources(
      pod,
      pod.spec!.containers[0]!,
      1024 * MIB,
    );
    assert.deepEqual([cpuShares, cpuPeriod, cpuQuota, memoryLimitInBytes], [256, 100_000, 200_000, 64 * MIB]);
  });

  it('are within what the kernel takes', () => {
    assert.deepEqual([sharesOf(0), sharesOf(1_000_000)], [2, 262_144]);
    const pod = podOf([{ limits: { cpu: '1m' } }]);
    assert.equal(containerResources(pod, pod.spec!.containers[0]!, MIB).cpuQuota, 1000);
  });

  it('of a pod are those of its containers and sidecars together, or of a larger init container', () => {
    assert.deepEqual(podCgroupResources(podOf([{ limits: full }, { limits: full }])), {
      cpuShares: 1024,
      cpuQuota: 100_000,
      memoryLimitBytes: 128 * MIB,
    });
    const sidecar = { restartPolicy: 'Always', resources: { limits: full } };
    assert.equal(podCgroupResources(podOf([{ limits: full }], [sidecar])).memoryLimitBytes, 128 * MIB);
    const large = { resources: { limits: { cpu: '4', memory: '1Gi' } } };
    assert.equal(podCgroupResources(podOf([{ limits: full }], [large])).memoryLimitBytes, 1024 * MIB);
  });

  it('leave the pod without a limit when one container has none', () => {
    assert.deepEqual(podCgroupResources(podOf([{ limits: full }, {}])), { cpuShares: 512 });
  });
});
