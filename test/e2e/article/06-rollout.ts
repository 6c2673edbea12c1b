// Updates that nobody notices, and pods that do not fit.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Pod, Service } from '#generated/api/core-v1.ts';
import type { Deployment } from '#generated/api/apps-v1.ts';
import { CLIENT_IMAGE, until } from '../cluster.ts';
import type { Article } from './article.ts';
import { Load, type Tally } from './load.ts';

const API_NODE_PORT = 30_080;
const RATE_PER_SECOND = 110;
const CONTROL_PORT = 9_000;

/** The same load from inside: it runs in the api's image, which has Node, and reports when it is asked to stop. */
const loadPod = (target: string): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'load', namespace: 'app' },
  spec: {
    restartPolicy: 'Never',
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'load',
        image: 'ghcr.io/acme/api:1.4.2',
        command: ['/usr/bin/node', '-e', Load.script([target], RATE_PER_SECOND, CONTROL_PORT)],
      },
    ],
  },
});

export function rolloutTests(article: Article): void {
  describe('a rolling update', () => {
    before(async () => {
      const { cluster } = article;
      const api = (await cluster.get<Service>('app', 'service', 'api')).spec!.clusterIP!;
      await cluster.apply(loadPod(`http://${api}/livez`));
      await cluster.ready('app', 'load');
    });
    after(() =>
      article.cluster.kubectl(['-n', 'app', 'delete', 'pod', 'load', '--ignore-not-found', '--grace-period=1']),
    );

    it('loses no connection of 100 a second through ClusterIP and NodePort', async () => {
      const { cluster } = article;
      const nodes = [...(await cluster.nodeAddresses()).values()];
      const before = await cluster.get<Deployment>('app', 'deployment', 'api');
      assert.deepEqual(before.spec?.strategy?.rollingUpdate, { maxSurge: 1, maxUnavailable: 0 });
      const fromLaptop = new Load(
        nodes.map((ip) => `http://${ip}:${API_NODE_PORT}/livez`),
        RATE_PER_SECOND,
      );
      fromLaptop.start();
      let outside: Tally;
      try {
        await cluster.kubectl(['-n', 'app', 'set', 'env', 'deployment/api', '-c', 'api', 'RELEASE=2']);
        await cluster.kubectl(['-n', 'app', 'rollout', 'status', 'deployment/api', '--timeout=90s'], {
          timeoutMs: 100_000,
        });
        await until(
          'the old pods are gone',
          40_000,
          async () => (await cluster.list<Pod>('app', 'pods', 'app=api')).length === 3,
        );
      } finally {
        outside = await fromLaptop.stop();
      }
      const load = await cluster.get<Pod>('app', 'pod', 'load');
      const inside = JSON.parse(
        await cluster.mustExec('app', article.far.name, [
          'curl',
          '-sS',
          '-m',
          '15',
          `http://${load.status!.podIP}:${CONTROL_PORT}/stop`,
        ]),
      ) as Tally;
      for (const [through, tally] of Object.entries({ NodePort: outside, ClusterIP: inside })) {
        assert.deepEqual(tally.failures, {}, through);
        assert.ok(tally.perSecond >= 100, `${through}: ${tally.perSecond} new connections a second`);
        assert.ok(tally.succeeded > 500, `${through}: ${tally.succeeded}`);
      }
      const pods = await cluster.list<Pod>('app', 'pods', 'app=api');
      assert.deepEqual(
        pods.map((p) => p.spec?.containers[0]?.env?.find((e) => e.name === 'RELEASE')?.value),
        ['2', '2', '2'],
      );
    });

    it('is taken back by rollout undo', async () => {
      const { cluster } = article;
      const revision = (d: Deployment) => Number(d.metadata.annotations?.['deployment.kubernetes.io/revision']);
      const before = revision(await cluster.get<Deployment>('app', 'deployment', 'api'));
      await cluster.kubectl(['-n', 'app', 'rollout', 'undo', 'deployment/api']);
      await cluster.kubectl(['-n', 'app', 'rollout', 'status', 'deployment/api', '--timeout=90s'], {
        timeoutMs: 100_000,
      });
      const now = await cluster.get<Deployment>('app', 'deployment', 'api');
      assert.equal(revision(now), before + 1);
      assert.deepEqual(
        now.spec?.template.spec?.containers[0]?.env?.filter((e) => e.name === 'RELEASE'),
        [],
      );
      assert.equal(now.status?.availableReplicas, 3);
    });
  });

  describe('a pod', () => {
    it('over its memory limit is OOMKilled, with 137', async () => {
      const { cluster } = article;
      await cluster.apply(
        single('hungry', { command: ['tail', '/dev/zero'], resources: { limits: { memory: '48Mi' } } }),
      );
      const ended = await until(
        'hungry ended',
        40_000,
        async () =>
          (await cluster.get<Pod>('default', 'pod', 'hungry')).status?.containerStatuses?.[0]?.state?.terminated,
      );
      assert.deepEqual([ended.reason, ended.exitCode], ['OOMKilled', 137]);
      assert.equal((await cluster.get<Pod>('default', 'pod', 'hungry')).status?.phase, 'Failed');
      await cluster.kubectl(['delete', 'pod', 'hungry']);
    });

    it('that fits nowhere stays Pending with upstream’s message', async () => {
      const { cluster } = article;
      await cluster.apply(single('giant', { resources: { requests: { cpu: '1000' } } }));
      const scheduled = await until('a verdict of the scheduler', 15_000, async () =>
        (await cluster.get<Pod>('default', 'pod', 'giant')).status?.conditions?.find((c) => c.type === 'PodScheduled'),
      );
      assert.deepEqual([scheduled.status, scheduled.reason], ['False', 'Unschedulable']);
      assert.match(
        scheduled.message!,
        /^0\/3 nodes are available: 3 Insufficient cpu\. .*preemption: 0\/3 nodes are available: 3 Preemption is not helpful for scheduling\.$/,
      );
      assert.equal((await cluster.get<Pod>('default', 'pod', 'giant')).status?.phase, 'Pending');
      assert.match(
        await cluster.kubectl(['describe', 'pod', 'giant']),
        /Warning\s+FailedScheduling\s+.*0\/3 nodes are available: 3 Insufficient cpu/,
      );
      await cluster.kubectl(['delete', 'pod', 'giant']);
    });
  });
}

function single(name: string, container: object): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: {
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: 1,
      containers: [{ name: 'main', image: CLIENT_IMAGE, ...container }],
    },
  };
}
