// The images of the examples, beyond what the article's stack asks of them: the official Postgres image's environment, and the client's tools.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Pod } from '#generated/api/core-v1.ts';
import { until } from '../cluster.ts';
import type { Article } from './article.ts';

const NAMESPACE = 'images';
const PGDATA = '/var/lib/postgresql/data/elsewhere';

export function imageTests(article: Article): void {
  describe('images of the examples', () => {
    it('Postgres honours POSTGRES_USER, POSTGRES_DB, POSTGRES_PASSWORD_FILE, POSTGRES_INITDB_ARGS, PGDATA and init scripts', async () => {
      const { cluster } = article;
      await cluster.kubectl(['create', 'namespace', NAMESPACE]);
      await cluster.apply(...database());
      await cluster.ready(NAMESPACE, 'database');
      const ask = (sql: string) =>
        cluster.mustExec(NAMESPACE, 'database', ['psql', '-XAtq', '-U', 'ada', '-d', 'ledger', '-c', sql]);
      assert.equal((await ask('SHOW data_directory')).trim(), PGDATA);
      assert.equal((await ask('SHOW data_checksums')).trim(), 'on');
      assert.deepEqual((await ask('SELECT step FROM steps ORDER BY step')).trim().split('\n'), [
        '1 by shell',
        '2 by sql',
        '3 by compressed sql',
      ]);
      assert.equal((await ask("SELECT rolsuper FROM pg_roles WHERE rolname = 'ada'")).trim(), 't');

      // Over the network the password of the file is what counts.
      const { podIP } = (await cluster.get<Pod>(NAMESPACE, 'pod', 'database')).status!;
      const login = (password: string) =>
        cluster.exec(article.near.namespace, article.near.name, [
          'env',
          `PGPASSWORD=${password}`,
          'psql',
          '-XAtq',
          '-h',
          podIP!,
          '-U',
          'ada',
          '-d',
          'ledger',
          '-c',
          'SELECT 1',
        ]);
      assert.equal((await login('from a file')).stdout.trim(), '1');
      assert.match((await login('another')).stderr, /password authentication failed for user "ada"/);
    });

    it('Postgres without a password says what to set and does not start', async () => {
      const { cluster } = article;
      await cluster.apply(postgresPod('unsaid', [], {}));
      const log = await until('the container’s last words', 30_000, async () => {
        const { stdout } = await cluster.tryKubectl(['-n', NAMESPACE, 'logs', 'unsaid']);
        return stdout.includes('superuser password is not specified') && stdout;
      });
      assert.match(log, /POSTGRES_PASSWORD/);
    });

    it('the client has psql, curl and dig', async () => {
      const { cluster, near } = article;
      const inClient = (...command: readonly string[]) => cluster.mustExec(near.namespace, near.name, command);
      const address = (
        await cluster.kubectl(['-n', 'app', 'get', 'service', 'api', '-o', 'jsonpath={.spec.clusterIP}'])
      ).trim();
      assert.equal((await inClient('dig', '+short', 'api.app.svc.cluster.local')).trim(), address);
      assert.equal((await inClient('dig', '+short', '+tcp', '-x', address)).trim(), 'api.app.svc.cluster.local.');
      assert.equal(
        (await inClient('curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', 'http://api.app/livez')).trim(),
        '200',
      );
      assert.match(await inClient('psql', '--version'), /^psql \(PostgreSQL\) 15\./);
    });
  });
}

function postgresPod(
  name: string,
  env: readonly object[],
  more: { readonly mounts?: object[]; readonly volumes?: object[] },
) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: NAMESPACE },
    spec: {
      terminationGracePeriodSeconds: 5,
      containers: [
        {
          name: 'postgres',
          image: 'docker.io/library/postgres:15',
          env,
          // By TCP: during the init scripts the server listens on its socket only.
          readinessProbe: { exec: { command: ['pg_isready', '-h', '127.0.0.1'] }, periodSeconds: 1 },
          volumeMounts: more.mounts ?? [],
        },
      ],
      volumes: more.volumes ?? [],
    },
  };
}

function database(): readonly object[] {
  const scripts = {
    '1-shell.sh': `psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c "CREATE TABLE steps (step text)" -c "INSERT INTO steps VALUES ('1 by shell')"\n`,
    '2-plain.sql': `INSERT INTO steps VALUES ('2 by sql');\n`,
  };
  const compressed = gzipSync(`INSERT INTO steps VALUES ('3 by compressed sql');\n`).toString('base64');
  return [
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'init', namespace: NAMESPACE },
      data: scripts,
      binaryData: { '3-compressed.sql.gz': compressed },
    },
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'login', namespace: NAMESPACE },
      stringData: { password: 'from a file' },
    },
    postgresPod(
      'database',
      [
        { name: 'POSTGRES_USER', value: 'ada' },
        { name: 'POSTGRES_DB', value: 'ledger' },
        { name: 'POSTGRES_PASSWORD_FILE', value: '/run/login/password' },
        { name: 'POSTGRES_INITDB_ARGS', value: '--data-checksums' },
        { name: 'PGDATA', value: PGDATA },
      ],
      {
        mounts: [
          { name: 'init', mountPath: '/docker-entrypoint-initdb.d' },
          { name: 'login', mountPath: '/run/login' },
          { name: 'data', mountPath: '/var/lib/postgresql/data' },
        ],
        volumes: [
          { name: 'init', configMap: { name: 'init' } },
          { name: 'login', secret: { secretName: 'login' } },
          { name: 'data', emptyDir: {} },
        ],
      },
    ),
  ];
}
