// The client against the real API server on the memory store, through all three transports: same identity, same
// errors, same read-only results; informers, events, leases and the scheduler on top.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import type { SelfSubjectReview } from '#generated/api/authentication-v1.ts';
import type { ConfigMap } from '#generated/api/core-v1.ts';
import { configmaps, events, namespaces, nodes, pods, selfsubjectreviews } from '#generated/resources.ts';
import { SystemClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { MetricsRegistry } from '#base/metrics.ts';
import { SeededRandom } from '#base/random.ts';
import type { Client } from '#client/client.ts';
import { QueuedEventRecorder } from '#client/events.ts';
import { createInformers } from '#client/informers.ts';
import { parseKubeconfig } from '#client/kubeconfig.ts';
import { runAsLeader } from '#client/leader-election.ts';
import { createClient } from '#client/rest-client.ts';
import { retryOnConflict } from '#client/retry.ts';
import { createHttpsTransport } from '#client/transports/https.ts';
import { createInProcessTransport } from '#client/transports/in-process.ts';
import { createMessagePortTransport, serveExchange } from '#client/transports/message-port.ts';
import type { Transport } from '#client/transports/transport.ts';
import { StatusError } from '#machinery/status.ts';
import { createScheduler } from '#scheduler/scheduler.ts';
import { makeNode, makePod } from '#scheduler/testing.ts';
import { type LoopbackServer, startLoopbackServer } from './loopback.ts';

const admin = { name: 'admin', groups: ['system:masters', 'system:authenticated'] };
const clock = new SystemClock();
const random = new SeededRandom(1);
const never = new AbortController().signal;

/** Opens a transport to the server; the second function ends it. */
const transports: Record<string, (server: LoopbackServer) => { transport: Transport; end(): void }> = {
  'in the same thread': (loopback) => ({
    transport: createInProcessTransport(loopback.server.exchange, admin),
    end: () => {},
  }),
  'between threads': (loopback) => {
    const { port1, port2 } = new MessageChannel();
    const end = serveExchange(port1, loopback.server.exchange, admin);
    return { transport: createMessagePortTransport(port2), end };
  },
  'over HTTPS, by kubeconfig': (loopback) => {
    const { transport } = parseKubeconfig(loopback.kubeconfig, '/kubeconfig', { readFile: () => assert.fail(), clock });
    return { transport: createHttpsTransport(transport), end: () => {} };
  },
};

let loopback: LoopbackServer;
before(async () => {
  // The certificate tells who comes over HTTPS, as the real authenticator reads it.
  const authenticator = {
    authenticate: async ({
      peer,
    }: {
      peer: { user?: typeof admin; certificate?: { commonName: string; organizations: readonly string[] } };
    }) => ({
      user: peer.user ?? {
        name: peer.certificate!.commonName,
        groups: [...peer.certificate!.organizations, 'system:authenticated'],
      },
    }),
  };
  loopback = await startLoopbackServer({ deps: { authenticator } as never });
  const client = createClient({
    transport: createInProcessTransport(loopback.server.exchange, admin),
    clock,
    userAgent: 'test/1',
  });
  for (const name of ['default', 'kube-system'])
    if ((await client.resource(namespaces).get(undefined, name)) === undefined)
      await client.resource(namespaces).create({ metadata: { name } });
});
after(() => loopback.stop());

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = clock.monotonic() + 10_000;
  while (!(await condition())) {
    assert.ok(clock.monotonic() < deadline, `never happened: ${what}`);
    await new Promise<void>((resolve) => clock.setTimer(5, resolve));
  }
}

