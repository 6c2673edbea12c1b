// The API server is killed in the middle of work and starts again on its store: nothing acknowledged is lost, nothing is made twice,
// and the cluster ends as one whose server lived on.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deployments, events, nodes, pods, replicasets, services } from '#generated/resources.ts';
import type { SimulatedCluster } from './cluster.ts';
import { forbidden, isReady, isRolledOut, livingPods, makeDeployment } from './objects.ts';
import { run, simulated } from './traces.ts';

const MERGE = 'application/merge-patch+json';
/** No server for less than a node's grace. */
const DOWN_MS = 15_000;

/** `restart` is called at the moments at which a server may die; `told` gets what the cluster came to. */
async function scenario(
  cluster: SimulatedCluster,
  restart: () => Promise<void>,
  told: (end: unknown) => void = () => {},
): Promise<void> {
  const { client } = cluster;
  await cluster.call(
    client.resource(services).create({
      metadata: { name: 'web', namespace: 'default' },
      spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
    }),
  );
  const { clusterIP } = (await cluster.call(client.resource(services).get('default', 'web')))!.spec!;
  await cluster.call(client.resource(deployments).create(makeDeployment('still', { replicas: 2 })));
  await cluster.until('what stays is there', () => isRolledOut(cluster, 'still'));
  const before = (await cluster.call(livingPods(cluster, 'still'))).map((p) => p.metadata.uid).sort();

  // Right after a Deployment was acknowledged, and before anybody has acted on it.
  await cluster.call(client.resource(deployments).create(makeDeployment('web', { replicas: 3 })));
  await restart();
  await cluster.until('the Deployment made before is available', () => isRolledOut(cluster, 'web'));
  assert.equal((await cluster.call(client.resource(services).get('default', 'web')))!.spec!.clusterIP, clusterIP);

  // In the middle of a rollout.
  const template = { spec: { template: { spec: { containers: [{ name: 'web', image: 'web:2' }] } } } };
  await cluster.call(client.resource(deployments).patch('default', 'web', MERGE, template));
  await cluster.pass(12);
  await restart();
  await cluster.until('the rollout is whole', () => isRolledOut(cluster, 'web'));

  // While pods are on their way out.
  await cluster.call(client.resource(deployments).patch('default', 'web', MERGE, { spec: { replicas: 1 } }));
  await cluster.pass(20);
  await restart();
  await cluster.until('one is left', () => isRolledOut(cluster, 'web'));
  await cluster.pass(60_000);

  // Whoever had nothing to do with it has not noticed.
  const after = await cluster.call(livingPods(cluster, 'still'));
  assert.deepEqual(after.map((p) => p.metadata.uid).sort(), before);
  assert.ok(after.every((p) => isReady(p) && p.status!.containerStatuses!.every((c) => c.restartCount === 0)));
  const warned = (await cluster.call(client.resource(events).list())).items.filter((e) => e.type === 'Warning');
  assert.deepEqual(
    warned.filter((e) => e.involvedObject.kind === 'Node').map((e) => `${e.reason} ${e.message}`),
    [],
  );
  assert.deepEqual(forbidden(cluster), []);
  const all = (await cluster.call(client.resource(pods).list())).items;
  const sets = (await cluster.call(client.resource(replicasets).list())).items;
  told({
    pods: all.map((p) => [p.metadata.labels!['app'], p.status!.phase, p.spec!.containers[0]!.image]).sort(),
    sets: sets.map((s) => [s.metadata.name, s.spec!.replicas, s.status!.replicas, s.metadata.annotations]).sort(),
    nodes: (await cluster.call(client.resource(nodes).list())).items.map((n) => [n.metadata.name, n.spec]),
  });
}

async function killAndBoot(cluster: SimulatedCluster): Promise<void> {
  await cluster.killServer();
  await cluster.pass(DOWN_MS);
  await cluster.bootServer();
}

describe('an API server that is killed and starts again on its store', () => {
  simulated({}, (cluster) => scenario(cluster, () => killAndBoot(cluster)));

  it('leaves the cluster as a server that lived on', async () => {
    const ends: unknown[] = [];
    const told = (end: unknown) => void ends.push(end);
    await run({ seed: 1 }, (cluster) => scenario(cluster, () => killAndBoot(cluster), told));
    await run({ seed: 1 }, (cluster) => scenario(cluster, async () => {}, told));
    assert.deepEqual(ends[0], ends[1]);
  });
});
