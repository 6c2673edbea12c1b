import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Container, Pod } from '#generated/api/core-v1.ts';
import { computeActions, finishedPhase } from './actions.ts';
import { emptyRuntimePod, type RuntimeContainer, type RuntimePod } from './runtime-pod.ts';

const makePod = (spec: Partial<NonNullable<Pod['spec']>>): Pod => ({
  metadata: { name: 'p', namespace: 'n', uid: 'u' },
  spec: { containers: [{ name: 'c' }], ...spec },
});
const sandbox = (id = 's1', ready = true, attempt = 0) => ({
  id,
  ready,
  attempt,
  createdAtMs: attempt,
  ips: ['10.0.0.1'],
});
const made = (name: string, more: Partial<RuntimeContainer> = {}): RuntimeContainer => ({
  id: `${name}-1`,
  sandboxId: 's1',
  name,
  state: 'running',
  createdAtMs: 1,
  startedAtMs: 1,
  finishedAtMs: 0,
  exitCode: 0,
  reason: '',
  message: '',
  image: '',
  imageRef: '',
  restartCount: 0,
  hash: 'h',
  annotations: {},
  ...more,
});
const runtime = (...containers: RuntimeContainer[]): RuntimePod => ({
  ...emptyRuntimePod('u', 'n', 'p'),
  sandboxes: [sandbox()],
  containers,
});
const inputs = { failedProbe: () => undefined, started: () => true, hashOf: () => 'h' };
const starts = (pod: Pod, state: RuntimePod, given = inputs) =>
  computeActions(pod, state, given).start.map((s) => s.container.name);
const sidecar: Container = { name: 'side', restartPolicy: 'Always' };

describe('computeActions', () => {
  it('asks for a sandbox first, and for another one after the first died', () => {
    assert.deepEqual(computeActions(makePod({}), emptyRuntimePod('u', 'n', 'p'), inputs).createSandbox, { attempt: 0 });
    const dead = { ...runtime(made('c', { state: 'exited', exitCode: 1 })), sandboxes: [sandbox('s1', false)] };
    assert.deepEqual(computeActions(makePod({}), dead, inputs).createSandbox, { attempt: 1 });
  });

  it('makes no new sandbox for a pod that may not run again', () => {
    const ended = { ...runtime(made('c', { state: 'exited' })), sandboxes: [sandbox('s1', false)] };
    assert.equal(computeActions(makePod({ restartPolicy: 'Never' }), ended, inputs).createSandbox, undefined);
    assert.equal(computeActions(makePod({ restartPolicy: 'OnFailure' }), ended, inputs).createSandbox, undefined);
  });

  it('runs init containers one after another, then all main ones', () => {
    const pod = makePod({ initContainers: [{ name: 'a' }, { name: 'b' }], containers: [{ name: 'c' }, { name: 'd' }] });
    assert.deepEqual(starts(pod, runtime()), ['a']);
    assert.deepEqual(starts(pod, runtime(made('a'))), []);
    assert.deepEqual(starts(pod, runtime(made('a', { state: 'exited' }))), ['b']);
    assert.deepEqual(starts(pod, runtime(made('a', { state: 'exited' }), made('b', { state: 'exited' }))), ['c', 'd']);
  });

  it('holds the next ones back until a sidecar has started', () => {
    const pod = makePod({ initContainers: [sidecar] });
    assert.deepEqual(starts(pod, runtime(made('side')), { ...inputs, started: () => false }), []);
    assert.deepEqual(starts(pod, runtime(made('side'))), ['c']);
  });

  it('restarts a sidecar beside running main containers whatever the pod policy', () => {
    const pod = makePod({ initContainers: [{ name: 'a' }, sidecar], restartPolicy: 'Never' });
    assert.deepEqual(starts(pod, runtime(made('c'), made('side', { state: 'exited', exitCode: 0 }))), ['side']);
  });

  for (const [policy, exitCode, expected] of [
    ['Always', 0, true],
    ['Always', 1, true],
    ['OnFailure', 0, false],
    ['OnFailure', 1, true],
    ['Never', 1, false],
  ] as const) {
    it(`${expected ? 'restarts' : 'leaves'} a container that ended with ${exitCode} under ${policy}`, () => {
      assert.deepEqual(
        starts(makePod({ restartPolicy: policy }), runtime(made('c', { state: 'exited', exitCode }))),
        expected ? ['c'] : [],
      );
    });
  }

  it('kills a container whose liveness probe failed or whose image changed', () => {
    const failed = computeActions(makePod({}), runtime(made('c')), { ...inputs, failedProbe: () => 'livenessProbe' });
    assert.equal(failed.kill[0]?.message, 'Container c failed liveness probe, will be restarted');
    assert.equal(
      computeActions(makePod({}), runtime(made('c')), { ...inputs, hashOf: () => 'other' }).kill[0]?.reason,
      'changed',
    );
  });

  it('counts containers of an older sandbox as not started', () => {
    const pod = makePod({ initContainers: [{ name: 'a' }] });
    assert.deepEqual(starts(pod, runtime(made('a', { state: 'exited', sandboxId: 's0' }))), ['a']);
  });
});

describe('finishedPhase', () => {
  it('is undefined while a container runs or may run again', () => {
    assert.equal(finishedPhase(makePod({ restartPolicy: 'Never' }), runtime(made('c'))), undefined);
    assert.equal(finishedPhase(makePod({}), runtime(made('c', { state: 'exited' }))), undefined);
  });

  it('is Failed when one container or an init container failed for good', () => {
    const pod = makePod({ restartPolicy: 'Never', initContainers: [{ name: 'a' }] });
    assert.equal(finishedPhase(pod, runtime(made('a', { state: 'exited', exitCode: 2 }))), 'Failed');
    assert.equal(
      finishedPhase(pod, runtime(made('a', { state: 'exited' }), made('c', { state: 'exited', exitCode: 1 }))),
      'Failed',
    );
    assert.equal(
      finishedPhase(pod, runtime(made('a', { state: 'exited' }), made('c', { state: 'exited' }))),
      'Succeeded',
    );
  });
});
