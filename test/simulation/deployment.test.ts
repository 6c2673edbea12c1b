// A Deployment's life: apply, roll, undo, down to nothing; scheduler and kubelets do the rest.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { deployments, endpointslices, replicasets, services } from '#generated/resources.ts';
import { forbidden, isReady, isRolledOut, livingPods, makeDeployment } from './objects.ts';
import { simulated } from './traces.ts';

const MERGE = 'application/merge-patch+json';
const REVISION = 'deployment.kubernetes.io/revision';

describe('a Deployment of three, rolled, undone and scaled to nothing', () => {
  simulated({}, async (cluster) => {
    const { client } = cluster;
    const own = client.resource(deployments);
    const rolledOut = (what: string) => cluster.until(what, () => isRolledOut(cluster, 'web'));
    const sets = async () => (await cluster.call(client.resource(replicasets).list({ namespace: 'default' }))).items;
    const ready = async () => {
      const { items } = await client.resource(endpointslices).list({ namespace: 'default' });
      const mine = items.filter((s) => s.metadata.labels?.['kubernetes.io/service-name'] === 'web');
      return mine.flatMap((s) => s.endpoints ?? []).filter((e) => e.conditions?.ready).length;
    };

    const service = { metadata: { name: 'web' }, spec: { selector: { app: 'web' }, ports: [{ port: 80 }] } };
    await cluster.call(
      client.resource(services).create({ ...service, metadata: { name: 'web', namespace: 'default' } }),
    );
    await cluster.call(own.create(makeDeployment('web', { replicas: 3 })));
    await rolledOut('three are available');
    await cluster.until('three endpoints are ready', async () => (await ready()) === 3);
    // The scheduler spreads them over the three nodes.
    const placed = await cluster.call(livingPods(cluster, 'web'));
    assert.equal(new Set(placed.map((p) => p.spec!.nodeName)).size, 3);
    assert.equal(new Set(placed.map((p) => p.status!.podIP)).size, 3);
    const [first] = await sets();

    const template = (image: string) => ({ spec: { template: { spec: { containers: [{ name: 'web', image }] } } } });
    await cluster.call(own.patch('default', 'web', MERGE, template('web:2')));
    // Never fewer than maxUnavailable (25 % of 3, rounded down: none) allows.
    await cluster.until('the new image is rolled out', async () => {
      const serving = (await livingPods(cluster, 'web')).filter(isReady).length;
      assert.ok(serving >= 3, `${serving} ready pods in the middle of the update`);
      return isRolledOut(cluster, 'web');
    });
    assert.equal((await sets()).length, 2);

    // As `kubectl rollout undo`: the template of the ReplicaSet before.
    const { 'pod-template-hash': _hash, ...labels } = first!.spec!.template!.metadata!.labels!;
    const before = { ...first!.spec!.template!, metadata: { labels } };
    await cluster.call(
      own.patch('default', 'web', 'application/json-patch+json', [
        { op: 'replace', path: '/spec/template', value: before },
      ] as never),
    );
    await rolledOut('the old image is back');
    const back = await sets();
    assert.deepEqual(back.map((s) => s.metadata.annotations?.[REVISION]).sort(), ['2', '3']);
    assert.equal(back.find((s) => s.spec!.replicas === 3)?.metadata.uid, first!.metadata.uid);

    await cluster.call(own.patch('default', 'web', MERGE, { spec: { replicas: 0 } }));
    await rolledOut('none is left');
    await cluster.until('no endpoint is left', async () => (await ready()) === 0);
    assert.deepEqual(forbidden(cluster), []);
  });
});
