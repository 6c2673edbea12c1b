// Who answers for load balancers, while a node is cut off, an API server dies and nodes come: always one node in the end, in seconds
// after a death, and nobody moves anything while only the API is away.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { Service } from '#generated/api/core-v1.ts';
import { leases, services } from '#generated/resources.ts';
import type { SimulatedCluster } from './cluster.ts';
import { forbidden } from './objects.ts';
import { simulated } from './traces.ts';

/** The lease, a look a second, and the way of some messages. */
const MOVED_WITHIN_MS = 8_000;

const makeService = (name: string, loadBalancerIP?: string): Service => ({
  metadata: { name, namespace: 'default' },
  spec: {
    type: 'LoadBalancer',
    selector: { app: name },
    ports: [{ port: 5432 }],
    ...(loadBalancerIP === undefined ? {} : { loadBalancerIP }),
  },
});

/** Nodes that have the address on their card. */
const holders = (cluster: SimulatedCluster, ip: string): readonly string[] =>
  [...cluster.cards].filter(([, card]) => card.now.includes(ip)).map(([name]) => name);

/** The node that packets for the address get to. */
const reached = (cluster: SimulatedCluster, ip: string): string | undefined =>
  [...cluster.cards].find(([, card]) => card === cluster.neighbours.get(ip) && card.now.includes(ip))?.[0];

describe('load balancers in failure', () => {
  simulated({ loadBalancers: true }, async (cluster) => {
    const { client, clock } = cluster;
    const names = Array.from({ length: 6 }, (_, i) => `db-${i}`);
    for (const name of names) await cluster.call(client.resource(services).create(makeService(name)));
    let ips: readonly string[] = [];
    await cluster.until('every service has an address', async () => {
      const { items } = await client.resource(services).list({ namespace: 'default' });
      ips = items.flatMap((s) => s.status?.loadBalancer?.ingress?.map((i) => i.ip!) ?? []);
      return ips.length === names.length;
    });
    assert.equal(new Set(ips).size, names.length);
    const settled = async (but: readonly string[] = []) =>
      ips.every((ip) => {
        const at = reached(cluster, ip);
        return (
          at !== undefined && !but.includes(at) && holders(cluster, ip).filter((h) => !but.includes(h)).length === 1
        );
      });
    await cluster.until('every address is with one node', settled, MOVED_WITHIN_MS);
    const before = ips.map((ip) => reached(cluster, ip));

    // The API alone is away: nothing moves, then and afterwards.
    await cluster.killServer();
    await cluster.pass(30_000);
    assert.deepEqual(
      ips.map((ip) => reached(cluster, ip)),
      before,
    );
    await cluster.bootServer();
    for (let i = 0; i < 20; i++) {
      await cluster.pass(1_000);
      assert.deepEqual(
        ips.map((ip) => reached(cluster, ip)),
        before,
        `${i} s after the server is back`,
      );
    }

    // A node is lost: what it had is elsewhere within seconds, long before anybody calls it NotReady.
    const victim = before[0]!;
    cluster.cutOff(victim);
    const cutAt = clock.now();
    await cluster.until('its addresses are elsewhere', () => settled([victim]), MOVED_WITHIN_MS);
    assert.ok(clock.now() - cutAt <= MOVED_WITHIN_MS);
    for (const [i, ip] of ips.entries())
      if (before[i] !== victim) assert.equal(reached(cluster, ip), before[i], 'others stay where they are');

    cluster.rejoin(victim);
    await cluster.until(
      'all is as it was',
      async () => ips.every((ip, i) => reached(cluster, ip) === before[i]),
      60_000,
    );
    await cluster.pass(5_000);
    for (const ip of ips) assert.equal(holders(cluster, ip).length, 1);

    // An address that is asked for by name is refused while another has it, and given once it is free.
    await cluster.call(client.resource(services).create(makeService('wants', ips[0])));
    await cluster.pass(10_000);
    const wants = async () => (await client.resource(services).get('default', 'wants'))?.status?.loadBalancer?.ingress;
    assert.equal(await cluster.call(wants()), undefined);
    for (const name of names) await cluster.call(client.resource(services).delete('default', name));
    await cluster.until('the wish is met', async () => (await wants())?.[0]?.ip === ips[0]);
    await cluster.call(client.resource(services).delete('default', 'wants'));
    await cluster.until('nobody has or says anything any more', async () => {
      const { items } = await client.resource(leases).list({ labelSelector: 'coracle.dev/load-balancer-speaker=true' });
      return items.length === 0 && ips.every((ip) => holders(cluster, ip).length === 0);
    });
    assert.deepEqual(forbidden(cluster), []);
  });
});
