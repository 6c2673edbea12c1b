// DaemonSets, the metrics API, the HorizontalPodAutoscaler and draining under a PodDisruptionBudget: through the real kubectl, with
// real containers that really burn CPU.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { DaemonSet, Deployment } from '#generated/api/apps-v1.ts';
import type { HorizontalPodAutoscaler } from '#generated/api/autoscaling-v2.ts';
import type { Pod } from '#generated/api/core-v1.ts';
import { CLIENT_IMAGE, TestCluster, until } from './cluster.ts';

const NAMESPACE = 'default';
const isRoot = process.getuid?.() === 0;

const template = (app: string, containers: readonly object[]) => ({
  metadata: { labels: { app } },
  spec: { terminationGracePeriodSeconds: 1, containers },
});
const workload = (kind: 'DaemonSet' | 'Deployment', name: string, spec: object) => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name, namespace: NAMESPACE },
  spec: { selector: { matchLabels: { app: name } }, ...spec },
});
const container = (name: string, line: string, cpu: string, limit?: string) => ({
  name,
  image: CLIENT_IMAGE,
  command: ['sh', '-c', line],
  resources: { requests: { cpu }, ...(limit === undefined ? {} : { limits: { cpu: limit } }) },
});

/** Burns until somebody writes /tmp/rest. */
const BURN = 'while :; do [ -e /tmp/rest ] && sleep 1; done';

