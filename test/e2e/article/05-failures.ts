// What the article promises when things die: a pod, a machine, a node's agent.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Event, Node, Pod } from '#generated/api/core-v1.ts';
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';
import type { VolumeAttachment } from '#generated/api/storage-v1.ts';
import type { PersistentVolumeClaim } from '#generated/api/core-v1.ts';
import { isReady, pause, processesOf, until } from '../cluster.ts';
import type { Article } from './article.ts';
import { postgres, PRIMARY_IP, PRIMARY_NAME, psqlFrom, query } from './database.ts';
import { Load } from './load.ts';
import { PsqlSession } from './session.ts';

const COUNT = "SELECT count(*) || ' rows to ' || max(id) FROM orders";
/** How long the new pod of a node whose agent died is watched not to get its volume. */
const WATCH_MS = 6_000;
/** What a part that was started again does at once, it has done by then. */
const AFTER_START_MS = 2_500;
const RATE_PER_SECOND = 110;

export function failureTests(article: Article): void {
  describe('when something dies', () => {
    // Before anything happens to the database: without it the api is not ready, and its Service refuses for a good reason.
    it('each agent and the server killed and started again: no container is touched, no new connection is lost', async () => {
      const { cluster } = article;
      const nodes = await cluster.nodeAddresses();
      const containers = async () =>
        (await apiPods(article)).flatMap((p) => p.status!.containerStatuses!.map((c) => c.containerID)).toSorted();
      const before = await containers();
      const load = new Load(
        [...nodes.values()].map((ip) => `http://${ip}:30080/livez`),
        RATE_PER_SECOND,
      );
      load.start();
      try {
        for (const part of [...nodes.keys()].map((n) => `${n}-agent`).concat('server')) {
          const pid = cluster.partPid(part);
          process.kill(pid, 'SIGKILL');
          await until(`${part} is there again`, 15_000, async () => cluster.partPid(part) !== pid);
          await pause(AFTER_START_MS);
        }
      } finally {
        const tally = await load.stop();
        assert.deepEqual(tally.failures, {});
        assert.ok(tally.perSecond >= 100 && tally.succeeded > 500, JSON.stringify(tally));
      }
      await until('the API', 15_000, async () => (await cluster.tryKubectl(['get', '--raw', '/readyz'])).code === 0);
      assert.deepEqual(await containers(), before);
    });

    it('an open psql session through the ClusterIP survives kill -9 of the server and of every agent', async () => {
      const { cluster, far } = article;
      const session = new PsqlSession(cluster, far);
      await session.open(`postgresql://app:app-secret@${PRIMARY_IP}:5432/production`);
      const backend = await session.ask('SELECT pg_backend_pid()');
      const rows = Number(await session.ask('SELECT count(*) FROM orders'));
      const parts = (await cluster.nodeNames()).map((n) => `${n}-agent`).concat('server');
      const before = new Map(parts.map((part) => [part, cluster.partPid(part)]));
      for (const pid of before.values()) process.kill(pid, 'SIGKILL');
      for (const [part, pid] of before)
        await until(`${part} is there again`, 15_000, async () => cluster.partPid(part) !== pid);
      await until('the API', 15_000, async () => (await cluster.tryKubectl(['get', '--raw', '/readyz'])).code === 0);
      assert.equal(await session.ask('SELECT pg_backend_pid()'), backend);
      assert.equal(Number(await session.ask('SELECT count(*) FROM orders')) >= rows, true);
      await session.close();
    });

    it('postgres-0 deleted comes back with the same name, a new address and the same rows', async () => {
      const { cluster, near } = article;
      const rows = await query(cluster, near, PRIMARY_NAME, COUNT);
      const old = await postgres(cluster, 0);
      await cluster.kubectl(['-n', 'db', 'delete', 'pod', 'postgres-0'], { timeoutMs: 60_000 });
      const now = await successor(article, 'postgres-0', old);
      assert.notEqual(now.status!.podIP, old.status!.podIP);
      assert.equal(await asked(article, COUNT), rows);
    });

    it('an agent killed with its containers alive: the volume is not attached elsewhere, not even after a forced delete', async () => {
      const { cluster } = article;
      const victim = await postgres(cluster, 2);
      const node = victim.spec!.nodeName!;
      const container = victim.status!.containerStatuses![0]!.containerID!;
      const volume = (await cluster.get<PersistentVolumeClaim>('db', 'persistentvolumeclaim', 'data-postgres-2')).spec!
        .volumeName!;
      const attachedTo = async () => {
        const all = await cluster.list<VolumeAttachment>('default', 'volumeattachments');
        return all
          .filter((a) => a.spec.source.persistentVolumeName === volume)
          .map((a) => [a.spec.nodeName, a.status?.attached]);
      };
      assert.deepEqual(await attachedTo(), [[node, true]]);

      const killedMs = performance.now();
      // The supervisor would start it again within a second.
      process.kill(cluster.partPid('supervisor'), 'SIGKILL');
      process.kill(cluster.partPid(`${node}-agent`), 'SIGKILL');
      try {
        await cluster.kubectl(['cordon', node]);
        await cluster.kubectl(['-n', 'db', 'delete', 'pod', 'postgres-2', '--force', '--grace-period=0'], {
          timeoutMs: 20_000,
        });
        const waiting = await until('the next postgres-2 on another node', 20_000, async () => {
          const pod = await postgres(cluster, 2);
          return pod.metadata.uid !== victim.metadata.uid && pod.spec?.nodeName !== undefined && pod;
        });
        assert.notEqual(waiting.spec!.nodeName, node);
        await until('upstream’s warning', 15_000, async () => {
          const events = await cluster.list<Event>('db', 'events');
          return events.some(
            (e) =>
              e.involvedObject.uid === waiting.metadata.uid &&
              e.reason === 'FailedAttachVolume' &&
              /Multi-Attach error for volume/.test(e.message ?? ''),
          );
        });
        await pause(WATCH_MS);
        assert.deepEqual(await attachedTo(), [[node, true]]);
        assert.equal((await postgres(cluster, 2)).status?.phase, 'Pending');
        assert.ok(processesOf(container).length > 0, 'the old server lives, and holds the volume');
      } finally {
        const again = await cluster.coracle(['up', '--no-examples'], { timeoutMs: 90_000 });
        assert.equal(again.code, 0, again.stderr);
        await cluster.kubectl(['uncordon', node]);
        const status = await cluster.coracle(['status']);
        assert.equal(status.code, 0, `${again.stdout}${again.stderr}${status.stdout}`);
      }
      // An absence below the grace of 40 s takes no pod out of its Services.
      if (performance.now() - killedMs < 35_000) {
        const events = await cluster.list<Event>('default', 'events');
        assert.deepEqual(
          events.filter((e) => e.reason === 'NodeNotReady').map((e) => e.message),
          [],
        );
      }
      // The agent is back: it ends what was deleted meanwhile, and only then does the volume move.
      await successor(article, 'postgres-2', victim);
      assert.deepEqual(processesOf(container), []);
    });

    it('a node stopped hard: Postgres comes up elsewhere with its rows, Deployment pods are replaced, Services stop sending there, a bare pod stays gone', async () => {
      const { cluster } = article;
      await article.placeClients();
      const rows = await query(cluster, article.far, PRIMARY_NAME, COUNT);
      const old = await postgres(cluster, 0);
      const node = old.spec!.nodeName!;
      await moveHello(article, node);
      const apiThere = (await apiPods(article)).filter((p) => p.spec!.nodeName === node);

      const stopped = await cluster.coracle(['node', 'stop', node, '--hard'], { timeoutMs: 60_000 });
      assert.equal(stopped.code, 0, stopped.stderr);
      try {
        const now = await successor(article, 'postgres-0', old);
        assert.notEqual(now.spec!.nodeName, node);
        assert.equal(await asked(article, COUNT), rows);

        await until('three api pods on living nodes', 60_000, async () => {
          const ready = (await apiPods(article)).filter((p) => isReady(p) && p.spec!.nodeName !== node);
          return ready.length === 3;
        });
        const slices = await cluster.list<EndpointSlice>('app', 'endpointslices', 'kubernetes.io/service-name=api');
        const serving = slices.flatMap((s) => s.endpoints ?? []).filter((e) => e.conditions?.ready === true);
        assert.deepEqual(
          serving.filter((e) => e.nodeName === node),
          [],
        );
        assert.equal(serving.length, 3);
        // Thirty new connections, none of them into the dead node.
        const loop = 'for i in $(seq 30); do curl -s -m 2 -o /dev/null -w "%{http_code}\\n" http://api.app/livez; done';
        const answers = (
          await cluster.mustExec('app', article.far.name, ['bash', '-c', loop], { timeoutMs: 90_000 })
        ).split('\n');
        assert.deepEqual(
          answers,
          Array.from({ length: 30 }, () => '200'),
        );
        assert.ok(apiThere.length > 0, 'an api pod was on that node');

        const bare = await cluster.tryKubectl(['get', 'pod', 'hello-pod', '-o', 'json']);
        assert.match(bare.stderr, /NotFound/, 'nobody makes a bare pod again');
      } finally {
        const started = await cluster.coracle(['node', 'start', node], { timeoutMs: 60_000 });
        assert.equal(started.code, 0, started.stderr);
      }
      await until(`${node} Ready again, without the taint`, 60_000, async () => {
        const found = await cluster.get<Node>('default', 'node', node);
        const ready = found.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True');
        return ready === true && (found.spec?.taints ?? []).length === 0;
      });
      assert.match((await cluster.tryKubectl(['get', 'pod', 'hello-pod'])).stderr, /NotFound/);
    });
  });
}

