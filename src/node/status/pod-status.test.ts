import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod, PodStatus } from '#generated/api/core-v1.ts';
import type { RuntimeContainer, RuntimePod } from '../pods/runtime-pod.ts';
import { computePodStatus, type StatusInputs } from './pod-status.ts';

const NOW_MS = Date.parse('2026-01-01T00:00:10Z');

const found = (name: string, parts: Partial<RuntimeContainer> = {}): RuntimeContainer => ({
  id: `id-${name}`,
  sandboxId: 's',
  name,
  state: 'running',
  createdAtMs: NOW_MS - 5000,
  startedAtMs: NOW_MS - 4000,
  finishedAtMs: 0,
  exitCode: 0,
  reason: '',
  message: '',
  image: 'i:1',
  imageRef: 'sha256:x',
  restartCount: 0,
  hash: '',
  annotations: {},
  ...parts,
});
const exited = (name: string, exitCode: number, parts: Partial<RuntimeContainer> = {}) =>
  found(name, { state: 'exited', exitCode, finishedAtMs: NOW_MS - 1000, ...parts });

function status(
  spec: object,
  containers: readonly RuntimeContainer[],
  inputs: Partial<StatusInputs> = {},
  old?: PodStatus,
) {
  const pod = {
    metadata: { name: 'p', namespace: 'default', uid: 'u' },
    spec: { containers: [{ name: 'a', image: 'i:1' }], ...spec },
    ...(old === undefined ? {} : { status: old }),
  } as unknown as Pod;
  const runtime: RuntimePod = {
    uid: 'u',
    namespace: 'default',
    name: 'p',
    sandboxes: [{ id: 's', ready: true, attempt: 0, createdAtMs: NOW_MS - 6000, ips: ['10.244.0.5'] }],
    containers,
  };
  return computePodStatus(pod, runtime, {
    nowMs: NOW_MS,
    nodeIPs: ['192.0.2.1'],
    waiting: new Map(),
    isReady: () => true,
    isStarted: () => true,
    terminationMessage: () => '',
    terminating: false,
    terminated: false,
    ...inputs,
  });
}
const statusOf = (containers: readonly RuntimeContainer[], spec: object = {}) =>
  status(spec, containers).containerStatuses![0]!;
const conditions = (s: PodStatus) => Object.fromEntries(s.conditions!.map((c) => [c.type, c.status]));
const condition = (s: PodStatus, type: string) => s.conditions!.find((c) => c.type === type);

