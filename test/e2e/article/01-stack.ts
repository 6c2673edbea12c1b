// The article's stack, whole: what is written through the Service is everywhere it belongs.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod } from '#generated/api/core-v1.ts';
import type { PersistentVolumeClaim } from '#generated/api/core-v1.ts';
import { until } from '../cluster.ts';
import type { Article } from './article.ts';
import { PRIMARY_NAME, psqlFrom, query, queryInside } from './database.ts';

/** `5432`, as /proc/net/tcp writes it. */
const POSTGRES_PORT_HEX = '1538';

export function stackTests(article: Article): void {
  describe('the article’s stack', () => {
    it('comes up by one command and one apply, each pod Ready on one of three Ready nodes', async () => {
      const { cluster } = article;
      assert.match(article.upOutput.stdout, /kubectl apply -f examples\/article/);
      const nodes = await cluster.kubectl(['get', 'nodes', '--no-headers']);
      assert.equal(nodes.match(/ Ready /g)?.length, 3, nodes);
      const postgres = await cluster.list<Pod>('db', 'pods', 'app=postgres');
      assert.deepEqual(postgres.map((p) => p.metadata.name).toSorted(), ['postgres-0', 'postgres-1', 'postgres-2']);
      const api = await cluster.list<Pod>('app', 'pods', 'app=api');
      assert.deepEqual(
        api.map((p) => p.status?.containerStatuses?.filter((c) => c.ready).length),
        [3, 3, 3],
      );
      const claims = await cluster.list<PersistentVolumeClaim>('db', 'persistentvolumeclaims');
      assert.deepEqual(
        claims.map((c) => [c.metadata.name, c.status?.phase, c.status?.capacity?.['storage']]).toSorted(),
        [0, 1, 2].map((i) => [`data-postgres-${i}`, 'Bound', '200Gi']),
      );
    });

    it('takes rows through the Service from an app pod, over TLS', async () => {
      const { cluster, near } = article;
      const before = Number(await query(cluster, near, PRIMARY_NAME, 'SELECT count(*) FROM orders'));
      await query(
        cluster,
        near,
        PRIMARY_NAME,
        'INSERT INTO orders (customer_id, total_cents) SELECT g, g * 100 FROM generate_series(1, 20) g',
      );
      assert.equal(Number(await query(cluster, near, PRIMARY_NAME, 'SELECT count(*) FROM orders')), before + 20);
      assert.equal(
        await query(cluster, near, PRIMARY_NAME, 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()'),
        't',
      );
    });

    it('streams to both standbys', async () => {
      const streaming = await queryInside(
        article.cluster,
        'postgres-0',
        "SELECT string_agg(application_name, ',' ORDER BY application_name) FROM pg_stat_replication WHERE state = 'streaming'",
      );
      assert.equal(streaming, 'postgres-1,postgres-2');
    });

    it('has a row on postgres-1 within a second', async () => {
      const { cluster, near } = article;
      const id = await query(
        cluster,
        near,
        PRIMARY_NAME,
        'INSERT INTO orders (customer_id, total_cents) VALUES (77, 7700) RETURNING id',
      );
      // One look that waits inside the database: the time of an exec is not part of the second.
      const sql = `DO $$ BEGIN FOR i IN 1..10 LOOP IF EXISTS (SELECT 1 FROM orders WHERE id = ${id}) THEN RETURN; END IF; PERFORM pg_sleep(0.1); END LOOP; RAISE EXCEPTION 'row ${id} is not here after a second'; END $$`;
      const output = await psqlFrom(cluster, near, 'postgres-1.postgres.db', sql);
      assert.equal(output.code, 0, output.stderr);
    });

    it('refuses an INSERT on a standby as read-only', async () => {
      const output = await psqlFrom(
        article.cluster,
        article.near,
        'postgres-1.postgres.db',
        'INSERT INTO orders (customer_id, total_cents) VALUES (1, 1)',
      );
      assert.notEqual(output.code, 0);
      assert.match(output.stderr, /cannot execute INSERT in a read-only transaction/);
    });

    it('answers over HTTP by the Service’s name, the ConfigMap mounted, orders from the database', async () => {
      const { cluster, near } = article;
      const hello = JSON.parse(
        await cluster.mustExec('app', near.name, ['curl', '-sS', '-m', '5', 'http://api.app/']),
      ) as { greeting: string };
      assert.equal(hello.greeting, 'hello from the article');
      const posted = JSON.parse(
        await cluster.mustExec('app', near.name, [
          'curl',
          '-sS',
          '-m',
          '5',
          '-H',
          'content-type: application/json',
          '-d',
          '{"customer_id":88,"total_cents":8800}',
          'http://api.app/orders',
        ]),
      ) as { id: string };
      assert.equal(
        await query(cluster, near, PRIMARY_NAME, `SELECT customer_id FROM orders WHERE id = ${posted.id}`),
        '88',
      );
      const configured = await Promise.all(
        ['api', 'pgbouncer', 'log-tail'].map((container) => mountOf(article, container, '/etc/app/config')),
      );
      assert.deepEqual(configured, [true, true, true]);
    });

    it('has the tail’s lines at loki', async () => {
      const { cluster, near } = article;
      await until('the line of POST /orders at loki', 15_000, async () => {
        const lines = await cluster.mustExec('app', near.name, [
          'curl',
          '-sS',
          '-m',
          '5',
          'http://loki.app:3100/lines',
        ]);
        return /^api-\S+ \S+ api-\S+ POST \/orders 201$/m.test(lines);
      });
    });

    it('has only the pooler’s connections in pg_stat_activity', async () => {
      const { cluster } = article;
      const api = await cluster.list<Pod>('app', 'pods', 'app=api');
      const addresses = new Set(api.map((p) => p.status!.podIP!));
      // The clients of these tests come and go; what stays is the pools'.
      const seen = await until('connections of app', 10_000, async () => {
        const text = await queryInside(
          cluster,
          'postgres-0',
          "SELECT DISTINCT host(client_addr) FROM pg_stat_activity WHERE usename = 'app'",
        );
        return text !== '' && text.split('\n');
      });
      assert.deepEqual(
        seen.filter((a) => !addresses.has(a)),
        [],
      );
      // Inside such a pod each socket to port 5432 is held by the pooler, and the api holds none.
      const pod = api.find((p) => seen.includes(p.status!.podIP!))!.metadata.name!;
      const sockets = (await cluster.mustExec('app', pod, ['cat', '/proc/net/tcp'], { container: 'pgbouncer' }))
        .split('\n')
        .slice(1)
        .map((line) => line.trim().split(/\s+/))
        .filter((f) => f[2]?.endsWith(`:${POSTGRES_PORT_HEX}`) && f[3] === '01')
        .map((f) => `socket:[${f[9]}]`);
      assert.ok(sockets.length > 0, 'the pooler has a connection');
      const held = await cluster.mustExec('app', pod, ['sh', '-c', 'ls -l /proc/1/fd'], { container: 'pgbouncer' });
      assert.deepEqual(
        sockets.filter((s) => !held.includes(s)),
        [],
      );
    });
  });
}

async function mountOf({ cluster }: Article, container: string, path: string): Promise<boolean> {
  const pod = (await cluster.list<Pod>('app', 'pods', 'app=api'))[0]!;
  const command =
    container === 'pgbouncer'
      ? ['cat', `${path}/greeting`]
      : ['/usr/bin/node', '-p', `require('fs').readFileSync('${path}/greeting', 'utf8')`];
  return (await cluster.mustExec('app', pod.metadata.name!, command, { container })) === 'hello from the article';
}
