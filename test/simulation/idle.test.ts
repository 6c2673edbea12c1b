// A cluster in which nothing happens stays as it is, and hardly writes: leases every ten seconds, a node's status every five minutes.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { deployments, events, nodes } from '#generated/resources.ts';
import { isConditionTrue } from '#machinery/conditions.ts';
import { isRolledOut, makeDeployment } from './objects.ts';
import { simulated } from './traces.ts';

/** Longer than any watch, and than two reports. */
const MINUTES = 12;
const LEASE = /PUT \S+\/leases\//;
const STATUS = /PATCH \/api\/v1\/nodes\/\S+\/status/;

describe('an idle cluster', () => {
  simulated({}, async (cluster) => {
    const { client } = cluster;
    await cluster.call(client.resource(deployments).create(makeDeployment('web', { replicas: 3 })));
    await cluster.until('three are available', () => isRolledOut(cluster, 'web'));
    // Until the last node has told of its images.
    await cluster.pass(30_000);
    const before = cluster.trace.length;
    for (let minute = 0; minute < MINUTES; minute++) {
      await cluster.pass(60_000);
      const { items } = await cluster.call(client.resource(nodes).list());
      const ready = items.filter((n) => isConditionTrue(n.status?.conditions, 'Ready') && !n.spec?.taints?.length);
      assert.equal(ready.length, 3, `after ${minute + 1} minutes`);
    }
    const written = cluster.trace.slice(before);
    assert.deepEqual(
      written.filter((line) => !LEASE.test(line) && !STATUS.test(line)),
      [],
    );
    const statuses = written.filter((line) => STATUS.test(line)).length;
    assert.ok(statuses >= 3 * 2 && statuses <= 3 * 3, `${statuses} statuses`);
    const warned = (await cluster.call(client.resource(events).list())).items.filter((e) => e.type === 'Warning');
    assert.deepEqual(warned, []);
  });
});
