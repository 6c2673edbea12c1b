// The resizer with real files, control groups that remember, and a runtime that says what it was told.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Container, Pod, ResourceRequirements } from '#generated/api/core-v1.ts';
import { FakeCgroups } from '#host/cgroups.ts';
import { realFileSystem } from '#host/file-system.ts';
import type { LinuxContainerResources } from '../cri/messages.ts';
import type { RuntimePod } from '../pods/runtime-pod.ts';
import { Allocations } from './allocations.ts';
import { Resizer } from './resizer.ts';

const MI = 1024 ** 2;
const GROUP = '/n/kubepods/burstable/podu';
let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'resizer-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const resources = (cpu: string, memory: string): ResourceRequirements => ({
  requests: { cpu, memory: '16Mi' },
  limits: { cpu, memory },
});

function makePod(given: ResourceRequirements, more: Partial<Container> = {}, generation = 1, name = 'u'): Pod {
  return {
    metadata: { name, namespace: 'default', uid: name, generation },
    spec: { containers: [{ name: 'c', image: 'i', resources: given, ...more }] },
  } as Pod;
}

const running = (state: 'running' | 'exited' = 'running'): RuntimePod =>
  ({ uid: 'u', namespace: 'default', name: 'u', sandboxes: [], containers: [{ id: 'id', name: 'c', state }] }) as never;

function makeResizer(others: readonly Pod[] = [], usedBytes = 0) {
  const events: string[] = [];
  /** What happened to the kernel, in order. */
  const steps: string[] = [];
  const cgroups = new FakeCgroups();
  cgroups.usages.set(GROUP, { memoryBytes: usedBytes, workingSetBytes: usedBytes, cpuNanos: 0 });
  const create = cgroups.create.bind(cgroups);
  cgroups.create = (path, wanted) => {
    create(path, wanted);
    steps.push(`pod ${cgroups.groups.get(path)!.memoryLimitBytes! / MI}Mi`);
  };
  const runtime = {
    refuses: '',
    async updateContainerResources(_id: string, wanted: LinuxContainerResources) {
      if (this.refuses !== '') throw new Error(`rpc error: code = Unknown desc = ${this.refuses}`);
      steps.push(`container ${wanted.memoryLimitInBytes! / MI}Mi cpu ${wanted.cpuQuota}`);
    },
    async listContainerStats() {
      return [
        {
          attributes: { id: 'id', metadata: { name: 'c' }, labels: {} },
          memory: { timestamp: 0, workingSetBytes: { value: usedBytes } },
        },
      ];
    },
  };
  const make = () =>
    new Resizer({
      allocations: new Allocations({ files: realFileSystem, rootDir: root }),
      runtime,
      cgroups,
      cgroupRoot: '/n',
      events: {
        event: (_about, _ref, _type, reason, message) => void events.push(`${reason} ${message.slice(0, 60)}`),
      },
      allocatable: { cpuMillis: 2000, memoryBytes: 1024 * MI, pods: 10 },
      memoryCapacityBytes: () => 1024 * MI,
      taken: () => others,
    });
  return { resizer: make(), again: make, events, steps, runtime };
}