for (const [way, open] of Object.entries(transports)) {
  describe(`Client ${way}`, () => {
    let client: Client;
    let close: () => Promise<void>;
    /** Each transport in a namespace of its own. */
    const namespace = `client-${Object.keys(transports).indexOf(way)}`;
    before(async () => {
      const { transport, end } = open(loopback);
      client = createClient({ transport, clock, userAgent: 'client-test/1', freeze: true });
      await client.resource(namespaces).create({ metadata: { name: namespace } });
      close = async () => {
        await transport.close();
        end();
      };
    });
    after(() => close());

    const map = (name: string, data: Record<string, string> = {}): ConfigMap => ({
      metadata: { namespace, name },
      data,
    });

    it('is the same user to the server', async () => {
      const review: SelfSubjectReview = await client.resource(selfsubjectreviews).create({ metadata: {} });
      assert.deepEqual(
        [review.status?.userInfo?.username, review.status?.userInfo?.groups],
        [admin.name, admin.groups],
      );
    });

    it('writes, reads, patches and deletes', async () => {
      const maps = client.resource(configmaps);
      const made = await maps.create(map('one', { a: '1' }));
      assert.ok(made.metadata.uid !== undefined && made.metadata.resourceVersion !== undefined);
      const updated = await maps.update({ ...made, data: { a: '2' } });
      assert.notEqual(updated.metadata.resourceVersion, made.metadata.resourceVersion);
      await maps.patch(namespace, 'one', 'application/merge-patch+json', { data: { b: '3' } });
      assert.deepEqual((await maps.get(namespace, 'one'))?.data, { a: '2', b: '3' });
      const deleted = await maps.delete(namespace, 'one', { preconditions: { uid: made.metadata.uid } });
      assert.equal(deleted?.metadata.uid, made.metadata.uid);
      assert.equal(await maps.get(namespace, 'one'), undefined);
    });

    it('gets the same errors', async () => {
      const maps = client.resource(configmaps);
      const made = await maps.create(map('errors'));
      await maps.update({ ...made, data: { x: '1' } });
      const failures: [() => Promise<unknown>, number, string, RegExp][] = [
        [() => maps.create(map('errors')), 409, 'AlreadyExists', /^configmaps "errors" already exists$/],
        [
          () => maps.update({ ...made, data: { y: '1' } }),
          409,
          'Conflict',
          /^Operation cannot be fulfilled on configmaps "errors": the object has been modified/,
        ],
        [
          () => maps.create(map('Not Valid')),
          422,
          'Invalid',
          /^ConfigMap "Not Valid" is invalid: metadata\.name: Invalid value/,
        ],
        [
          () => maps.patch(namespace, 'absent', 'application/merge-patch+json', {}),
          404,
          'NotFound',
          /^configmaps "absent" not found$/,
        ],
        [
          () => client.resource({ ...configmaps, resource: 'strangers' }).get(namespace, 'x'),
          404,
          'NotFound',
          /could not find the requested resource/,
        ],
      ];
      for (const [failure, code, reason, message] of failures) {
        await assert.rejects(failure(), (error: unknown) => {
          assert.ok(error instanceof StatusError, String(error));
          assert.deepEqual([error.code, error.reason], [code, reason]);
          assert.match(error.message, message);
          return true;
        });
      }
    });

    it('gives read-only results', async () => {
      const list = await client.resource(configmaps).list({ namespace });
      assert.throws(() => void ((list.items[0]!.metadata as { name: string }).name = 'other'), TypeError);
    });

    it('lists in pages and by selector', async () => {
      const maps = client.resource(configmaps);
      for (let i = 0; i < 5; i++)
        await maps.create({
          ...map(`page-${i}`),
          metadata: { namespace, name: `page-${i}`, labels: { set: 'pages', odd: String(i % 2) } },
        });
      const first = await maps.list({ namespace, labelSelector: 'set=pages', limit: 3 });
      const second = await maps.list({
        namespace,
        labelSelector: 'set=pages',
        limit: 3,
        continue: first.metadata.continue,
      });
      assert.deepEqual([first.items.length, second.items.length], [3, 2]);
      assert.equal((await maps.list({ namespace, labelSelector: 'set=pages,odd=1' })).items.length, 2);
    });

    it('follows changes with an informer', async () => {
      const informers = createInformers({ client, clock, random, log: silentLog }, { freeze: true });
      const informer = informers.informer(configmaps, { namespace });
      const seen: string[] = [];
      informer.subscribe(({ key, old, object }) =>
        seen.push(`${old === undefined ? '+' : object === undefined ? '-' : '~'}${key}`),
      );
      await informers.start(never);
      seen.length = 0;
      const maps = client.resource(configmaps);
      const made = await maps.create(map('watched'));
      await maps.update({ ...made, data: { x: '1' } });
      await maps.delete(namespace, 'watched');
      await until('three changes', () => seen.length === 3);
      const key = `${namespace}/watched`;
      assert.deepEqual(seen, [`+${key}`, `~${key}`, `-${key}`]);
      await informers.stop();
    });

    it('counts events in one object', async () => {
      const recorder = new QueuedEventRecorder({ client, clock, random, log: silentLog }, { component: 'client-test' });
      await recorder.start();
      const about = (await client.resource(configmaps).create(map('subject')))!;
      for (let i = 0; i < 3; i++) recorder.event(about, configmaps, 'Warning', 'Tested', 'again');
      const find = async () =>
        (await client.resource(events).list({ namespace, fieldSelector: 'involvedObject.name=subject' })).items;
      await until('an event with count 3', async () => (await find())[0]?.count === 3);
      assert.equal((await find()).length, 1);
      await recorder.stop();
    });

    it('retries a write that somebody else overtook', async () => {
      const maps = client.resource(configmaps);
      await maps.create(map('counter', { n: '0' }));
      const add = () =>
        retryOnConflict({ clock, random }, async () => {
          const now = (await maps.get(namespace, 'counter'))!;
          await maps.update({ ...now, data: { n: String(Number(now.data!['n']) + 1) } });
        });
      await Promise.all([add(), add(), add()]);
      assert.equal((await maps.get(namespace, 'counter'))?.data?.['n'], '3');
    });

    it('elects one leader, and hands over at once', async () => {
      const order: string[] = [];
      const stops = ['first', 'second'].map(() => new AbortController());
      const runs = ['first', 'second'].map((identity, i) =>
        runAsLeader(
          { client, clock, random, log: silentLog },
          { namespace, name: 'lead', identity, retryPeriodMs: 20 },
          async (signal) => {
            order.push(identity);
            await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
          },
          stops[i]!.signal,
        ),
      );
      await until('a leader', () => order.length === 1);
      stops[order[0] === 'first' ? 0 : 1]!.abort();
      await until('the next leader', () => order.length === 2);
      for (const stop of stops) stop.abort();
      await Promise.all(runs);
      assert.equal(new Set(order).size, 2);
    });
  });
}

