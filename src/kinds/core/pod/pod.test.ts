import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Container, ContainerStatus, Pod, PodSpec, PodStatus } from '#generated/api/core-v1.ts';
import { computeQos } from './qos.ts';
import { heldRequests, podRequests } from './requests.ts';
import { summarizePod } from './table.ts';
import { templateHash } from './template-hash.ts';
import { findUntolerated, formatTaint, toleratesTaint } from './tolerations.ts';

const makePod = (spec: Partial<PodSpec>, status: PodStatus = {}, deleted = false): Pod => ({
  metadata: { name: 'p', ...(deleted ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}) },
  spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
  status,
});
const asking = (name: string, cpu: string, more: Partial<Container> = {}): Container => ({
  name,
  image: 'i',
  resources: { requests: { cpu } },
  ...more,
});
const status = (state: ContainerStatus['state'], more: Partial<ContainerStatus> = {}): ContainerStatus => ({
  name: 'c',
  image: 'i',
  imageID: '',
  ready: false,
  restartCount: 0,
  state,
  ...more,
});

describe('podRequests', () => {
  it('sums containers', () =>
    assert.equal(podRequests(makePod({ containers: [asking('a', '100m'), asking('b', '1')] }))['cpu'], 1100));
  it('takes the largest init container when it is more', () =>
    assert.equal(
      podRequests(makePod({ containers: [asking('a', '1')], initContainers: [asking('i', '2'), asking('j', '500m')] }))[
        'cpu'
      ],
      2000,
    ));
  it('counts sidecars with containers and with the init containers after them', () => {
    const initContainers = [asking('s', '300m', { restartPolicy: 'Always' }), asking('i', '900m')];
    assert.equal(podRequests(makePod({ containers: [asking('a', '500m')], initContainers }))['cpu'], 1200);
  });
  it('adds overhead', () =>
    assert.equal(podRequests(makePod({ containers: [asking('a', '1')], overhead: { cpu: '250m' } }))['cpu'], 1250));
});

describe('heldRequests', () => {
  const held = (wants: string, given: string, has: string, reason?: string) =>
    heldRequests(
      makePod(
        { containers: [asking('a', wants), asking('b', '1')] },
        {
          containerStatuses: [
            {
              name: 'a',
              allocatedResources: { cpu: given },
              resources: { requests: { cpu: has } },
            } as unknown as ContainerStatus,
          ],
          ...(reason === undefined ? {} : { conditions: [{ type: 'PodResizePending', status: 'True', reason }] }),
        },
      ),
    )['cpu'];

  it('is what is asked for while nothing is resized', () => assert.equal(held('500m', '500m', '500m'), 1500));
  it('is what is wanted while it grows', () => assert.equal(held('700m', '500m', '500m', 'Deferred'), 1700));
  it('is what it was given while it shrinks', () => assert.equal(held('200m', '500m', '500m'), 1500));
  it('is what it still has until that is in force', () => assert.equal(held('200m', '200m', '500m'), 1500));
  it('is not what it can never have', () => assert.equal(held('90', '500m', '500m', 'Infeasible'), 1500));
});

describe('computeQos', () => {
  const limited = (cpu: string, memory: string, requests?: Record<string, string>): Container => ({
    name: 'c',
    image: 'i',
    resources: { limits: { cpu, memory }, ...(requests === undefined ? {} : { requests }) },
  });
  it('is BestEffort when nothing is asked for', () => assert.equal(computeQos(makePod({})), 'BestEffort'));
  it('is Guaranteed when limits are requests', () =>
    assert.equal(
      computeQos(makePod({ containers: [limited('1', '1Gi', { cpu: '1000m', memory: '1024Mi' })] })),
      'Guaranteed',
    ));
  it('is Burstable otherwise', () =>
    assert.equal(
      computeQos(makePod({ containers: [limited('1', '1Gi', { cpu: '500m', memory: '1Gi' })] })),
      'Burstable',
    ));
});

