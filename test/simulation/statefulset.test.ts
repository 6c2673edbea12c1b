// A StatefulSet with claims through the real API server, with every controller's own rights: provisioned, bound, attached,
// scaled 3 → 1 → 3 with the same claims, and a volume that stays with a silent node until its machine is declared gone.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { StatefulSet } from '#generated/api/apps-v1.ts';
import {
  nodes,
  persistentvolumeclaims,
  persistentvolumes,
  pods,
  statefulsets,
  storageclasses,
  volumeattachments,
} from '#generated/resources.ts';
import { attachedName } from '#controllers/volume-driver.ts';
import { SimulatedCluster } from './cluster.ts';

const set = (replicas: number): StatefulSet => ({
  metadata: { name: 'postgres', namespace: 'default' },
  spec: {
    replicas,
    serviceName: 'postgres',
    selector: { matchLabels: { app: 'postgres' } },
    template: {
      metadata: { labels: { app: 'postgres' } },
      spec: {
        containers: [{ name: 'postgres', image: 'postgres:17', volumeMounts: [{ name: 'data', mountPath: '/data' }] }],
      },
    },
    volumeClaimTemplates: [
      {
        metadata: { name: 'data' },
        spec: {
          accessModes: ['ReadWriteOnce'],
          storageClassName: 'standard',
          resources: { requests: { storage: '1Gi' } },
        },
      },
    ],
  },
});

describe('a StatefulSet with claims', () => {
  it('keeps its claims over scaling, and its volume on a silent node until the machine is declared out of service', async () => {
    const lines: string[] = [];
    const cluster = new SimulatedCluster({ seed: 7, log: (line) => void lines.push(line) });
    const { client } = cluster;
    const own = client.resource(statefulsets);
    const ready = (n: number) => async () => {
      const { status } = (await own.get('default', 'postgres'))!;
      return status?.readyReplicas === n && status.replicas === n;
    };
    const scale = async (replicas: number) => {
      const present = (await own.get('default', 'postgres'))!;
      await own.update({ ...present, spec: { ...present.spec!, replicas } });
      await cluster.until(`${replicas} ready`, ready(replicas));
    };
    const attachments = async (volume: string) =>
      (await client.resource(volumeattachments).list()).items.filter(
        (a) => a.spec.source.persistentVolumeName === volume,
      );
    try {
      await cluster.start();
      await client
        .resource(storageclasses)
        .create({ metadata: { name: 'standard' }, provisioner: 'volumes.coracle.dev', volumeBindingMode: 'Immediate' });
      await own.create(set(3));
      await cluster.until('3 ready', ready(3));
      const claims = (await client.resource(persistentvolumeclaims).list({ namespace: 'default' })).items;
      assert.deepEqual(claims.map((c) => [c.metadata.name, c.status?.phase]).sort(), [
        ['data-postgres-0', 'Bound'],
        ['data-postgres-1', 'Bound'],
        ['data-postgres-2', 'Bound'],
      ]);
      await scale(1);
      await scale(3);
      const after = (await client.resource(persistentvolumeclaims).list({ namespace: 'default' })).items;
      assert.deepEqual(after.map((c) => c.metadata.uid).sort(), claims.map((c) => c.metadata.uid).sort());

      const volume =
        claims.find((c) => c.metadata.name === 'data-postgres-0')!.spec!.volumeName ??
        after.find((c) => c.metadata.name === 'data-postgres-0')!.spec!.volumeName!;
      const victim = (await client.resource(pods).get('default', 'postgres-0'))!.spec!.nodeName!;
      assert.deepEqual(
        (await attachments(volume)).map((a) => [a.spec.nodeName, a.status?.attached]),
        [[victim, true]],
      );
      const handle = (await client.resource(persistentvolumes).get(undefined, volume))!.spec!.csi!.volumeHandle;
      await client
        .resource(nodes)
        .patch(
          undefined,
          victim,
          'application/merge-patch+json',
          { status: { volumesInUse: [attachedName(handle)] } },
          { subresource: 'status' },
        );

      cluster.silent.add(victim);
      await cluster.pass(60_000);
      await client.resource(pods).delete('default', 'postgres-0', { gracePeriodSeconds: 0 });
      await cluster.until('postgres-0 is placed elsewhere', async () => {
        const pod = await client.resource(pods).get('default', 'postgres-0');
        return pod?.spec?.nodeName !== undefined && pod.spec.nodeName !== victim;
      });
      // Longer than upstream's six minutes.
      await cluster.pass(10 * 60_000);
      assert.deepEqual(
        (await attachments(volume)).map((a) => a.spec.nodeName),
        [victim],
      );

      const node = (await client.resource(nodes).get(undefined, victim))!;
      const taints = [
        ...(node.spec?.taints ?? []),
        { key: 'node.kubernetes.io/out-of-service', value: 'nodeshutdown', effect: 'NoExecute' },
      ];
      await client.resource(nodes).patch(undefined, victim, 'application/merge-patch+json', { spec: { taints } });
      await cluster.until('the volume is attached elsewhere', async () => {
        const [now] = await attachments(volume);
        return now !== undefined && now.spec.nodeName !== victim && now.status?.attached === true;
      });
      assert.deepEqual(
        cluster.trace.filter((t) => t.endsWith(' 403')),
        [],
      );
    } catch (error) {
      const warnings = lines.filter((l) => l.includes('"warn"') || l.includes('failed')).slice(-10);
      throw new Error(`${(error as Error).message}\n${warnings.join('')}\n${cluster.trace.slice(-30).join('\n')}`, {
        cause: error,
      });
    } finally {
      await cluster.stop();
    }
  });
});
