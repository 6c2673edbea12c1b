// The kubelet against the API double and the runtime that exists in memory, with real files and stepped time.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Container, Pod, PodSpec } from '#generated/api/core-v1.ts';
import { leases, nodes, pods } from '#generated/resources.ts';
import { SteppedClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { MetricsRegistry } from '#base/metrics.ts';
import { SeededRandom } from '#base/random.ts';
import { createInformers } from '#client/informers.ts';
import { createClient } from '#client/rest-client.ts';
import { TestApi } from '#client/testing.ts';
import { FakeCgroups } from '#host/cgroups.ts';
import { realFileSystem } from '#host/file-system.ts';
import { FakeMounts } from '#host/mounts.ts';
import { noNetwork } from '#netmodel/node-network.ts';
import { FakeRuntime } from './cri/fake.ts';
import type { ContainerConfig } from './cri/messages.ts';
import { createKubelet } from './kubelet.ts';

class RecordingRuntime extends FakeRuntime {
  readonly configs = new Map<string, ContainerConfig>();
  override async createContainer(sandboxId: string, config: ContainerConfig): Promise<string> {
    this.configs.set(config.metadata.name, config);
    return super.createContainer(sandboxId, config);
  }
}

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'kubelet-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

async function startKubelet() {
  const api = new TestApi();
  const clock = new SteppedClock();
  const random = new SeededRandom(1);
  const events: string[] = [];
  const client = createClient({
    transport: { request: (r) => api.exchange(r as never), close: async () => {} },
    clock,
    userAgent: 'test',
    freeze: true,
  });
  const informers = createInformers({ client, clock, random, log: silentLog });
  const runtime = new RecordingRuntime({ clock, random, ipOf: (n) => `10.244.1.${n + 2}` }, { record: true });
  const cgroups = new FakeCgroups();
  const kubelet = createKubelet({
    client,
    informers,
    events: { event: (_object, _ref, _type, reason, message) => void events.push(`${reason}: ${message}`) },
    clock,
    random,
    log: silentLog,
    metrics: new MetricsRegistry(),
    network: noNetwork,
    runtime,
    // What is asynchronous in the real one would go past the stepped clock.
    files: {
      ...realFileSystem,
      removeAll: async (path) => rmSync(path, { recursive: true, force: true }),
      statfs: async () => ({ totalBytes: 1e12, availableBytes: 9e11, inodes: 1e7, inodesFree: 9e6 }),
    },
    mounts: new FakeMounts(),
    cgroups,
    options: {
      nodeName: 'n1',
      nodeIPs: ['192.0.2.1'],
      rootDir: root,
      volumesDir: join(root, 'disks'),
      cgroupRoot: '/test',
      clusterDnsIPs: ['10.96.0.10'],
      clusterDomain: 'cluster.local',
      cpus: '4',
      memory: '8Gi',
    },
  });
  const signal = new AbortController().signal;
  await Promise.all([informers.start(signal), kubelet.start(signal)]);
  await clock.step(10);
  return {
    api,
    clock,
    events,
    runtime,
    cgroups,
    run: async (spec: Partial<PodSpec>, name = 'p') => {
      api.put(pods, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: 'default', uid: `uid-${name}` },
        spec: { nodeName: 'n1', containers: [], ...spec },
      } as Pod);
      await clock.step(100);
    },
    pod: (name = 'p') => api.find(pods, `default/${name}`)!,
    stop: async () => {
      await kubelet.stop();
      await informers.stop();
    },
  };
}

const container = (name: string, more: Partial<Container> = {}): Container => ({ name, image: `${name}:1`, ...more });
const started = (calls: readonly string[] | undefined) =>
  calls!.filter((c) => c.startsWith('startContainer ')).map((c) => c.split(' ')[1]);