describe('Scheduler on the real API server', () => {
  it('places pods, spreads them, and tells the one that does not fit why', async () => {
    const client = createClient({
      transport: createInProcessTransport(loopback.server.exchange, admin),
      clock,
      userAgent: 'kube-scheduler/1',
      freeze: true,
    });
    const informers = createInformers({ client, clock, random, log: silentLog }, { freeze: true });
    const recorder = new QueuedEventRecorder(
      { client, clock, random, log: silentLog },
      { component: 'default-scheduler' },
    );
    const scheduler = createScheduler({
      client,
      informers,
      events: recorder,
      clock,
      random,
      log: silentLog,
      metrics: new MetricsRegistry(),
    });
    await client.resource(namespaces).create({ metadata: { name: 'sched' } });
    for (const name of ['a', 'b', 'c']) {
      const node = makeNode({ name, cpu: '2' });
      await client.resource(nodes).create(node);
      await client
        .resource(nodes)
        .updateStatus({ ...(await client.resource(nodes).get(undefined, name))!, status: node.status });
    }
    await informers.start(never);
    await recorder.start();
    await scheduler.start(never);
    const all = client.resource(pods);
    const image = { image: 'example.com/app:1' };
    for (let i = 0; i < 6; i++) await all.create(makePod({ ...image, name: `p${i}`, namespace: 'sched', cpu: '900m' }));
    await all.create(makePod({ ...image, name: 'large', namespace: 'sched', cpu: '3' }));
    const placed = async () =>
      (await all.list({ namespace: 'sched' })).items.filter((p) => (p.spec?.nodeName ?? '') !== '');
    await until('six pods placed', async () => (await placed()).length === 6);
    assert.deepEqual(
      [...Map.groupBy(await placed(), (p) => p.spec!.nodeName).values()].map((g) => g.length),
      [2, 2, 2],
    );
    const condition = async (name: string) =>
      (await all.get('sched', name))!.status?.conditions?.find((c) => c.type === 'PodScheduled');
    await until('the condition', async () => (await condition('large')) !== undefined);
    const why = await condition('large');
    assert.deepEqual(
      [why?.status, why?.reason, why?.message],
      [
        'False',
        'Unschedulable',
        '0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.',
      ],
    );
    assert.equal((await condition('p0'))?.status, 'True');
    const told = async () =>
      (await client.resource(events).list({ namespace: 'sched' })).items.map((e) => `${e.reason}: ${e.message}`);
    await until('seven events', async () => (await told()).length === 7);
    assert.ok((await told()).some((t) => /^Scheduled: Successfully assigned sched\/p0 to [abc]$/.test(t)));
    await scheduler.stop();
    await recorder.stop();
    await informers.stop();
  });
});