/** The Ready pod that bears the name after `old`. */
function successor({ cluster }: Article, name: string, old: Pod): Promise<Pod> {
  return until(`another ${name}, Ready`, 90_000, async () => {
    const pod = await cluster.get<Pod>('db', 'pod', name);
    return pod.metadata.uid !== old.metadata.uid && isReady(pod) && pod;
  });
}

/** What the primary answers through its Service, given the moment that its endpoint needs. */
function asked({ cluster, far }: Article, sql: string): Promise<string> {
  return until('an answer from the primary', 20_000, async () => {
    const output = await psqlFrom(cluster, far, PRIMARY_NAME, sql);
    if (output.code !== 0) throw new Error(output.stderr);
    return output.stdout.trim();
  });
}

const apiPods = ({ cluster }: Article): Promise<readonly Pod[]> => cluster.list<Pod>('app', 'pods', 'app=api');

/** The bare hello-pod, on the node that is going to die. */
async function moveHello({ cluster }: Article, node: string): Promise<void> {
  const old = await cluster.get<Pod>('default', 'pod', 'hello-pod');
  const { image, name, resources } = old.spec!.containers[0]!;
  await cluster.kubectl(['delete', 'pod', 'hello-pod'], { timeoutMs: 60_000 });
  await cluster.apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'hello-pod', namespace: 'default', labels: old.metadata.labels },
    spec: { nodeSelector: { 'kubernetes.io/hostname': node }, containers: [{ name, image, resources }] },
  });
  await cluster.ready('default', 'hello-pod');
}