describe('Resizer', () => {
  const before = resources('100m', '64Mi');

  it('widens the pod’s group, then the container’s, and says when it is done', async () => {
    const { resizer, steps, events } = makeResizer();
    resizer.admit(makePod(before));
    const wanted = makePod(resources('500m', '128Mi'), {}, 2);
    const given = resizer.decide(wanted, running());
    assert.deepEqual(resizer.progress('u')?.inProgress, { reason: '', message: '', generation: 2 });
    assert.deepEqual(resizer.progress('u')?.actual.get('c'), before);
    assert.equal(await resizer.apply(given, running()), 'done');
    assert.deepEqual(steps, ['pod 128Mi', 'container 128Mi cpu 50000', 'pod 128Mi']);
    assert.equal(resizer.progress('u'), undefined);
    assert.deepEqual(
      events.map((e) => e.split(' ')[0]),
      ['ResizeStarted', 'ResizeCompleted'],
    );
  });

  it('narrows the container’s group first, then the pod’s', async () => {
    const { resizer, steps } = makeResizer();
    resizer.admit(makePod(resources('500m', '128Mi')));
    await resizer.apply(resizer.decide(makePod(before, {}, 2), running()), running());
    assert.deepEqual(steps, ['pod 128Mi', 'container 64Mi cpu 10000', 'pod 64Mi']);
  });

  it('refuses a limit below what is used, and tries again', async () => {
    const { resizer, steps, events } = makeResizer([], 100 * MI);
    resizer.admit(makePod(resources('100m', '128Mi')));
    const given = resizer.decide(makePod(before, {}, 2), running());
    assert.equal(await resizer.apply(given, running()), 'failed');
    assert.equal(await resizer.apply(given, running()), 'failed');
    assert.deepEqual(steps, []);
    assert.deepEqual(resizer.progress('u')?.inProgress, {
      reason: 'Error',
      message:
        'cannot decrease memory limits: [attempting to set pod memory limit (67108864) below current usage (104857600), ' +
        'attempting to set container "c" memory limit (67108864) below current usage (104857600)]',
      generation: 2,
    });
    assert.equal(events.filter((e) => e.startsWith('ResizeError Pod resize error: {')).length, 1, 'told once');
  });

  it('says what the runtime refused', async () => {
    const { resizer, runtime } = makeResizer();
    resizer.admit(makePod(before));
    runtime.refuses = 'no such cgroup';
    const given = resizer.decide(makePod(resources('500m', '128Mi'), {}, 2), running());
    assert.equal(await resizer.apply(given, running()), 'failed');
    assert.equal(resizer.progress('u')?.inProgress?.message, 'no such cgroup');
    runtime.refuses = '';
    assert.equal(await resizer.apply(given, running()), 'done');
  });

  it('leaves the pod what it has while others have the room, and gives it when they are gone', () => {
    const others = [makePod(resources('1800m', '64Mi'), {}, 1, 'other')];
    const { resizer, events } = makeResizer(others);
    resizer.admit(makePod(before));
    const wanted = makePod(resources('500m', '64Mi'), {}, 2);
    const given = resizer.decide(wanted, running());
    assert.deepEqual(given.spec!.containers[0]!.resources, before);
    assert.equal(resizer.isDeferred('u'), true);
    assert.deepEqual(resizer.progress('u')?.pending, {
      reason: 'Deferred',
      message: "Node didn't have enough resource: cpu, requested: 500, used: 1800, capacity: 2000",
      generation: 2,
    });
    resizer.decide(wanted, running());
    assert.deepEqual(events, [
      'ResizeDeferred Pod resize Deferred: {"containers":[{"name":"c","resources":'.slice(0, 75),
    ]);
    others.pop();
    assert.equal(resizer.decide(wanted, running()), wanted);
    assert.equal(resizer.isDeferred('u'), false);
  });

  it('knows after a restart what was given, and goes on with what was under way', async () => {
    const { resizer, again, steps } = makeResizer();
    resizer.admit(makePod(before));
    resizer.decide(makePod(resources('500m', '128Mi'), {}, 2), running());
    const next = again();
    const infeasible = makePod(resources('900', '128Mi'), {}, 3);
    const given = next.decide(infeasible, running());
    assert.deepEqual(given.spec!.containers[0]!.resources, resources('500m', '128Mi'));
    assert.equal(next.progress('u')?.pending?.reason, 'Infeasible');
    assert.equal(await next.apply(given, running()), 'done');
    assert.equal(steps[1], 'container 128Mi cpu 50000');
  });

  it('waits for a container that has to start anew, and is done when it has', async () => {
    const { resizer, steps } = makeResizer();
    const policy = { resizePolicy: [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }] };
    resizer.admit(makePod(before, policy));
    const given = resizer.decide(makePod(resources('100m', '128Mi'), policy, 2), running());
    assert.equal(resizer.needsRestart(given, 'c'), true);
    assert.equal(await resizer.apply(given, running()), 'waiting');
    assert.deepEqual(steps, ['pod 128Mi'], 'room for the new one');
    resizer.started(given, 'c');
    assert.equal(await resizer.apply(given, running()), 'done');
    assert.equal(resizer.needsRestart(given, 'c'), false);
  });

  it('gives a container that does not run what it will start with', async () => {
    const { resizer, steps } = makeResizer();
    resizer.admit(makePod(before));
    const given = resizer.decide(makePod(resources('500m', '128Mi'), {}, 2), running('exited'));
    assert.equal(await resizer.apply(given, running('exited')), 'done');
    assert.deepEqual(steps, ['pod 128Mi', 'pod 128Mi']);
  });
});
