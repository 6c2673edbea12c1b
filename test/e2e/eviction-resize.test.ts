// Nodes that run short send pods away; resources of running pods change in place; host ports are given once. On real control groups,
// with the real kubectl. The nodes are told to be small, so that nothing of the machine itself gets short.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Event, Node, Pod, PodCondition, PodSpec } from '#generated/api/core-v1.ts';
import { TestCluster, until } from './cluster.ts';

const NAMESPACE = 'default';
const IMAGE = 'busybox:1.35';
const isRoot = process.getuid?.() === 0;
/** A look every 10 s, and a machine that may be busy. */
const PATIENCE_MS = 60_000;
/** Half of a node's memory; its own programs need some 100 MiB. */
const UP = ['--node-memory', '1Gi', '--eviction-hard', 'memory.available<450Mi,nodefs.available<1%'];

type Amounts = Readonly<Record<string, string>>;

function makePod(name: string, spec: Partial<PodSpec>, script = 'sleep 1000 & wait', requests: Amounts = {}): Pod {
  const main = { name: 'c', image: IMAGE, command: ['sh', '-c', `trap exit TERM; ${script}`], resources: { requests } };
  const { containers = [{}], ...rest } = spec;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: NAMESPACE },
    spec: { terminationGracePeriodSeconds: 5, ...rest, containers: containers.map((c) => ({ ...main, ...c })) },
  };
}