describe('Kubelet', () => {
  it('renews its node lease, and reports a node that is Ready', async () => {
    const { api, clock, stop } = await startKubelet();
    const lease = () => api.find(leases, 'kube-node-lease/n1')!.spec!;
    const first = lease().renewTime!;
    assert.deepEqual([lease().holderIdentity, lease().leaseDurationSeconds], ['n1', 40]);
    await clock.step(10_500);
    assert.ok(lease().renewTime! > first);
    assert.equal(api.find(nodes, 'n1')?.status?.conditions?.find((c) => c.type === 'Ready')?.status, 'True');
    await stop();
  });

  it('runs init containers one by one, then a native sidecar, then the others beside it', async () => {
    const { clock, runtime, run, pod, stop } = await startKubelet();
    await run({
      initContainers: [container('init'), container('sidecar', { restartPolicy: 'Always' })],
      containers: [container('a'), container('b')],
    });
    assert.deepEqual(started(runtime.calls), ['init']);
    assert.equal(pod().status?.phase, 'Pending');
    runtime.end(runtime.running('init')!, 0);
    await clock.step(100);
    assert.deepEqual(started(runtime.calls), ['init', 'sidecar', 'a', 'b']);
    assert.equal(pod().status?.phase, 'Running');
    await stop();
  });

  it('gives the containers of a pod one sandbox, so they share its namespaces', async () => {
    const { runtime, run, pod, stop } = await startKubelet();
    await run({ containers: [container('a'), container('b')] });
    assert.deepEqual(
      runtime.calls!.filter((c) => c.startsWith('runPodSandbox')),
      ['runPodSandbox p'],
    );
    assert.equal(pod().status?.podIP, '10.244.1.2');
    await stop();
  });

  it('back-off: a failing container under restart policy Always is started again after 10 s, then 20 s', async () => {
    const { clock, runtime, run, pod, stop } = await startKubelet();
    await run({ containers: [container('c')], restartPolicy: 'Always' });
    const waiting = () => pod().status?.containerStatuses?.[0]?.state?.waiting;
    const count = () => started(runtime.calls).length;
    runtime.end(runtime.running('c')!, 1);
    await clock.step(1000); // the first restart is at once
    assert.equal(count(), 2);
    for (const [n, seconds] of [
      [3, 10],
      [4, 20],
    ] as const) {
      runtime.end(runtime.running('c')!, 1);
      await clock.step((seconds - 1) * 1000);
      assert.equal(waiting()?.reason, 'CrashLoopBackOff');
      assert.match(
        waiting()?.message ?? '',
        new RegExp(`^back-off ${seconds}s restarting failed container=c pod=p_default`),
      );
      assert.equal(count(), n - 1);
      await clock.step(2000);
      assert.equal(count(), n);
    }
    assert.equal(pod().status?.containerStatuses?.[0]?.restartCount, 3);
    await stop();
  });

  for (const [policy, code, phase, starts] of [
    ['Never', 1, 'Failed', 1],
    ['Never', 0, 'Succeeded', 1],
    ['OnFailure', 0, 'Succeeded', 1],
    ['OnFailure', 1, 'Running', 2],
    ['Always', 0, 'Running', 2],
  ] as const)
    it(`restart policy ${policy}: a container that ends with ${code} leaves the pod ${phase}`, async () => {
      const { clock, runtime, run, pod, stop } = await startKubelet();
      await run({ containers: [container('c')], restartPolicy: policy });
      runtime.end(runtime.running('c')!, code);
      await clock.step(1000);
      assert.equal(pod().status?.phase, phase);
      assert.equal(started(runtime.calls).length, starts);
      await stop();
    });

  it('mounts a subPath, made when it is missing, and a subPathExpr from the variables', async () => {
    const { runtime, run, stop } = await startKubelet();
    await run({
      volumes: [{ name: 'v', emptyDir: {} }],
      containers: [
        container('c', {
          env: [{ name: 'NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
          volumeMounts: [
            { name: 'v', mountPath: '/whole' },
            { name: 'v', mountPath: '/sub', subPath: 'a/b', readOnly: true },
            { name: 'v', mountPath: '/expr', subPathExpr: 'of-$(NAME)' },
          ],
        }),
      ],
    });
    const mounts = new Map(runtime.configs.get('c')!.mounts.map((m) => [m.containerPath, m]));
    const whole = mounts.get('/whole')!.hostPath;
    assert.equal(mounts.get('/sub')!.hostPath, `${whole}/a/b`);
    assert.equal(mounts.get('/sub')!.readonly, true);
    assert.equal(mounts.get('/expr')!.hostPath, `${whole}/of-p`);
    assert.equal(realFileSystem.stat(`${whole}/a/b`)?.type, 'directory');
    await stop();
  });

  it('tells a pod at once of labels that it has got, in files', async () => {
    const { api, clock, runtime, run, pod, stop } = await startKubelet();
    await run({
      volumes: [
        { name: 'v', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
      ],
      containers: [container('c', { volumeMounts: [{ name: 'v', mountPath: '/v' }] })],
    });
    const file = `${runtime.configs.get('c')!.mounts.find((m) => m.containerPath === '/v')!.hostPath}/labels`;
    assert.equal(readFileSync(file, 'utf8'), '');
    api.put(pods, { ...pod(), metadata: { ...pod().metadata, labels: { key: 'value' } } });
    await clock.step(100);
    assert.equal(readFileSync(file, 'utf8'), 'key="value"');
    await stop();
  });

  for (const [what, mount, words] of [
    ['a subPath that leads out', { subPath: '../x' }, "must be relative and without '..'"],
    ['a subPathExpr without its variable', { subPathExpr: '$(NONE)' }, 'missing value for "NONE"'],
  ] as const)
    it(`refuses ${what}, and says so as the waiting reason`, async () => {
      const { run, pod, stop } = await startKubelet();
      await run({
        volumes: [{ name: 'v', emptyDir: {} }],
        containers: [container('c', { volumeMounts: [{ name: 'v', mountPath: '/v', ...mount }] })],
      });
      const waiting = pod().status?.containerStatuses?.[0]?.state?.waiting;
      assert.equal(waiting?.reason, 'CreateContainerConfigError');
      assert.ok(waiting?.message?.includes(words) === true, String(waiting?.message));
      await stop();
    });

  it('a missing image: ErrImagePull with what to do, then ImagePullBackOff, then it runs when the image is there', async () => {
    const { clock, runtime, run, pod, stop } = await startKubelet();
    const missing = 'docker.io/library/own:1';
    runtime.missingImages.add(missing);
    await run({ containers: [container('own')] });
    const waiting = () => pod().status?.containerStatuses?.[0]?.state?.waiting;
    assert.equal(waiting()?.reason, 'ErrImagePull');
    assert.match(waiting()?.message ?? '', /image load/);
    await clock.step(3000);
    assert.equal(waiting()?.reason, 'ImagePullBackOff');
    runtime.missingImages.delete(missing);
    await clock.step(30_000);
    assert.equal(pod().status?.phase, 'Running');
    await stop();
  });

  it('pull policy Never: an image that is not there is ErrImageNeverPull', async () => {
    const { runtime, run, pod, stop } = await startKubelet();
    runtime.missingImages.add('docker.io/library/own:1');
    await run({ containers: [container('own', { imagePullPolicy: 'Never' })] });
    assert.equal(pod().status?.containerStatuses?.[0]?.state?.waiting?.reason, 'ErrImageNeverPull');
    await stop();
  });

  it('refuses a pod for good, with the reason that kubectl shows and an event', async () => {
    const { runtime, run, pod, events, stop } = await startKubelet();
    const sysctls = [{ name: 'kernel.msgmax', value: '1' }];
    await run({ containers: [container('c')], securityContext: { sysctls } });
    const { phase, reason, message, containerStatuses } = pod().status!;
    assert.deepEqual([phase, reason, containerStatuses], ['Failed', 'SysctlForbidden', undefined]);
    assert.equal(message, 'Pod was rejected: forbidden sysctl: "kernel.msgmax" not allowlisted');
    assert.deepEqual(events, ['SysctlForbidden: forbidden sysctl: "kernel.msgmax" not allowlisted']);
    assert.ok(!runtime.calls!.some((c) => c.startsWith('runPodSandbox')));
    await stop();
  });

  it('does not begin a pod in a user namespace where the runtime has none, and does once it has', async () => {
    const { runtime, clock, run, pod, events, stop } = await startKubelet();
    const able = runtime.status.bind(runtime);
    runtime.status = async () => ({ ...(await able()), runtimeHandlers: [] });
    await run({ containers: [container('c')], hostUsers: false });
    assert.equal(pod().status?.phase, 'Pending');
    const why = "can't set `spec.hostUsers: false`, runtime does not support user namespaces";
    assert.deepEqual([...new Set(events)], [`FailedCreatePodSandBox: Failed to create pod sandbox: ${why}`]);
    assert.ok(!runtime.calls!.some((c) => c.startsWith('runPodSandbox')));
    runtime.status = able;
    await clock.step(2000);
    assert.equal(pod().status?.phase, 'Running');
    const { usernsOptions } = runtime.configs.get('c')!.linux.securityContext.namespaceOptions;
    const [ids] = usernsOptions!.uids!;
    assert.deepEqual([usernsOptions!.mode, ids!.length], ['POD', 65_536]);
    for (const mount of runtime.configs.get('c')!.mounts)
      assert.deepEqual([mount.uidMappings, mount.gidMappings], [[ids], [ids]]);
    await stop();
  });

  it('is not ready for the sake of a condition that is the runtime’s own', async () => {
    const { runtime, clock, api, stop } = await startKubelet();
    const plain = await runtime.status();
    const ready = () => api.find(nodes, 'n1')?.status?.conditions?.find((c) => c.type === 'Ready');
    const withCondition = (type: string) => ({
      ...plain,
      conditions: [
        ...plain.conditions.filter((c) => c.type !== type),
        { type, status: false, reason: '', message: 'old' },
      ],
    });
    runtime.status = async () => withCondition('ContainerdHasNoDeprecationWarnings');
    await clock.step(10_500);
    assert.equal(ready()?.status, 'True');
    runtime.status = async () => withCondition('RuntimeReady');
    await clock.step(10_500);
    assert.deepEqual(
      [ready()?.status, ready()?.message],
      ['False', '[container runtime not ready: RuntimeReady=false: old]'],
    );
    await stop();
  });

  it('says what the runtime can do, and takes it back when an older one runs', async () => {
    const { runtime, clock, api, stop } = await startKubelet();
    const status = () => api.find(nodes, 'n1')!.status!;
    assert.equal(status().runtimeHandlers?.[0]?.features?.userNamespaces, true);
    assert.equal(status().features?.supplementalGroupsPolicy, true);
    runtime.status = async () => ({ conditions: [], runtimeHandlers: [] });
    await clock.step(10_500);
    assert.deepEqual([status().runtimeHandlers ?? undefined, status().features ?? undefined], [undefined, undefined]);
    await stop();
  });

  it('starts an ephemeral container in a running pod, and restarts nothing for it', async () => {
    const { clock, api, runtime, run, pod, stop } = await startKubelet();
    await run({ containers: [container('c')] });
    const before = pod();
    api.put(pods, {
      ...before,
      spec: { ...before.spec!, ephemeralContainers: [{ name: 'debug', image: 'debug:1' }] },
    });
    await clock.step(1000);
    assert.deepEqual(started(runtime.calls), ['c', 'debug']);
    assert.ok(pod().status?.ephemeralContainerStatuses?.[0]?.state?.running);
    runtime.end(runtime.running('debug')!, 1);
    await clock.step(60_000);
    assert.deepEqual(started(runtime.calls), ['c', 'debug']);
    assert.equal(pod().status?.phase, 'Running');
    await stop();
  });

  it('puts each pod into the control group of its QoS, and takes the group away with the pod', async () => {
    const { api, clock, cgroups, run, pod, stop } = await startKubelet();
    await run({ containers: [container('c', { resources: { limits: { cpu: '500m', memory: '64Mi' } } })] });
    assert.deepEqual(cgroups.groups.get('/test/kubepods/poduid-p')?.memoryLimitBytes, 64 * 1024 ** 2);
    const before = pod();
    api.put(pods, {
      ...before,
      metadata: { ...before.metadata, deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 1 },
    });
    await clock.step(5000);
    assert.equal(api.find(pods, 'default/p'), undefined);
    assert.equal(cgroups.exists('/test/kubepods/poduid-p'), false);
    await stop();
  });

  describe('a pod that wants other resources', () => {
    const asking = (cpu: string) => container('c', { resources: { requests: { cpu } } });
    const conditionOf = (of: Pod, type: string) => of.status?.conditions?.find((c) => c.type === type);
    type Bed = Awaited<ReturnType<typeof startKubelet>>;
    const want = async ({ api, clock, pod }: Bed, cpu: string, generation: number, name = 'p') => {
      const before = pod(name);
      const spec = { ...before.spec!, containers: [asking(cpu)] };
      api.put(pods, { ...before, metadata: { ...before.metadata, generation }, spec });
      await clock.step(100);
    };

    it('has them at once, in the same container, when there is room', async () => {
      const bed = await startKubelet();
      await bed.run({ containers: [asking('1')] });
      await want(bed, '3', 2);
      const [status] = bed.pod().status!.containerStatuses!;
      assert.deepEqual([status!.resources, status!.allocatedResources], [{ requests: { cpu: '3' } }, { cpu: '3' }]);
      assert.deepEqual(started(bed.runtime.calls), ['c']);
      assert.equal(bed.cgroups.groups.get('/test/kubepods/burstable/poduid-p')?.cpuShares, 3072);
      // The double of the API keeps the patch's directive where the real one removes the condition.
      assert.notEqual(conditionOf(bed.pod(), 'PodResizeInProgress')?.status, 'True');
      await bed.stop();
    });

    it('waits until another has left, and does not wait any longer', async () => {
      const bed = await startKubelet();
      await bed.run({ containers: [asking('1')] });
      await bed.run({ containers: [asking('2')] }, 'other');
      await want(bed, '3', 2);
      const pending = conditionOf(bed.pod(), 'PodResizePending');
      assert.deepEqual(
        [pending?.reason, pending?.message, pending?.observedGeneration],
        ['Deferred', "Node didn't have enough resource: cpu, requested: 3000, used: 2000, capacity: 4000", 2],
      );
      assert.deepEqual(bed.pod().status!.containerStatuses![0]!.allocatedResources, { cpu: '1' });
      const other = bed.pod('other');
      bed.api.put(pods, {
        ...other,
        metadata: { ...other.metadata, deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 1 },
      });
      await bed.clock.step(5000);
      assert.deepEqual(bed.pod().status!.containerStatuses![0]!.allocatedResources, { cpu: '3' });
      await bed.stop();
    });

    it('is not taken when the node is full of what others were given', async () => {
      const bed = await startKubelet();
      await bed.run({ containers: [asking('3')] });
      await bed.run({ containers: [asking('2')] }, 'late');
      const { phase, reason, message } = bed.pod('late').status!;
      assert.deepEqual(
        [phase, reason, message],
        [
          'Failed',
          'OutOfcpu',
          "Pod was rejected: Node didn't have enough resource: cpu, requested: 2000, used: 3000, capacity: 4000",
        ],
      );
      await bed.stop();
    });
  });
});
