// Who may come in, who may go out, and what a policy has nothing to do with.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Namespace, Pod, Service } from '#generated/api/core-v1.ts';
import type { NetworkPolicy } from '#generated/api/networking-v1.ts';
import { makeClientPod } from '../cluster.ts';
import type { Article } from './article.ts';
import { PRIMARY_IP, PRIMARY_NAME, psqlFrom, query, queryForwarded } from './database.ts';

const OTHER = 'elsewhere';
const LOCKED = 'locked';

const namespace = (name: string): Namespace => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels: { name } },
});
const policy = (name: string, spec: NetworkPolicy['spec']): NetworkPolicy => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name, namespace: LOCKED },
  spec,
});

/** What people add to every default-deny of egress. */
const ALLOW_DNS = policy('allow-kube-dns', {
  podSelector: {},
  policyTypes: ['Egress'],
  egress: [
    {
      to: [
        {
          namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
          podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } },
        },
      ],
      ports: [
        { protocol: 'UDP', port: 53 },
        { protocol: 'TCP', port: 53 },
      ],
    },
  ],
});

/** A server that listens on the loopback of its pod alone: the article's fourth failure. */
const LOCAL_POSTGRES: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'postgres-local', namespace: OTHER },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'postgres',
        image: 'postgres:15',
        args: ['postgres', '-c', 'listen_addresses=127.0.0.1'],
        env: [{ name: 'POSTGRES_PASSWORD', value: 'local' }],
        readinessProbe: { exec: { command: ['pg_isready', '-h', '127.0.0.1', '-U', 'postgres'] }, periodSeconds: 1 },
      },
    ],
  },
};

export function policyTests(article: Article): void {
  describe('network policy', () => {
    const stranger = { namespace: OTHER, name: 'api-elsewhere' };
    const plain = { namespace: 'app', name: 'no-role' };
    const inside = { namespace: LOCKED, name: 'client' };

    before(async () => {
      const { cluster } = article;
      await cluster.apply(namespace(OTHER), namespace(LOCKED));
      await cluster.apply(
        makeClientPod({ ...stranger, labels: { role: 'api' } }),
        makeClientPod(plain),
        makeClientPod(inside),
        LOCAL_POSTGRES,
      );
      for (const client of [stranger, plain, inside]) await cluster.ready(client.namespace, client.name);
    });
    after(async () => {
      await article.cluster.kubectl(['delete', 'namespace', OTHER, LOCKED, '--ignore-not-found', '--timeout=60s'], {
        timeoutMs: 70_000,
      });
      await article.cluster.kubectl(['-n', 'app', 'delete', 'pod', plain.name, '--ignore-not-found']);
    });

    for (const [title, client] of [
      ['role: api in another namespace', stranger],
      ['no role in namespace app', plain],
    ] as const) {
      it(`lets time out: ${title}`, async () => {
        const outputs = await Promise.all(
          [PRIMARY_NAME, 'postgres-0.postgres.db'].map((host) => psqlFrom(article.cluster, client, host, 'SELECT 1')),
        );
        for (const output of outputs) {
          assert.notEqual(output.code, 0);
          assert.match(output.stderr, /timeout expired/);
        }
      });
    }

    it('lets both labels in, from the same node and another', async () => {
      for (const client of [article.near, article.far])
        assert.equal(await query(article.cluster, client, PRIMARY_NAME, 'SELECT 1'), '1');
    });

    it('follows a label that is put on a running pod, and one that is taken off', async () => {
      const { cluster } = article;
      await cluster.kubectl(['-n', 'app', 'label', 'pod', plain.name, 'role=api']);
      assert.equal(await query(cluster, plain, PRIMARY_NAME, 'SELECT 1'), '1');
      await cluster.kubectl(['-n', 'app', 'label', 'pod', plain.name, 'role-']);
      assert.match((await psqlFrom(cluster, plain, PRIMARY_NAME, 'SELECT 1')).stderr, /timeout expired/);
    });

    it('still resolves names under default-deny egress with the usual allow-kube-dns rule', async () => {
      const { cluster } = article;
      const api = (await cluster.get<Service>('app', 'service', 'api')).spec!.clusterIP!;
      const reach = () =>
        cluster.exec(LOCKED, inside.name, ['curl', '-sS', '-m', '3', '-o', '/dev/null', `http://${api}/livez`]);
      assert.equal((await reach()).code, 0, 'before the policies');
      await cluster.apply(policy('default-deny', { podSelector: {}, policyTypes: ['Egress'] }));
      const blind = await cluster.exec(LOCKED, inside.name, ['dig', '+short', '+tries=1', '+time=2', PRIMARY_NAME]);
      assert.doesNotMatch(blind.stdout, new RegExp(`^${PRIMARY_IP}$`, 'm'), 'default-deny alone shuts DNS too');
      await cluster.apply(ALLOW_DNS);
      assert.equal(await cluster.mustExec(LOCKED, inside.name, ['dig', '+short', PRIMARY_NAME]), PRIMARY_IP);
      assert.equal(
        await cluster.mustExec(LOCKED, inside.name, ['dig', '+tcp', '+short', PRIMARY_NAME]),
        PRIMARY_IP,
        'over TCP',
      );
      const shut = await reach();
      assert.equal(shut.code, 28, `curl times out and says so: ${shut.stderr}`);
    });

    it('has nothing to do with a Postgres on 127.0.0.1: exec and port-forward answer, another pod is refused at once', async () => {
      const { cluster } = article;
      const local = await cluster.ready(OTHER, 'postgres-local');
      const said = await cluster.mustExec(OTHER, 'postgres-local', [
        'psql',
        '-XAtq',
        '-U',
        'postgres',
        '-c',
        'SHOW listen_addresses',
      ]);
      assert.equal(said, '127.0.0.1');
      const forward = await cluster.portForward(OTHER, 'pod/postgres-local', 5432);
      try {
        assert.deepEqual(
          await queryForwarded(forward.port, 'SELECT 1 AS n', {
            user: 'postgres',
            password: 'local',
            database: 'postgres',
          }),
          { n: 1 },
        );
      } finally {
        forward.stop();
      }
      const output = await psqlFrom(cluster, stranger, local.status!.podIP!, 'SELECT 1');
      assert.match(output.stderr, /Connection refused/);
      assert.ok(output.tookMs < 2_500, `it took ${output.tookMs} ms`);
    });
  });
}
