import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';
import type { Service } from '#generated/api/core-v1.ts';
import { endpointslices, leases, nodes, services } from '#generated/resources.ts';
import { SteppedClock, settle } from '#base/clock.ts';
import { parseIPRange } from '#base/ip.ts';
import { silentLog } from '#base/log.ts';
import { SeededRandom } from '#base/random.ts';
import { createInformers } from '#client/informers.ts';
import { createClient } from '#client/rest-client.ts';
import { TestApi } from '#client/testing.ts';
import { createInProcessTransport } from '#client/transports/in-process.ts';
import type { Exchange } from '#machinery/exchange.ts';
import { StatusError } from '#machinery/status.ts';
import { HOLDS_ANNOTATION, ranked, SPEAKER_LABEL, SPEAKER_NAMESPACE } from '#netmodel/load-balancers.ts';
import { FakeCard, type Neighbours } from './fake-card.ts';
import { Speaker } from './speaker.ts';

const IPS = Array.from({ length: 8 }, (_, i) => `192.168.77.${201 + i}`);
const NAMES = ['one', 'two', 'three'];

class World {
  readonly api = new TestApi();
  readonly clock = new SteppedClock();
  readonly neighbours: Neighbours = new Map();
  readonly cards = new Map<string, FakeCard>();
  readonly #stops = new Map<string, () => Promise<void>>();
  /** Nodes that the API cannot be reached from. */
  readonly cut = new Set<string>();
  down = false;

  async addNode(name: string): Promise<void> {
    this.api.put(nodes, {
      metadata: { name, uid: `uid-${name}` },
      status: { conditions: [{ type: 'Ready', status: 'True' }] },
    });
    this.cards.set(name, new FakeCard(this.clock, this.neighbours));
    await this.startAgent(name);
  }

  async startAgent(name: string): Promise<void> {
    const { clock, api } = this;
    const exchange: Exchange = async (request) => {
      if (this.cut.has(name) || this.down) throw new StatusError(503, 'ServiceUnavailable', 'not reached');
      return api.exchange(request);
    };
    const client = createClient({
      transport: createInProcessTransport(exchange, { name, groups: [] }),
      clock,
      userAgent: 'test',
    });
    const informers = createInformers({ client, clock, random: new SeededRandom(1), log: silentLog }, { freeze: true });
    const speaker = new Speaker({
      services: informers.informer(services),
      slices: informers.informer(endpointslices),
      nodes: informers.informer(nodes),
      leases: informers.informer(leases, { namespace: SPEAKER_NAMESPACE, labelSelector: `${SPEAKER_LABEL}=true` }),
      client,
      card: this.cards.get(name)!,
      clock,
      log: silentLog,
      nodeName: name,
      ranges: [parseIPRange('192.168.77.201-192.168.77.253')!],
    });
    const signal = new AbortController().signal;
    const started = Promise.all([informers.start(signal), speaker.start(signal)]);
    this.#stops.set(name, async () => {
      await speaker.stop();
      await informers.stop();
    });
    await this.pass(100);
    await started;
  }

  /** The agent ends; what the kernel has stays. */
  async killAgent(name: string): Promise<void> {
    await this.#stops.get(name)!();
    this.#stops.delete(name);
  }

  /** The machine ends. */
  async killNode(name: string): Promise<void> {
    await this.killAgent(name);
    await this.cards.get(name)!.drop(IPS);
  }

  partition(name: string): void {
    this.cut.add(name);
    this.api.dropWatches();
  }

  async pass(ms: number): Promise<void> {
    await settle();
    await this.clock.step(ms);
    await settle();
  }

  /** Names of the nodes that have the address. */
  holders(ip: string): string[] {
    return [...this.cards].filter(([, card]) => card.now.includes(ip)).map(([name]) => name);
  }

  /** The one that packets for the address get to, if it still has it. */
  reached(ip: string): string | undefined {
    const card = this.neighbours.get(ip);
    return [...this.cards].find(([, c]) => c === card && c.now.includes(ip))?.[0];
  }

  async end(): Promise<void> {
    for (const stop of this.#stops.values()) await stop();
  }
}

