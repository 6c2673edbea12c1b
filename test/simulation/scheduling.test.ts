// A pod that fits nowhere says why, and runs as soon as a node for it has come.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { events, pods } from '#generated/resources.ts';
import { forbidden, isReady } from './objects.ts';
import { simulated } from './traces.ts';

const WHY =
  '0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.';

describe('a pod that fits nowhere until a node is added', () => {
  simulated({ shape: { cpus: '2', memory: '4Gi' } }, async (cluster) => {
    const { client } = cluster;
    const own = () => client.resource(pods).get('default', 'big');
    const told = async () =>
      (await client.resource(events).list({ namespace: 'default' })).items.filter(
        (e) => e.involvedObject.name === 'big',
      );
    await cluster.call(
      client.resource(pods).create({
        metadata: { name: 'big', namespace: 'default' },
        spec: { containers: [{ name: 'big', image: 'big:1', resources: { requests: { cpu: '4' } } }] },
      }),
    );
    await cluster.until('the scheduler says why', async () => (await told()).length > 0);
    const [event] = await cluster.call(told());
    assert.deepEqual([event!.type, event!.reason, event!.message], ['Warning', 'FailedScheduling', WHY]);
    const condition = (await cluster.call(own()))!.status!.conditions!.find((c) => c.type === 'PodScheduled')!;
    assert.deepEqual([condition.status, condition.reason, condition.message], ['False', 'Unschedulable', WHY]);

    // Small ones still run beside it.
    await cluster.call(
      client.resource(pods).create({
        metadata: { name: 'small', namespace: 'default' },
        spec: { containers: [{ name: 'small', image: 'small:1', resources: { requests: { cpu: '1' } } }] },
      }),
    );
    await cluster.until('the small pod runs', async () => {
      const pod = await client.resource(pods).get('default', 'small');
      return pod !== undefined && isReady(pod);
    });
    await cluster.pass(120_000);
    assert.equal((await cluster.call(own()))!.spec!.nodeName, undefined);

    await cluster.addNode('node-4', { cpus: '8' });
    const addedAt = cluster.clock.now();
    await cluster.until('the big pod runs', async () => isReady((await own())!));
    // The new node wakes it: it does not wait for the queue's five minutes.
    assert.ok(cluster.clock.now() - addedAt < 20_000, `after ${cluster.clock.now() - addedAt} ms`);
    assert.equal((await cluster.call(own()))!.spec!.nodeName, 'node-4');
    assert.ok((await cluster.call(told())).some((e) => e.reason === 'Scheduled'));
    assert.deepEqual(forbidden(cluster), []);
  });
});