describe('eviction, resize and host ports', { timeout: 300_000, skip: isRoot ? false : 'needs root' }, () => {
  let cluster: TestCluster;
  before(async () => {
    ({ cluster } = await TestCluster.up(['--nodes', '2', '--eviction-pressure-transition-period', '15s', ...UP]));
  });
  after(async () => {
    await cluster.tryKubectl(['delete', 'pods', '--all', '--grace-period=1'], { timeoutMs: PATIENCE_MS });
    await cluster.down();
  });

  const get = (name: string): Promise<Pod> => cluster.get<Pod>(NAMESPACE, 'pod', name);
  const conditionOf = (pod: Pod, type: string): PodCondition | undefined =>
    pod.status?.conditions?.find((c) => c.type === type);
  const failed = (name: string): Promise<Pod> =>
    until(`pod ${name} Failed`, PATIENCE_MS, async () => {
      const pod = await get(name);
      return pod.status?.phase === 'Failed' && pod;
    });
  const said = async (name: string, reason: string): Promise<readonly string[]> => {
    const events = await cluster.list<Event>(NAMESPACE, 'events');
    return events.filter((e) => e.involvedObject.name === name && e.reason === reason).map((e) => e.message ?? '');
  };
  const resize = (name: string, resources: object) =>
    cluster.tryKubectl([
      'patch',
      'pod',
      name,
      '--subresource',
      'resize',
      '-p',
      JSON.stringify({ spec: { containers: [{ name: 'c', resources }] } }),
    ]);
  /** Memory limit and quota, as the container sees its own control group. */
  const limits = async (name: string): Promise<string> => {
    const files = [
      'if [ -e /sys/fs/cgroup/cgroup.controllers ]; then cat /sys/fs/cgroup/memory.max; cut -d" " -f1 /sys/fs/cgroup/cpu.max',
      'else cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.cfs_quota_us; fi',
    ];
    return (await cluster.mustExec(NAMESPACE, name, ['sh', '-c', files.join('; ')])).split(/\s+/).join(' ');
  };
  const MI = 1024 ** 2;

  describe('a running pod', () => {
    before(async () => {
      const resources = { requests: { cpu: '100m', memory: '16Mi' }, limits: { cpu: '200m', memory: '64Mi' } };
      const resizePolicy = [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }];
      await cluster.apply(
        makePod('plain', { containers: [{ name: 'c', resources }] }),
        makePod('restarts', { containers: [{ name: 'c', resources, resizePolicy }] }),
      );
      await Promise.all(['plain', 'restarts'].map((name) => cluster.ready(NAMESPACE, name)));
    });
    const settled = (name: string, cpu: string) =>
      until(`pod ${name} resized`, PATIENCE_MS, async () => {
        const pod = await get(name);
        const [status] = pod.status!.containerStatuses!;
        return (
          status!.resources?.limits?.['cpu'] === cpu &&
          status!.state?.running !== undefined &&
          conditionOf(pod, 'PodResizeInProgress') === undefined &&
          pod
        );
      });

    it('gets more cpu and memory in its control group, without a restart', async () => {
      assert.equal(await limits('plain'), `${64 * MI} 20000`);
      const patched = await resize('plain', { requests: { cpu: '150m' }, limits: { cpu: '300m', memory: '96Mi' } });
      assert.equal(patched.code, 0, patched.stderr);
      const pod = await settled('plain', '300m');
      assert.equal(await limits('plain'), `${96 * MI} 30000`);
      const [status] = pod.status!.containerStatuses!;
      assert.deepEqual([status!.restartCount, status!.allocatedResources?.['cpu']], [0, '150m']);
      assert.deepEqual([pod.metadata.generation, pod.status!.observedGeneration], [2, 2]);
      await until('events', PATIENCE_MS, async () => (await said('plain', 'ResizeCompleted')).length > 0);
      assert.match((await said('plain', 'ResizeStarted'))[0]!, /^Pod resize started: \{"containers":\[\{"name":"c"/);
    });

    it('is restarted where its policy says so', async () => {
      const patched = await resize('restarts', { limits: { cpu: '250m', memory: '80Mi' } });
      assert.equal(patched.code, 0, patched.stderr);
      const pod = await settled('restarts', '250m');
      assert.equal(await limits('restarts'), `${80 * MI} 25000`);
      assert.equal(pod.status!.containerStatuses![0]!.restartCount, 1);
    });

    it('keeps what it has when the node never has that much, over a restart of the agent too', async () => {
      await resize('plain', { requests: { cpu: '90' }, limits: { cpu: '90' } });
      const pod = await until('PodResizePending', PATIENCE_MS, async () => {
        const now = await get('plain');
        return conditionOf(now, 'PodResizePending') !== undefined && now;
      });
      const pending = conditionOf(pod, 'PodResizePending')!;
      assert.equal(pending.reason, 'Infeasible');
      assert.match(pending.message!, /^Node didn't have enough capacity: cpu, requested: 90000, capacity: \d+$/);
      const agent = `${pod.spec!.nodeName}-agent`;
      const pid = cluster.partPid(agent);
      process.kill(pid, 'SIGKILL');
      await until('another agent', PATIENCE_MS, async () => cluster.partPid(agent) !== pid);
      // It has looked once it follows what is wanted now.
      await resize('plain', { requests: { cpu: '91' }, limits: { cpu: '91' } });
      const after = await until('its answer', PATIENCE_MS, async () => {
        const now = await get('plain');
        return conditionOf(now, 'PodResizePending')?.message?.includes('requested: 91000') === true && now;
      });
      assert.equal(after.status!.containerStatuses![0]!.resources?.limits?.['cpu'], '300m');
      assert.equal(after.status!.containerStatuses![0]!.restartCount, 0);
      assert.equal(await limits('plain'), `${96 * MI} 30000`);
      await resize('plain', { requests: { cpu: '150m' }, limits: { cpu: '300m' } });
      await until(
        'nothing pending',
        PATIENCE_MS,
        async () => conditionOf(await get('plain'), 'PodResizePending') === undefined,
      );
    });

    it('does not get less memory than it uses', async () => {
      await cluster.mustExec(NAMESPACE, 'plain', ['sh', '-c', 'head -c 40000000 /dev/zero > /dev/shm/held']);
      await resize('plain', { limits: { memory: '20Mi' } });
      const pod = await until('an error', PATIENCE_MS, async () => {
        const now = await get('plain');
        return conditionOf(now, 'PodResizeInProgress')?.reason === 'Error' && now;
      });
      assert.match(
        conditionOf(pod, 'PodResizeInProgress')!.message!,
        /^cannot decrease memory limits: .*attempting to set pod memory limit \(20971520\) below current usage \(\d+\)/,
      );
      assert.equal(await limits('plain'), `${96 * MI} 30000`);
      await cluster.mustExec(NAMESPACE, 'plain', ['rm', '/dev/shm/held']);
      await until('less memory', PATIENCE_MS, async () => (await limits('plain')) === `${20 * MI} 30000`);
    });

    it('keeps its class of service', async () => {
      const patched = await resize('plain', { requests: { cpu: '300m', memory: '20Mi' } });
      assert.equal(patched.code, 1);
      assert.match(patched.stderr, /Pod QOS Class may not change as a result of resizing/);
    });
  });

  describe('host ports', () => {
    const ports = [{ containerPort: 8099, hostPort: 8099 }];
    it('are given once a node: the next pod stays Pending, in upstream’s words', async () => {
      const names = ['port-1', 'port-2', 'port-3'];
      for (const name of names.slice(0, 2)) {
        await cluster.apply(makePod(name, { containers: [{ name: 'c', ports }] }));
        await cluster.ready(NAMESPACE, name);
      }
      await cluster.apply(makePod('port-3', { containers: [{ name: 'c', ports }] }));
      const pod = await until('the scheduler’s word', PATIENCE_MS, async () => {
        const now = await get('port-3');
        return conditionOf(now, 'PodScheduled')?.status === 'False' && now;
      });
      assert.equal(pod.status!.phase, 'Pending');
      assert.match(
        conditionOf(pod, 'PodScheduled')!.message!,
        /^0\/2 nodes are available: 2 node\(s\) didn't have free ports for the requested pod ports\. /,
      );
      await cluster.kubectl(['delete', 'pod', 'port-2', '--grace-period=0', '--force']);
      assert.notEqual((await cluster.ready(NAMESPACE, 'port-3')).spec!.nodeName, (await get('port-1')).spec!.nodeName);
    });

    it('are looked at again by the node', async () => {
      const { nodeName } = (await get('port-1')).spec!;
      await cluster.apply(makePod('port-forced', { nodeName, containers: [{ name: 'c', ports }] }));
      const { status } = await failed('port-forced');
      assert.equal(status!.reason, 'NodePorts');
      assert.equal(
        status!.message,
        "Pod was rejected: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
      );
    });

    it('of a pod in the node’s network are its own, and its address is the node’s', async () => {
      await cluster.apply(
        makePod('host', { hostNetwork: true, containers: [{ name: 'c', ports: [{ containerPort: 8098 }] }] }),
      );
      const pod = await cluster.ready(NAMESPACE, 'host');
      assert.equal(pod.spec!.containers[0]!.ports![0]!.hostPort, 8098);
      assert.equal(pod.status!.podIP, (await cluster.nodeAddresses()).get(pod.spec!.nodeName!));
    });
  });

  describe('a node that is short', () => {
    const memory = [{ name: 'm', emptyDir: { medium: 'Memory', sizeLimit: '700Mi' } }];
    const volumeMounts = [{ name: 'm', mountPath: '/m' }];

    it('of memory ends who uses most over its request, and no other', async () => {
      await cluster.apply(makePod('modest', { nodeName: 'node-2' }, undefined, { memory: '16Mi' }));
      await cluster.ready(NAMESPACE, 'modest');
      const eat = 'dd if=/dev/zero of=/m/x bs=1M count=600; sleep 1000 & wait';
      const eater = makePod('eater', { nodeName: 'node-2', volumes: memory }, eat, { memory: '32Mi' });
      await cluster.apply({
        ...eater,
        spec: { ...eater.spec!, containers: eater.spec!.containers.map((c) => ({ ...c, volumeMounts })) },
      });
      const { status } = await failed('eater');
      assert.equal(status!.reason, 'Evicted');
      assert.match(
        status!.message!,
        /^The node was low on resource: memory\. Threshold quantity: 450Mi, available: \d+Ki\. Container c was using \d+Ki, request is 32Mi, has larger consumption of memory\. $/,
      );
      const target = status!.conditions!.find((c) => c.type === 'DisruptionTarget');
      assert.deepEqual([target?.status, target?.reason], ['True', 'TerminationByKubelet']);
      assert.equal((await get('modest')).status!.phase, 'Running');
      assert.deepEqual((await said('node-2', 'EvictionThresholdMet')).slice(0, 1), ['Attempting to reclaim memory']);
      await until('the pressure to be over', PATIENCE_MS, async () => {
        const node = await cluster.get<Node>(NAMESPACE, 'node', 'node-2');
        return node.status!.conditions!.some((c) => c.type === 'MemoryPressure' && c.status === 'False');
      });
    });

    it('ends pods that go beyond their own limits of the disk', async () => {
      const write = (path: string) => `dd if=/dev/zero of=${path} bs=1M count=8; sleep 1000 & wait`;
      const volumes = [{ name: 'm', emptyDir: { sizeLimit: '5Mi' } }];
      const limited = { resources: { limits: { 'ephemeral-storage': '5Mi' } } };
      const script = (text: string) => ({ command: ['sh', '-c', `trap exit TERM; ${text}`] });
      await cluster.apply(
        makePod('cache', { volumes, containers: [{ name: 'c', ...script(write('/m/x')), volumeMounts }] }),
        makePod('writer', { containers: [{ name: 'c', ...script(write('/x')), ...limited }] }),
      );
      const [cache, writer] = await Promise.all([failed('cache'), failed('writer')]);
      assert.equal(cache.status!.message, 'Usage of EmptyDir volume "m" exceeds the limit "5Mi". ');
      assert.equal(
        writer.status!.message,
        'Pod ephemeral local storage usage exceeds the total limit of containers 5Mi. ',
      );
    });
  });
});