const makeService = (i: number, spec: Service['spec'] = {}): Service => ({
  metadata: { namespace: 'db', name: `s${i}` },
  spec: { type: 'LoadBalancer', ...spec },
  status: { loadBalancer: { ingress: [{ ip: IPS[i]! }] } },
});
const makeSlice = (i: number, ...nodeNames: string[]): EndpointSlice => ({
  metadata: { namespace: 'db', name: `s${i}-1`, labels: { 'kubernetes.io/service-name': `s${i}` } },
  addressType: 'IPv4',
  endpoints: nodeNames.map((nodeName, n) => ({ addresses: [`10.244.${n}.5`], nodeName, conditions: { ready: true } })),
});
const best = (ip: string, names = NAMES) => ranked({ ip, only: undefined }, names);

async function makeWorld(...objects: Service[]): Promise<World> {
  const world = new World();
  for (const service of objects) world.api.put(services, service);
  for (const name of NAMES) await world.addNode(name);
  await world.pass(5_000);
  return world;
}
const all = (...is: number[]) => is.map((i) => makeService(i));

describe('Speaker', () => {
  it('has every address on the node that comes first, known to the neighbours', async () => {
    const world = await makeWorld(...all(0, 1, 2, 3, 4, 5, 6, 7));
    for (const ip of IPS) {
      assert.deepEqual(world.holders(ip), [best(ip)[0]]);
      assert.equal(world.reached(ip), best(ip)[0]);
    }
    assert.ok(new Set(IPS.map((ip) => best(ip)[0])).size > 1, 'the work is shared');
    await world.end();
  });

  it('takes an address at once when the service comes, and lets it go with the service', async () => {
    const world = await makeWorld();
    assert.equal(world.api.all(leases).length, 0, 'nobody speaks without need');
    world.api.put(services, makeService(0));
    await world.pass(300);
    assert.equal(world.reached(IPS[0]!), best(IPS[0]!)[0]);
    world.api.remove(services, 'db/s0');
    await world.pass(3_000);
    assert.deepEqual(world.holders(IPS[0]!), []);
    assert.equal(world.api.all(leases).length, 0);
    const before = world.api.requests.length;
    await world.pass(60_000);
    assert.ok(
      world.api.requests.slice(before).every((r) => r.startsWith('GET')),
      'and nothing is written any more',
    );
    await world.end();
  });

  it('moves addresses of a dead node to the next in line within six seconds, and back when it is there again', async () => {
    const world = await makeWorld(...all(0, 1, 2, 3));
    const victim = best(IPS[0]!)[0]!;
    await world.killNode(victim);
    await world.pass(6_000);
    for (const ip of IPS.slice(0, 4))
      assert.equal(
        world.reached(ip),
        best(ip).find((n) => n !== victim),
      );
    await world.startAgent(victim);
    await world.pass(6_000);
    for (const ip of IPS.slice(0, 4)) {
      assert.equal(world.reached(ip), best(ip)[0]);
      assert.deepEqual(world.holders(ip), [best(ip)[0]]);
    }
    await world.end();
  });

  it('keeps addresses over a quick restart of an agent, and never leaves two nodes with one for long', async () => {
    const world = await makeWorld(...all(0, 1));
    const ip = IPS[0]!;
    const [first, second] = best(ip);
    await world.killAgent(first!);
    for (let ms = 0; ms < 2_000; ms += 100) {
      await world.pass(100);
      assert.equal(world.reached(ip), first, `after ${ms} ms`);
    }
    await world.startAgent(first!);
    await world.pass(3_000);
    assert.deepEqual(world.holders(ip), [first]);
    await world.killAgent(first!);
    let bothMs = 0;
    for (let ms = 0; ms < 12_000; ms += 100) {
      await world.pass(100);
      if (world.holders(ip).length > 1) bothMs += 100;
    }
    assert.deepEqual(world.holders(ip), [second], 'the kernel of the first gave it up by itself');
    assert.equal(world.reached(ip), second);
    assert.ok(bothMs <= 3_000, `two holders for ${bothMs} ms`);
    await world.end();
  });

  it('leaves an address that nobody else would take where it is, however long the agent is away', async () => {
    const world = new World();
    world.api.put(services, makeService(0));
    await world.addNode('one');
    await world.pass(10_000);
    await world.killAgent('one');
    await world.pass(600_000);
    assert.equal(world.reached(IPS[0]!), 'one');
    await world.startAgent('one');
    await world.pass(3_000);
    assert.equal(world.reached(IPS[0]!), 'one');
    await world.end();
  });

  it('goes on unchanged while the API is away, and after it', async () => {
    const world = await makeWorld(...all(0, 1, 2, 3));
    world.down = true;
    world.api.dropWatches();
    const where = () => IPS.slice(0, 4).map((ip) => [world.holders(ip), world.reached(ip)]);
    const before = where();
    for (let i = 0; i < 60; i++) {
      await world.pass(1_000);
      assert.deepEqual(where(), before);
    }
    world.down = false;
    for (let i = 0; i < 60; i++) {
      await world.pass(1_000);
      assert.deepEqual(where(), before);
    }
    await world.end();
  });

  it('is taken over from a node that is cut off, and taken back by it with a word to the neighbours', async () => {
    const world = await makeWorld(...all(0));
    const ip = IPS[0]!;
    const [first, second] = best(ip);
    world.partition(first!);
    await world.pass(10_000);
    assert.equal(world.reached(ip), second);
    world.cut.delete(first!);
    await world.pass(60_000);
    assert.deepEqual(world.holders(ip), [first]);
    assert.equal(world.reached(ip), first);
    await world.end();
  });

  it('follows the endpoints under policy Local', async () => {
    const world = await makeWorld(makeService(0, { externalTrafficPolicy: 'Local' }));
    const ip = IPS[0]!;
    assert.equal(world.reached(ip), best(ip)[0], 'without endpoints anybody refuses');
    for (const name of NAMES) {
      world.api.put(endpointslices, makeSlice(0, name));
      await world.pass(1_500);
      assert.deepEqual([world.holders(ip), world.reached(ip)], [[name], name]);
    }
    await world.end();
  });

  it('puts nothing on the card but addresses of its range, for services that are its own', async () => {
    const world = await makeWorld();
    const foreign = makeService(0, { loadBalancerClass: 'example.com/other' });
    const forged = {
      ...makeService(1),
      status: { loadBalancer: { ingress: [{ ip: '192.168.77.1' }, { ip: '2001:db8::1' }] } },
    };
    for (const service of [foreign, forged]) world.api.put(services, service);
    await world.pass(10_000);
    assert.deepEqual(
      [...world.cards.values()].flatMap((c) => c.now),
      [],
    );
    await world.end();
  });

  it('takes an address away that stayed because the card could not be changed', async () => {
    const world = await makeWorld(...all(0));
    const ip = IPS[0]!;
    const [holder] = world.holders(ip);
    world.cards.get(holder!)!.failure = new Error('the kernel was busy');
    world.api.remove(services, 'db/s0');
    await world.pass(1_200);
    assert.deepEqual(world.holders(ip), []);
    await world.end();
  });

  it('says in its lease what it has, and belongs to its node', async () => {
    const world = await makeWorld(...all(0, 1, 2, 3, 4, 5));
    await world.pass(2_000);
    for (const name of NAMES) {
      const lease = world.api.find(leases, `${SPEAKER_NAMESPACE}/load-balancer-${name}`)!;
      const held = IPS.slice(0, 6).filter((ip) => best(ip)[0] === name);
      assert.equal(lease.metadata.annotations![HOLDS_ANNOTATION], held.join());
      assert.equal(lease.metadata.ownerReferences![0]!.uid, `uid-${name}`);
    }
    await world.end();
  });

  it('speaks from a few nodes only, however many there are', async () => {
    const world = new World();
    world.api.put(services, makeService(0));
    const names = Array.from({ length: 12 }, (_, i) => `node-${i}`);
    for (const name of names) await world.addNode(name);
    await world.pass(8_000);
    const speaking = world.api.all(leases).map((l) => l.spec!.holderIdentity);
    assert.deepEqual(speaking.sort(), best(IPS[0]!, names).toSorted());
    await world.end();
  });
});
