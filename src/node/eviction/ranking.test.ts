import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod, PodSpec } from '#generated/api/core-v1.ts';
import {
  brokenStorageLimit,
  evictionMessage,
  isCritical,
  type PodUsage,
  rankPods,
  refuseUnderPressure,
} from './ranking.ts';
import { type Observations, parseThresholds } from './thresholds.ts';

const MI = 1024 * 1024;

function makePod(name: string, spec: Partial<PodSpec> & { request?: Record<string, string> } = {}): Pod {
  const { request, ...rest } = spec;
  const resources = request === undefined ? {} : { resources: { requests: request } };
  return {
    metadata: { name, uid: name },
    spec: { containers: [{ name: 'c', image: 'i', ...resources }], ...rest },
  } as Pod;
}

const using = (memoryMi: number, diskMi = 0, volumes: Record<string, number> = {}): PodUsage => ({
  memoryBytes: memoryMi * MI,
  processes: 1,
  containers: [{ name: 'c', memoryBytes: memoryMi * MI, diskBytes: diskMi * MI, inodes: 1 }],
  volumes: new Map(Object.entries(volumes).map(([name, mi]) => [name, { bytes: mi * MI, inodes: 1 }])),
});

/** Names in the order in which they have to go. */
const order = (
  resource: 'memory' | 'ephemeral-storage' | 'pids',
  of: readonly (readonly [Pod, PodUsage | undefined])[],
) =>
  rankPods(
    of.map(([pod]) => pod),
    resource,
    (pod) => of.find(([p]) => p === pod)?.[1],
  ).map((p) => p.metadata.name);

describe('rankPods', () => {
  it('sends who uses more than it asked for before who does not, however much that is', () =>
    assert.deepEqual(
      order('memory', [
        [makePod('modest', { request: { memory: '900Mi' } }), using(800)],
        [makePod('greedy', { request: { memory: '10Mi' } }), using(20)],
      ]),
      ['greedy', 'modest'],
    ));

  it('sends the lower priority first among the greedy', () =>
    assert.deepEqual(
      order('memory', [
        [makePod('high', { priority: 1000 }), using(500)],
        [makePod('low', { priority: 1 }), using(20)],
      ]),
      ['low', 'high'],
    ));

  it('sends the greater excess first among equals', () =>
    assert.deepEqual(
      order('memory', [
        [makePod('a', { request: { memory: '300Mi' } }), using(350)],
        [makePod('b', { request: { memory: '100Mi' } }), using(200)],
      ]),
      ['b', 'a'],
    ));

  it('sends what nothing is known of before all others', () =>
    assert.deepEqual(
      order('memory', [
        [makePod('known'), using(900)],
        [makePod('unknown'), undefined],
      ]),
      ['unknown', 'known'],
    ));

  it('counts layers, logs and volumes for the disk', () =>
    assert.deepEqual(
      order('ephemeral-storage', [
        [makePod('layer'), using(0, 50)],
        [makePod('volume'), using(0, 10, { data: 60 })],
      ]),
      ['volume', 'layer'],
    ));

  it('looks at priority alone for processes', () =>
    assert.deepEqual(
      order('pids', [
        [makePod('high', { priority: 9 }), { ...using(0), processes: 500 }],
        [makePod('low', { priority: 1 }), using(0)],
      ]),
      ['low', 'high'],
    ));
});

describe('evictionMessage', () => {
  const due = parseThresholds({ hard: 'memory.available<100Mi,nodefs.available<10%' });
  const observations: Observations = new Map([
    ['memory.available', { available: 50 * MI + 1, capacity: 1000 * MI }],
    ['nodefs.available', { available: 64 * MI, capacity: 1000 * MI }],
  ]);

  it('is upstream’s, with the containers that use more than they asked for', () => {
    const pod = makePod('p', { request: { memory: '64Mi' } });
    assert.equal(
      evictionMessage('memory', pod, using(128), due, observations),
      'The node was low on resource: memory. Threshold quantity: 100Mi, available: 52428801. ' +
        'Container c was using 128Mi, request is 64Mi, has larger consumption of memory. ',
    );
    assert.equal(
      evictionMessage('memory', pod, using(32), due, observations),
      'The node was low on resource: memory. Threshold quantity: 100Mi, available: 52428801. ',
    );
  });

  it('writes a request that was not made as 0, and a share in numbers', () =>
    assert.equal(
      evictionMessage('ephemeral-storage', makePod('p'), using(0, 8), due, observations),
      'The node was low on resource: ephemeral-storage. Threshold quantity: 100Mi, available: 64Mi. ' +
        'Container c was using 8Mi, request is 0, has larger consumption of ephemeral-storage. ',
    ));
});