describe('toleratesTaint', () => {
  const taint = { key: 'k', value: 'v', effect: 'NoSchedule' };
  it('compares key, value and effect', () => {
    assert.equal(toleratesTaint({ key: 'k', operator: 'Equal', value: 'v', effect: 'NoSchedule' }, taint), true);
    assert.equal(toleratesTaint({ key: 'k', value: 'w' }, taint), false);
    assert.equal(toleratesTaint({ key: 'k', operator: 'Exists', effect: 'NoExecute' }, taint), false);
  });
  it('takes Exists without key for everything', () =>
    assert.equal(toleratesTaint({ operator: 'Exists' }, taint), true));
  it('names the first that is not tolerated', () =>
    assert.equal(formatTaint(findUntolerated([taint], [], ['NoSchedule'])!), 'k=v:NoSchedule'));
});

describe('summarizePod', () => {
  const table: readonly (readonly [string, Pod, string, string])[] = [
    ['pending', makePod({}, { phase: 'Pending' }), '0/1', 'Pending'],
    [
      'creating',
      makePod({}, { phase: 'Pending', containerStatuses: [status({ waiting: { reason: 'ContainerCreating' } })] }),
      '0/1',
      'ContainerCreating',
    ],
    [
      'running',
      makePod({}, { phase: 'Running', containerStatuses: [status({ running: {} }, { ready: true })] }),
      '1/1',
      'Running',
    ],
    [
      'crashing',
      makePod({}, { phase: 'Running', containerStatuses: [status({ waiting: { reason: 'CrashLoopBackOff' } })] }),
      '0/1',
      'CrashLoopBackOff',
    ],
    [
      'failed without reason',
      makePod({}, { phase: 'Failed', containerStatuses: [status({ terminated: { exitCode: 3 } })] }),
      '0/1',
      'ExitCode:3',
    ],
    [
      'killed',
      makePod({}, { phase: 'Failed', containerStatuses: [status({ terminated: { exitCode: 137, signal: 9 } })] }),
      '0/1',
      'Signal:9',
    ],
    [
      'completed',
      makePod(
        {},
        { phase: 'Succeeded', containerStatuses: [status({ terminated: { exitCode: 0, reason: 'Completed' } })] },
      ),
      '0/1',
      'Completed',
    ],
    [
      'being deleted',
      makePod({}, { phase: 'Running', containerStatuses: [status({ running: {} }, { ready: true })] }, true),
      '1/1',
      'Terminating',
    ],
    ['evicted', makePod({}, { phase: 'Failed', reason: 'Evicted' }), '0/1', 'Evicted'],
    [
      'in its second init container',
      makePod(
        {
          initContainers: [
            { name: 'a', image: 'i' },
            { name: 'b', image: 'i' },
          ],
        },
        {
          phase: 'Pending',
          initContainerStatuses: [
            status({ terminated: { exitCode: 0 } }, { name: 'a' }),
            status({ running: {} }, { name: 'b' }),
          ],
        },
      ),
      '0/1',
      'Init:1/2',
    ],
    [
      'with a failing init container',
      makePod(
        { initContainers: [{ name: 'a', image: 'i' }] },
        {
          phase: 'Pending',
          initContainerStatuses: [status({ waiting: { reason: 'CrashLoopBackOff' } }, { name: 'a' })],
        },
      ),
      '0/1',
      'Init:CrashLoopBackOff',
    ],
    [
      'with a sidecar',
      makePod(
        { initContainers: [{ name: 's', image: 'i', restartPolicy: 'Always' }] },
        {
          phase: 'Running',
          conditions: [{ type: 'Initialized', status: 'True' }],
          initContainerStatuses: [status({ running: {} }, { name: 's', started: true, ready: true })],
          containerStatuses: [status({ running: {} }, { ready: true })],
        },
      ),
      '2/2',
      'Running',
    ],
  ];
  for (const [name, pod, ready, reason] of table) {
    it(`of a pod ${name}`, () => {
      const summary = summarizePod(pod);
      assert.equal(`${summary.ready}/${summary.total} ${summary.reason}`, `${ready} ${reason}`);
    });
  }
});

describe('templateHash', () => {
  it('changes with the template and the collision count', () => {
    assert.notEqual(templateHash({ a: 1 }), templateHash({ a: 2 }));
    assert.notEqual(templateHash({ a: 1 }), templateHash({ a: 1 }, 1));
    assert.match(templateHash({ a: 1 }), /^[bcdfghjklmnpqrstvwxz2456789]{5,10}$/);
  });
});
