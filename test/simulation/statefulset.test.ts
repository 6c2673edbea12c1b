// A StatefulSet with claims through scheduler, binder, driver and kubelets: in order, scaled 3 → 1 → 3 with the same claims, and a
// volume that stays with a node nobody hears of until its machine is declared gone.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { StatefulSet } from '#generated/api/apps-v1.ts';
import type { Pod } from '#generated/api/core-v1.ts';
import { nodes, persistentvolumeclaims, pods, statefulsets, volumeattachments } from '#generated/resources.ts';
import { parseTime } from '#machinery/time.ts';
import { forbidden, isReady } from './objects.ts';
import { simulated } from './traces.ts';

const MERGE = 'application/merge-patch+json';

const set: StatefulSet = {
  metadata: { name: 'postgres', namespace: 'default' },
  spec: {
    replicas: 3,
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
};

/** When the pod was made, and when it got ready. */
function spanOf(pod: Pod): { readonly made: number; readonly ready: number } {
  const ready = pod.status!.conditions!.find((c) => c.type === 'Ready')!;
  return { made: parseTime(pod.metadata.creationTimestamp!)!, ready: parseTime(ready.lastTransitionTime!)! };
}

describe('a StatefulSet with claims', () => {
  simulated({}, async (cluster) => {
    const { client } = cluster;
    const own = client.resource(statefulsets);
    const all = async () =>
      (await client.resource(pods).list({ namespace: 'default', labelSelector: 'app=postgres' })).items;
    const claims = async () =>
      (await cluster.call(client.resource(persistentvolumeclaims).list({ namespace: 'default' }))).items;
    const ready = (n: number) => async () => {
      const { metadata, status } = (await own.get('default', 'postgres'))!;
      return (
        status?.observedGeneration === metadata.generation &&
        (status?.readyReplicas ?? 0) === n &&
        (await all()).length === n
      );
    };
    const scale = async (replicas: number) => {
      await cluster.call(own.patch('default', 'postgres', MERGE, { spec: { replicas } }));
      await cluster.until(`${replicas} ready`, ready(replicas));
    };
    await cluster.call(own.create(set));
    await cluster.until('3 ready', ready(3));
    const first = (await cluster.call(all())).toSorted((a, b) => (a.metadata.name! < b.metadata.name! ? -1 : 1));
    assert.deepEqual(
      first.map((p) => p.metadata.name),
      ['postgres-0', 'postgres-1', 'postgres-2'],
    );
    // Each begins when the one before it is ready.
    for (const [i, pod] of first.slice(1).entries()) assert.ok(spanOf(pod).made >= spanOf(first[i]!).ready);
    const made = await claims();
    assert.deepEqual(made.map((c) => [c.metadata.name, c.status?.phase]).sort(), [
      ['data-postgres-0', 'Bound'],
      ['data-postgres-1', 'Bound'],
      ['data-postgres-2', 'Bound'],
    ]);

    await scale(1);
    assert.deepEqual(
      (await cluster.call(all())).map((p) => p.metadata.uid),
      [first[0]!.metadata.uid],
    );
    await scale(3);
    const after = await claims();
    const bound = (list: typeof after) => list.map((c) => [c.metadata.uid, c.spec?.volumeName]).sort();
    assert.deepEqual(bound(after), bound(made));

    // The machine of postgres-0 is no longer heard of.
    const volume = after.find((c) => c.metadata.name === 'data-postgres-0')!.spec!.volumeName!;
    const attachedTo = async () =>
      (await client.resource(volumeattachments).list()).items
        .filter((a) => a.spec.source.persistentVolumeName === volume)
        .map((a) => a.spec.nodeName);
    const victim = first[0]!.spec!.nodeName!;
    assert.deepEqual(await cluster.call(attachedTo()), [victim]);
    cluster.cutOff(victim);
    await cluster.pass(60_000);
    await cluster.call(client.resource(pods).delete('default', 'postgres-0', { gracePeriodSeconds: 0 }));
    const elsewhere = async () => {
      const pod = await client.resource(pods).get('default', 'postgres-0');
      return pod?.spec?.nodeName !== undefined && pod.spec.nodeName !== victim ? pod : undefined;
    };
    await cluster.until('postgres-0 is placed elsewhere', async () => (await elsewhere()) !== undefined);
    // Longer than upstream's six minutes: two machines may never write to one disk.
    await cluster.pass(10 * 60_000);
    assert.deepEqual(await cluster.call(attachedTo()), [victim]);
    assert.equal(isReady((await cluster.call(elsewhere()))!), false);

    const node = (await cluster.call(client.resource(nodes).get(undefined, victim)))!;
    const taint = { key: 'node.kubernetes.io/out-of-service', value: 'nodeshutdown', effect: 'NoExecute' };
    const taints = [...(node.spec?.taints ?? []), taint];
    await cluster.call(client.resource(nodes).patch(undefined, victim, MERGE, { spec: { taints } }));
    await cluster.until('postgres-0 runs elsewhere', async () => {
      const pod = await elsewhere();
      return pod !== undefined && isReady(pod);
    });
    assert.deepEqual(await cluster.call(attachedTo()), [(await cluster.call(elsewhere()))!.spec!.nodeName]);
    assert.deepEqual(forbidden(cluster), []);
  });
});