describe('brokenStorageLimit', () => {
  const limited = (limit: string, volumes: PodSpec['volumes'] = []) =>
    makePod('p', {
      containers: [{ name: 'c', image: 'i', resources: { limits: { 'ephemeral-storage': limit } } }],
      volumes,
    });
  const cache = makePod('p', { volumes: [{ name: 'cache', emptyDir: { sizeLimit: '10Mi' } }] });

  it('names the emptyDir', () => {
    assert.equal(brokenStorageLimit(cache, using(0, 0, { cache: 10 })), undefined);
    assert.equal(
      brokenStorageLimit(cache, using(0, 0, { cache: 11 })),
      'Usage of EmptyDir volume "cache" exceeds the limit "10Mi". ',
    );
  });

  it('counts everything of the pod against the sum of its limits', () =>
    assert.equal(
      brokenStorageLimit(limited('20Mi'), using(0, 15, { data: 6 })),
      'Pod ephemeral local storage usage exceeds the total limit of containers 20Mi. ',
    ));

  it('names the container', () => {
    const pod = limited('20Mi');
    const roomy = { name: 'd', image: 'i', resources: { limits: { 'ephemeral-storage': '1Gi' } } };
    const two = { ...pod, spec: { ...pod.spec!, containers: [...pod.spec!.containers, roomy] } };
    assert.equal(
      brokenStorageLimit(two, using(0, 21)),
      'Container c exceeded its local ephemeral storage limit "20Mi". ',
    );
    assert.equal(brokenStorageLimit(two, using(0, 20)), undefined);
  });
});

describe('isCritical', () => {
  for (const [condition, pod, critical] of [
    ['an ordinary one', makePod('p', { priority: 1_000_000_000 }), false],
    ['of a system’s priority', makePod('p', { priority: 2_000_000_000 }), true],
    ['a mirror', { ...makePod('p'), metadata: { annotations: { 'kubernetes.io/config.mirror': 'x' } } } as Pod, true],
    [
      'a static one',
      { ...makePod('p'), metadata: { annotations: { 'kubernetes.io/config.source': 'file' } } } as Pod,
      true,
    ],
    [
      'one of the API',
      { ...makePod('p'), metadata: { annotations: { 'kubernetes.io/config.source': 'api' } } } as Pod,
      false,
    ],
  ] as const)
    it(`${critical ? 'spares' : 'does not spare'} a pod: ${condition}`, () => assert.equal(isCritical(pod), critical));
});

describe('refuseUnderPressure', () => {
  const refuse = (pod: Pod, ...pressures: ('MemoryPressure' | 'DiskPressure')[]) =>
    refuseUnderPressure(pod, pressures)?.message;
  const asking = makePod('p', { request: { memory: '1Mi' } });
  const tolerant = makePod('p', {
    tolerations: [{ key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' }],
  });

  it('takes everything without pressure', () => assert.equal(refuse(makePod('p')), undefined));
  it('refuses only who asks for nothing while memory is short', () => {
    assert.equal(refuse(makePod('p'), 'MemoryPressure'), 'The node had condition: [MemoryPressure]. ');
    assert.equal(refuse(asking, 'MemoryPressure'), undefined);
    assert.equal(refuse(tolerant, 'MemoryPressure'), undefined);
  });
  it('refuses all while the disk is short, but for critical ones', () => {
    assert.equal(refuse(asking, 'DiskPressure'), 'The node had condition: [DiskPressure]. ');
    assert.equal(
      refuse(tolerant, 'MemoryPressure', 'DiskPressure'),
      'The node had condition: [MemoryPressure DiskPressure]. ',
    );
    assert.equal(refuse(makePod('p', { priority: 2_000_000_000 }), 'DiskPressure'), undefined);
  });
});