describe('status of a pod', () => {
  it('has addresses, start time, QoS and all conditions True when everything is ready', () => {
    const s = status({}, [found('a')]);
    assert.deepEqual([s.phase, s.podIP, s.hostIP, s.qosClass], ['Running', '10.244.0.5', '192.0.2.1', 'BestEffort']);
    assert.equal(s.startTime, '2026-01-01T00:00:10Z');
    assert.deepEqual(conditions(s), {
      PodReadyToStartContainers: 'True',
      Initialized: 'True',
      Ready: 'True',
      ContainersReady: 'True',
    });
    assert.equal(s.containerStatuses![0]!.containerID, 'containerd://id-a');
  });

  const two = { containers: [{ name: 'a' }, { name: 'b' }] };
  const init = { initContainers: [{ name: 'i' }] };
  const cases: readonly (readonly [string, object, readonly RuntimeContainer[], string])[] = [
    ['nothing was made yet', {}, [], 'Pending'],
    ['one of two containers was not made yet', two, [found('a')], 'Pending'],
    ['an init container runs', init, [found('i')], 'Pending'],
    ['an init container failed for good', { ...init, restartPolicy: 'Never' }, [exited('i', 1)], 'Failed'],
    ['everything ended well', { ...two, restartPolicy: 'Never' }, [exited('a', 0), exited('b', 0)], 'Succeeded'],
    ['one of two failed', { ...two, restartPolicy: 'Never' }, [exited('a', 0), exited('b', 3)], 'Failed'],
    ['one of two runs on', { ...two, restartPolicy: 'Never' }, [exited('a', 1), found('b')], 'Running'],
    ['what failed will be restarted', { restartPolicy: 'OnFailure' }, [exited('a', 1)], 'Running'],
  ];
  for (const [title, spec, containers, phase] of cases)
    it(`is in phase ${phase} when ${title}`, () => assert.equal(status(spec, containers).phase, phase));

  it('conditions name the containers that are not ready, and the readiness gates that are not open', () => {
    const unready = status(two, [found('a'), found('b')], { isReady: (c) => c.name === 'a' });
    assert.deepEqual(
      [condition(unready, 'Ready')?.reason, condition(unready, 'Ready')?.message],
      ['ContainersNotReady', 'containers with unready status: [b]'],
    );
    const gated = status({ readinessGates: [{ conditionType: 'example.com/gate' }] }, [found('a')]);
    assert.equal(condition(gated, 'ContainersReady')?.status, 'True');
    assert.equal(condition(gated, 'Ready')?.reason, 'ReadinessGatesNotReady');
    const waits = status(init, []);
    assert.equal(condition(waits, 'Initialized')?.message, 'containers with incomplete status: [i]');
  });

  it('conditions keep the time of their last change', () => {
    const before = status({}, [found('a')]);
    const old = {
      ...before,
      conditions: before.conditions!.map((c) => ({ ...c, lastTransitionTime: '2025-01-01T00:00:00Z' })),
    };
    const after = status({}, [found('a')], { isReady: () => false }, old);
    assert.equal(condition(after, 'Ready')?.lastTransitionTime, '2026-01-01T00:00:10Z');
    assert.equal(condition(after, 'Initialized')?.lastTransitionTime, '2025-01-01T00:00:00Z');
  });

  it('shows why a container waits and how it ended before', () => {
    const waiting = new Map([['a', { reason: 'CrashLoopBackOff', message: 'back-off 10s' }]]);
    const dead = exited('a', 137, { reason: 'OOMKilled', restartCount: 2 });
    const [c] = status({}, [dead], { waiting, terminationMessage: () => 'last words' }).containerStatuses!;
    assert.deepEqual(c!.state, { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 10s' } });
    const { exitCode, reason, message } = c!.lastState!.terminated!;
    assert.deepEqual([exitCode, reason, message, c!.restartCount], [137, 'OOMKilled', 'last words', 2]);
  });

  it('a pod the kubelet ended is Failed with the reason once nothing of it runs, and stays so', () => {
    const ended = { reason: 'DeadlineExceeded', message: 'too long' };
    const ending = status({}, [found('a')], { ended });
    assert.deepEqual([ending.phase, ending.reason], ['Running', undefined]);
    const s = status({}, [found('a', { state: 'exited', exitCode: 137 })], { ended });
    assert.deepEqual([s.phase, s.reason, s.message], ['Failed', 'DeadlineExceeded', 'too long']);
    const later = status({}, [], { terminated: true }, s);
    assert.deepEqual([later.phase, later.reason], ['Failed', 'DeadlineExceeded']);
  });

  it('a pod the node evicted says so from the start, and keeps the time', () => {
    const ended = { reason: 'Evicted', message: 'low on memory', disruptedAtMs: Date.UTC(2026, 0, 1) };
    const target = condition(status({}, [found('a')], { ended }), 'DisruptionTarget')!;
    assert.deepEqual(
      [target.status, target.reason, target.message, target.lastTransitionTime],
      ['True', 'TerminationByKubelet', 'low on memory', '2026-01-01T00:00:00Z'],
    );
    const kept = status({}, [found('a')], {}, { conditions: [target] });
    assert.deepEqual(condition(kept, 'DisruptionTarget'), target, 'of whoever set it');
  });

  it('a resize is told by two conditions while it is not done, and by the resources of the container', () => {
    const resources = { requests: { cpu: '2' } };
    const spec = { containers: [{ name: 'a', image: 'i:1', resources }] };
    const resize = {
      pending: { reason: 'Deferred', message: 'no room', generation: 7 },
      inProgress: { reason: '', message: '', generation: 6 },
      actual: new Map([['a', { requests: { cpu: '1' } }]]),
    };
    const s = status(spec, [found('a')], { resize });
    assert.deepEqual(
      ['PodResizePending', 'PodResizeInProgress'].map((type) => {
        const { status: on, reason, message, observedGeneration } = condition(s, type)!;
        return [on, reason, message, observedGeneration];
      }),
      [
        ['True', 'Deferred', 'no room', 7],
        ['True', undefined, undefined, 6],
      ],
    );
    assert.deepEqual(s.containerStatuses![0]!.resources, { requests: { cpu: '1' } });
    assert.deepEqual(s.containerStatuses![0]!.allocatedResources, { cpu: '2' });
    const done = status(spec, [found('a')], {}, s);
    assert.equal(condition(done, 'PodResizePending'), undefined);
    assert.deepEqual(done.containerStatuses![0]!.resources, resources);
  });

  it('says who a container is, as far as the runtime says', () => {
    assert.equal(statusOf([found('a')]).user, undefined);
    const user = { uid: 999, gid: 998, supplementalGroups: [] };
    assert.deepEqual(statusOf([found('a', { user })]).user, { linux: { uid: 999, gid: 998 } });
    const joined = { ...user, supplementalGroups: [2000] };
    assert.deepEqual(statusOf([found('a', { user: joined })]).user?.linux?.supplementalGroups, [2000]);
  });

  it('says which mounts are read-only however deep', () => {
    const volumeMounts = [
      { name: 'v', mountPath: '/deep', readOnly: true, recursiveReadOnly: 'IfPossible' },
      { name: 'v', mountPath: '/flat', readOnly: true },
      { name: 'v', mountPath: '/open' },
    ];
    const spec = { containers: [{ name: 'a', image: 'i:1', volumeMounts }] };
    const told = statusOf([found('a', { recursivelyReadOnly: ['/deep'] })], spec).volumeMounts!;
    assert.deepEqual(
      told.map((m) => m.recursiveReadOnly),
      ['Enabled', 'Disabled', undefined],
    );
  });
});
