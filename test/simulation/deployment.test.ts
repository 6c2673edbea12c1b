// The pipeline with a Deployment chain on one seed: API server, Deployment and ReplicaSet controllers, slices, hollow nodes.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Deployment } from '#generated/api/apps-v1.ts';
import { deployments, endpointslices, namespaces, pods, replicasets, services } from '#generated/resources.ts';
import { SimulatedCluster } from './cluster.ts';

const deployment = (image: string): Deployment => ({
  metadata: { name: 'web', namespace: 'shop' },
  spec: {
    replicas: 4,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image }] } },
  },
});

/** Applies, rolls, loses a node, deletes the namespace. Returns the trace of writes. */
async function scenario(seed: number): Promise<readonly string[]> {
  const lines: string[] = [];
  const cluster = new SimulatedCluster({ seed, log: (line) => void lines.push(line) });
  const { client } = cluster;
  const own = client.resource(deployments);
  const available = async (image: string) => {
    const d = await own.get('shop', 'web');
    const running = (await client.resource(pods).list({ namespace: 'shop' })).items.filter(
      (p) => p.spec!.containers[0]!.image === image && p.metadata.deletionTimestamp === undefined,
    );
    return (
      d?.status?.availableReplicas === 4 &&
      d.status.updatedReplicas === 4 &&
      d.status.replicas === 4 &&
      running.length === 4
    );
  };
  try {
    await cluster.start();
    await client.resource(namespaces).create({ metadata: { name: 'shop' } });
    await cluster.pass(2000);
    await client
      .resource(services)
      .create({
        metadata: { name: 'web', namespace: 'shop' },
        spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
      });
    await own.create(deployment('web:1'));
    await cluster.until('the Deployment is available', () => available('web:1'));

    const present = (await own.get('shop', 'web'))!;
    await own.update({ ...present, spec: { ...present.spec!, template: deployment('web:2').spec!.template } });
    await cluster.until('the new image is rolled out', () => available('web:2'));
    assert.equal((await client.resource(replicasets).list({ namespace: 'shop' })).items.length, 2);

    const slices = (await client.resource(endpointslices).list({ namespace: 'shop' })).items;
    assert.equal(slices.flatMap((s) => s.endpoints ?? []).filter((e) => e.conditions?.ready).length, 4);

    // The pods of a node whose agent is gone are replaced elsewhere.
    const victim = (await client.resource(pods).list({ namespace: 'shop' })).items[0]!.spec!.nodeName!;
    cluster.silent.add(victim);
    await cluster.until('no ready pod is left on the silent node', async () => {
      const alive = (await client.resource(pods).list({ namespace: 'shop' })).items.filter(
        (p) => p.metadata.deletionTimestamp === undefined,
      );
      return alive.length === 4 && alive.every((p) => p.spec!.nodeName !== victim && p.status?.phase === 'Running');
    });
    cluster.silent.delete(victim);

    // Every controller has the rights it needs; later, only new content of a terminating namespace is refused.
    assert.deepEqual(
      cluster.trace.filter((t) => t.endsWith(' 403')),
      [],
    );
    await client.resource(namespaces).delete(undefined, 'shop');
    await cluster.until(
      'the namespace is gone',
      async () => (await client.resource(namespaces).get(undefined, 'shop')) === undefined,
    );
  } catch (error) {
    const warnings = lines
      .filter((l) => l.includes('"warn"') || l.includes('"error"') || l.includes('forbidden') || l.includes('failed'))
      .slice(-20);
    throw new Error(`${(error as Error).message}\n${warnings.join('')}\n${cluster.trace.slice(-30).join('\n')}`, {
      cause: error,
    });
  } finally {
    await cluster.stop();
  }
  return cluster.trace;
}

describe('a Deployment from apply to the end of its namespace, with a node lost on the way', () => {
  it('leaves the same trace twice on one seed', async () => {
    const first = await scenario(1);
    const second = await scenario(1);
    assert.ok(first.length > 100);
    assert.deepEqual(second, first);
  });

  it('leaves another trace on another seed', async () => {
    assert.notDeepEqual(await scenario(2), await scenario(3));
  });
});