describe('DaemonSet, metrics, autoscaler and drain', { timeout: 300_000, skip: isRoot ? false : 'needs root' }, () => {
  let cluster: TestCluster;
  before(async () => {
    ({ cluster } = await TestCluster.up(['--nodes', '2']));
    await cluster.apply(
      workload('DaemonSet', 'agent', { template: template('agent', [container('agent', 'exec sleep 1000', '1m')]) }),
      workload('Deployment', 'burn', {
        replicas: 1,
        template: template('burn', [
          container('burn', BURN, '40m', '120m'),
          container('rest', 'exec sleep 1000', '10m'),
        ]),
      }),
      {
        apiVersion: 'autoscaling/v2',
        kind: 'HorizontalPodAutoscaler',
        metadata: { name: 'burn', namespace: NAMESPACE },
        spec: {
          scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'burn' },
          maxReplicas: 3,
          metrics: [
            { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } },
          ],
          behavior: { scaleDown: { stabilizationWindowSeconds: 0 } },
        },
      },
    );
  });
  after(async () => {
    await cluster.tryKubectl([
      'delete',
      '--now',
      '--ignore-not-found',
      'hpa/burn',
      'ds/agent',
      'deploy/burn',
      'pdb/burn',
    ]);
    for (const node of await cluster.nodeNames()) await cluster.tryKubectl(['uncordon', node]);
    await cluster.down();
  });
  const kubectl = (...args: readonly string[]) => cluster.kubectl(['-n', NAMESPACE, ...args], { timeoutMs: 60_000 });
  const podsOf = (app: string) => cluster.list<Pod>(NAMESPACE, 'pods', `app=${app}`);
  const replicas = async () => (await cluster.get<Deployment>(NAMESPACE, 'deploy', 'burn')).spec!.replicas!;

  it('runs a DaemonSet on every node, rolls it out and back', async () => {
    await kubectl('rollout', 'status', 'ds/agent', '--timeout=60s');
    const nodes = (await podsOf('agent')).map((p) => p.spec!.nodeName!).sort();
    assert.deepEqual(nodes, [...(await cluster.nodeNames())].sort());
    const image = async () =>
      (await cluster.get<DaemonSet>(NAMESPACE, 'ds', 'agent')).spec!.template.spec!.containers[0]!.image;
    await kubectl('set', 'image', 'ds/agent', 'agent=busybox:1.35');
    await kubectl('rollout', 'status', 'ds/agent', '--timeout=60s');
    assert.match(await kubectl('rollout', 'history', 'ds/agent'), /^1 .*\n2 /m);
    await kubectl('rollout', 'undo', 'ds/agent');
    await kubectl('rollout', 'status', 'ds/agent', '--timeout=60s');
    assert.equal(await image(), CLIENT_IMAGE);
    assert.deepEqual(
      new Set((await podsOf('agent')).map((p) => p.spec!.containers[0]!.image)),
      new Set([CLIENT_IMAGE]),
    );
  });

  it('tells kubectl top what nodes, pods and containers use', async () => {
    const rows = async (...args: readonly string[]) =>
      (await kubectl('top', ...args, '--no-headers'))
        .trim()
        .split('\n')
        .map((line) => line.trim().split(/\s+/));
    const nodes = await rows('nodes');
    assert.deepEqual(nodes.map(([name]) => name!).sort(), [...(await cluster.nodeNames())].sort());
    const containers = await until('both containers measured', 20_000, async () => {
      const found = (await rows('pod', '--containers', '-l', 'app=burn')).filter(([pod]) => pod!.startsWith('burn-'));
      return found.length >= 2 && found;
    });
    const milli = (name: string) => Number(/^(\d+)m$/.exec(containers.find((row) => row[1] === name)![2]!)![1]);
    // Quota lets it have 120 thousandths of a core; on a busy machine it gets less.
    assert.ok(milli('burn') >= 20 && milli('burn') <= 180, `burn uses ${milli('burn')}m`);
    assert.ok(milli('rest') <= 10, `rest uses ${milli('rest')}m`);
    const table = await kubectl('get', 'pods.metrics.k8s.io', '-l', 'app=agent', '--no-headers');
    assert.equal(table.trim().split('\n').length, 2);
  });

  it('gives metrics to whom may view, and to nobody else', async () => {
    await kubectl('create', 'rolebinding', 'viewer', '--clusterrole=view', '--user=vera');
    await until('the view role has the rule', 10_000, async () =>
      (await cluster.tryKubectl(['auth', 'can-i', 'list', 'pods.metrics.k8s.io', '--as', 'vera'])).stdout.startsWith(
        'yes',
      ),
    );
    assert.equal((await cluster.tryKubectl(['top', 'pods', '--as', 'vera'])).code, 0);
    const refused = await cluster.tryKubectl(['top', 'pods', '--as', 'otto']);
    assert.match(refused.stderr, /pods.metrics.k8s.io is forbidden: User "otto" cannot list resource "pods"/);
  });

  it('scales what burns CPU up, and down again when it rests', async () => {
    await until('scaled up', 60_000, async () => (await replicas()) === 3);
    const autoscaler = await cluster.get<HorizontalPodAutoscaler>(NAMESPACE, 'hpa', 'burn');
    const condition = (type: string) => autoscaler.status!.conditions!.find((c) => c.type === type)!.status;
    assert.equal(condition('ScalingActive'), 'True');
    const events = await kubectl('get', 'events', '--field-selector', 'reason=SuccessfulRescale', '-o', 'name');
    assert.notEqual(events.trim(), '');
    await kubectl('rollout', 'status', 'deploy/burn', '--timeout=60s');
    for (const pod of await podsOf('burn'))
      await cluster.mustExec(NAMESPACE, pod.metadata.name!, ['touch', '/tmp/rest'], { container: 'burn' });
    await until('scaled down', 60_000, async () => (await replicas()) < 3);
    await kubectl('delete', 'hpa', 'burn');
  });

  it('drains a node as far as the budget allows, and to its end when there are enough', async () => {
    await kubectl('scale', 'deploy/burn', '--replicas=2');
    await kubectl('rollout', 'status', 'deploy/burn', '--timeout=60s');
    await kubectl('create', 'pdb', 'burn', '--selector=app=burn', '--min-available=2');
    const allowed = (n: number) =>
      until(`${n} disruptions allowed`, 20_000, async () => {
        const text = await kubectl(
          'get',
          'pdb',
          'burn',
          '-o',
          'jsonpath={.status.disruptionsAllowed} {.status.currentHealthy}',
        );
        return text === `${n} ${n + 2}`;
      });
    await allowed(0);
    const node = (await podsOf('burn'))[0]!.spec!.nodeName!;
    const drain = (seconds: number) =>
      cluster.tryKubectl(['drain', node, '--ignore-daemonsets', '--delete-emptydir-data', `--timeout=${seconds}s`], {
        timeoutMs: 60_000,
      });
    const blocked = await drain(4);
    assert.equal(blocked.code, 1);
    assert.match(blocked.stderr, /Cannot evict pod as it would violate the pod's disruption budget\./);
    await kubectl('scale', 'deploy/burn', '--replicas=3');
    await kubectl('rollout', 'status', 'deploy/burn', '--timeout=60s');
    await allowed(1);
    const done = await drain(50);
    assert.equal(done.code, 0, done.stderr);
    assert.match(done.stdout, new RegExp(`node/${node} drained`));
    assert.ok((await podsOf('burn')).every((p) => p.spec!.nodeName !== node));
    // What belongs on every node stays.
    assert.equal((await podsOf('agent')).filter((p) => p.spec!.nodeName === node).length, 1);
  });
});
