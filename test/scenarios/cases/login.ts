// Servers that are reached and turn the client away.
import type { Client, Scenario } from '../scenario.ts';
import {
  curl,
  mysql,
  nginx,
  pgbouncer,
  podOf,
  postgres,
  type PostgresOptions,
  program,
  redis,
  rolledOut,
  say,
} from '../servers.ts';
import { psql, service, type World } from '../world.ts';

const pg = (on: string, svc: string, env: Readonly<Record<string, string>> = {}, port = 5432): Client => ({
  on,
  command: psql(svc, port, env),
});
const url = (svc: string, { user = 'shop', password = 'shop', database = 'shop', query = '' } = {}) =>
  `postgres://${user}:${password}@${svc}:5432/${database}${query}`;
const at = (server: string, code: string) => ({ code, kind: 'Deployment', name: server });

/** A Deployment `server` behind Service `svc`, and a client. */
async function pieces(
  world: World,
  port: number,
  make: (server: string) => Promise<void>,
): Promise<{ readonly server: string; readonly svc: string; readonly client: string }> {
  const [server, svc] = [world.word(), world.word()];
  await make(server);
  await world.apply(service(svc, { app: server }, [{ port }]));
  const client = await world.clientPod();
  await rolledOut(world, server);
  return { server, svc, client };
}
const database = (world: World, options: PostgresOptions = {}) =>
  pieces(world, 5432, (server) => postgres(world, server, options));

/** A login as a MySQL client makes it, by a program in a pod of its own; it prints the server's error. */
async function mysqlClient(world: World): Promise<string> {
  const name = world.word();
  await world.apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [
        { name: 'main', image: 'ghcr.io/acme/api:1.4.2', command: ['node', '-e', 'setInterval(() => {}, 1e6)'] },
      ],
    },
  });
  await world.ready(name);
  return name;
}
const mysqlLogin = (on: string, host: string): Client => ({
  on,
  command: [
    'node',
    '-e',
    `const s = require('net').connect(3306, '${host}'); let n = 0; setTimeout(() => process.exit(3), 5000);
s.on('error', (e) => { console.error(e.message); process.exit(1); });
s.on('data', (d) => { if (d[4] === 255) { console.error(d.toString('utf8', 7)); process.exit(1); } if (n++ > 0) { console.log('let in'); process.exit(0); }
const b = Buffer.alloc(32); b.writeUInt32LE(0x8a209, 0); const l = Buffer.concat([b, Buffer.from('shop\\0'), Buffer.from([0]), Buffer.from('shop\\0mysql_native_password\\0')]);
const h = Buffer.alloc(4); h.writeUIntLE(l.length, 0, 3); h[3] = 1; s.write(Buffer.concat([h, l])); });`,
  ],
});

const hbaCase = (title: string, hba: readonly string[], query = ''): Scenario => ({
  code: 'PgHbaRejected',
  title,
  async make(world) {
    const { server, svc, client } = await database(world, { hba });
    return {
      why: [url(svc, { query }), '--from', `pod/${client}`],
      client: pg(client, svc),
      symptom: /pg_hba/,
      expected: { code: 'PgHbaRejected', kind: 'ConfigMap', name: `${server}-hba`, field: /pg_hba/ },
    };
  },
});

const hog = (svc: string, user: string, count: number) =>
  `for i in $(seq ${count}); do (until sleep 3600 | PGPASSWORD=shop psql -XAtq -h ${svc} -U ${user} -d shop; do sleep 1; done) & done; wait`;

/** A pod that opens idle sessions and keeps them. */
async function hogPod(world: World, svc: string, user: string, count: number): Promise<void> {
  const name = world.word();
  await world.apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      terminationGracePeriodSeconds: 0,
      restartPolicy: 'Never',
      containers: [
        { name: 'main', image: 'docker.io/coracle/client:1', command: ['bash', '-c', hog(svc, user, count)] },
      ],
    },
  });
  await world.ready(name);
}

const redisCase = (
  code: string,
  title: string,
  answers: Readonly<Record<string, string>>,
  more: { query?: string; first?: string; ask?: string; symptom?: RegExp; works?: RegExp; after?: string } = {},
): Scenario => ({
  code,
  title,
  async make(world) {
    const { server, svc, client } = await pieces(world, 6379, (n) =>
      program(world, n, 6379, redis(6379, answers, more.first), {
        container: { readinessProbe: { tcpSocket: { port: 6379 }, periodSeconds: 2 } },
      }),
    );
    const target = (more.query ?? 'redis://SVC:6379').replace('SVC', svc);
    const works = more.works ?? /PONG/;
    return {
      why: [target, '--from', `pod/${client}`],
      client: say(client, svc, 6379, more.ask ?? 'PING\\r\\n', works),
      ...(more.symptom === undefined ? {} : { symptom: more.symptom }),
      expected: at(server, code),
      ...(more.after === undefined
        ? { incurable: 'the program says so whatever is done' }
        : { afterCure: say(client, svc, 6379, more.after, works) }),
    };
  },
});

const mysqlCase = (code: string, title: string, error: readonly [number, string], atOnce = false): Scenario => ({
  code,
  title,
  async make(world) {
    const { server, svc } = await pieces(world, 3306, (n) => program(world, n, 3306, mysql(3306, error, atOnce)));
    const client = await mysqlClient(world);
    return {
      why: [`mysql://shop:shop@${svc}:3306/shop`, '--from', `pod/${client}`],
      client: mysqlLogin(client, svc),
      symptom: new RegExp(error[1].slice(0, 12)),
      expected: at(server, code),
      incurable: 'the program says so whatever is done',
    };
  },
});

/** A PostgreSQL that follows a primary that is not there. */
const STANDBY = 'touch "$PGDATA/standby.signal"\n';

export const LOGIN_SCENARIOS: readonly Scenario[] = [
  hbaCase('an office network alone may log in', [
    'local all all trust',
    'host all all 127.0.0.1/32 trust',
    'host all all 192.0.2.0/24 scram-sha-256',
  ]),
  hbaCase('a reject line stands before the one that would let in', [
    'local all all trust',
    'host all all 127.0.0.1/32 trust',
    'host all shop 10.0.0.0/8 reject',
    'host all all all scram-sha-256',
  ]),
  hbaCase('the lines name another database', [
    'local all all trust',
    'host all all 127.0.0.1/32 trust',
    'host billing all all scram-sha-256',
  ]),
  {
    code: 'PgHbaRejected',
    title: 'the list in the data directory names localhost alone',
    async make(world) {
      const { server, svc, client } = await database(world, {
        init: 'sed -i "s/^host all all all .*//" "$PGDATA/pg_hba.conf"\n',
        env: { POSTGRES_DB: 'orders' },
      });
      // The entry point writes its line before the scripts run.
      return {
        why: [url(svc, { database: 'orders' }), '--from', `pod/${client}`],
        client: pg(client, svc, { PGDATABASE: 'orders' }),
        symptom: /pg_hba/,
        expected: { ...at(server, 'PgHbaRejected'), field: /pg_hba/ },
      };
    },
  },
  {
    code: 'AuthenticationFailed',
    title: 'PostgreSQL, a wrong password',
    async make(world) {
      const { server, svc, client } = await database(world);
      return {
        why: [url(svc, { password: 'shopp' }), '--from', `pod/${client}`],
        client: pg(client, svc, { PGPASSWORD: 'shopp' }),
        symptom: /password authentication failed/,
        expected: at(server, 'AuthenticationFailed'),
        shell: { PGPASSWORD: 'shopp' },
      };
    },
  },
  {
    code: 'AuthenticationFailed',
    title: 'PostgreSQL, the password was changed since',
    async make(world) {
      const { server, svc, client } = await database(world, {
        init: `psql -U shop -d shop -c "CREATE ROLE app LOGIN PASSWORD 'new-one'"\n`,
      });
      return {
        why: [url(svc, { user: 'app', password: 'shop' }), '--from', `pod/${client}`],
        client: pg(client, svc, { PGUSER: 'app', PGDATABASE: 'shop' }),
        symptom: /password authentication failed/,
        expected: at(server, 'AuthenticationFailed'),
        shell: { PGPASSWORD: 'shop' },
      };
    },
  },
  redisCase(
    'AuthenticationFailed',
    'Redis, a wrong password',
    {
      'AUTH WRONG': '-WRONGPASS invalid username-password pair or user is disabled.\r\n',
      'AUTH RIGHT': '+OK\r\n',
    },
    {
      query: 'redis://:wrong@SVC:6379',
      ask: 'AUTH wrong\\r\\n',
      works: /\+OK/,
      symptom: /WRONGPASS/,
      after: 'AUTH right\\r\\n',
    },
  ),
  mysqlCase('AuthenticationFailed', 'MySQL, access denied', [1045, "#28000Access denied for user 'shop'@'10.0.0.1'"]),
  {
    code: 'DatabaseMissing',
    title: 'PostgreSQL, a slip in the name',
    async make(world) {
      const { server, svc, client } = await database(world);
      return {
        why: [url(svc, { database: 'shopp' }), '--from', `pod/${client}`],
        client: pg(client, svc, { PGDATABASE: 'shopp' }),
        symptom: /database "shopp" does not exist/,
        expected: at(server, 'DatabaseMissing'),
      };
    },
  },
  {
    code: 'DatabaseMissing',
    title: 'PostgreSQL that trusts everybody, database never made',
    async make(world) {
      const { server, svc, client } = await database(world, {
        env: { POSTGRES_USER: 'postgres', POSTGRES_HOST_AUTH_METHOD: 'trust' },
      });
      return {
        why: [`postgres://postgres@${svc}:5432/orders-2024`, '--from', `pod/${client}`],
        client: pg(client, svc, { PGUSER: 'postgres', PGDATABASE: 'orders-2024' }),
        symptom: /database "orders-2024" does not exist/,
        expected: at(server, 'DatabaseMissing'),
      };
    },
  },
  mysqlCase('DatabaseMissing', 'MySQL, unknown database', [1049, "#42000Unknown database 'shop'"]),
  redisCase(
    'DatabaseMissing',
    'Redis, an index out of range',
    { 'SELECT 99': '-ERR DB index is out of range\r\n' },
    {
      query: 'redis://SVC:6379/99',
      ask: 'SELECT 99\\r\\n',
      works: /\+OK/,
      symptom: /out of range/,
      after: 'SELECT 0\\r\\n',
    },
  ),
  {
    code: 'RoleMissing',
    title: 'PostgreSQL that trusts everybody, a role never made',
    async make(world) {
      const { server, svc, client } = await database(world, { env: { POSTGRES_HOST_AUTH_METHOD: 'trust' } });
      return {
        why: [url(svc, { user: 'report' }), '--from', `pod/${client}`],
        client: pg(client, svc, { PGUSER: 'report', PGDATABASE: 'shop' }),
        symptom: /role "report" does not exist/,
        expected: at(server, 'RoleMissing'),
        shell: { PGPASSWORD: 'shop' },
      };
    },
  },
  {
    code: 'RoleMissing',
    title: 'PostgreSQL with passwords, a role never made: only its log says so',
    async make(world) {
      const { server, svc, client } = await database(world);
      return {
        why: [url(svc, { user: 'report' }), '--from', `pod/${client}`],
        client: pg(client, svc, { PGUSER: 'report', PGDATABASE: 'shop' }),
        symptom: /password authentication failed for user "report"/,
        expected: at(server, 'RoleMissing'),
        shell: { PGPASSWORD: 'shop' },
      };
    },
  },
  {
    code: 'RoleMissing',
    title: 'PostgreSQL, a role that may not log in',
    async make(world) {
      const { server, svc, client } = await database(world, {
        init: `psql -U shop -d shop -c "CREATE ROLE team NOLOGIN PASSWORD 'shop'"\n`,
      });
      return {
        why: [url(svc, { user: 'team' }), '--from', `pod/${client}`],
        client: pg(client, svc, { PGUSER: 'team', PGDATABASE: 'shop' }),
        symptom: /not permitted to log in/,
        expected: at(server, 'RoleMissing'),
        shell: { PGPASSWORD: 'shop' },
      };
    },
  },
  {
    code: 'TooManyConnections',
    title: 'PostgreSQL whose slots idle sessions hold',
    async make(world) {
      const { server, svc, client } = await database(world, {
        args: ['-c', 'max_connections=6', '-c', 'superuser_reserved_connections=2', '-c', 'max_wal_senders=0'],
        init: `psql -U shop -d shop -c "CREATE ROLE app LOGIN PASSWORD 'shop'"\n`,
      });
      await hogPod(world, svc, 'app', 4);
      return {
        why: [url(svc, { user: 'app' }), '--from', `pod/${client}`],
        client: pg(client, svc, { PGUSER: 'app', PGDATABASE: 'shop' }),
        symptom: /too many|remaining connection slots/,
        expected: at(server, 'TooManyConnections'),
      };
    },
  },
  {
    code: 'TooManyConnections',
    title: 'PostgreSQL, the role’s own limit',
    async make(world) {
      const { server, svc, client } = await database(world, {
        init: `psql -U shop -d shop -c "CREATE ROLE app LOGIN PASSWORD 'shop' CONNECTION LIMIT 2"\n`,
      });
      await hogPod(world, svc, 'app', 2);
      return {
        why: [url(svc, { user: 'app' }), '--from', `pod/${client}`],
        client: pg(client, svc, { PGUSER: 'app', PGDATABASE: 'shop' }),
        symptom: /too many connections for role/,
        expected: at(server, 'TooManyConnections'),
      };
    },
  },
  redisCase(
    'TooManyConnections',
    'Redis at its maxclients',
    {},
    {
      first: '-ERR max number of clients reached\r\n',
      symptom: /max number/,
    },
  ),
  mysqlCase('TooManyConnections', 'MySQL that says so instead of a greeting', [1040, 'Too many connections'], true),
  {
    code: 'ServerStarting',
    title: 'PostgreSQL, a standby without hot_standby',
    async make(world) {
      const { server, svc, client } = await database(world, {
        init: STANDBY,
        args: ['-c', 'hot_standby=off'],
        container: { readinessProbe: { tcpSocket: { port: 5432 }, periodSeconds: 1 } },
      });
      return {
        why: [url(svc), '--from', `pod/${client}`],
        client: pg(client, svc),
        symptom: /not accepting connections|starting up/,
        expected: at(server, 'ServerStarting'),
        incurable: 'it waits for its primary',
      };
    },
  },
  redisCase(
    'ServerStarting',
    'Redis that loads its data',
    { PING: '-LOADING Redis is loading the dataset in memory\r\n' },
    {
      symptom: /LOADING/,
    },
  ),
  {
    code: 'ServerStarting',
    title: 'a server of PostgreSQL’s protocol that starts up',
    async make(world) {
      const body = 'SFATAL\\0VFATAL\\0C57P03\\0Mthe database system is starting up\\0\\0';
      const { server, svc, client } = await pieces(world, 5432, (n) =>
        program(
          world,
          n,
          5432,
          `require('net').createServer((s) => { s.on('error', () => {}); s.on('data', (d) => { if (d.length === 8) return s.write('N'); const b = Buffer.from('${body}'); const h = Buffer.alloc(5); h[0] = 69; h.writeUInt32BE(b.length + 4, 1); s.end(Buffer.concat([h, b])); }); }).listen(5432)`,
        ),
      );
      return {
        why: [url(svc), '--from', `pod/${client}`],
        client: pg(client, svc),
        symptom: /starting up/,
        expected: at(server, 'ServerStarting'),
        incurable: 'it ends by itself, or never',
      };
    },
  },
  {
    code: 'WrongProtocol',
    title: 'postgres:// to nginx',
    async make(world) {
      const { svc, client } = await pieces(world, 80, (n) => nginx(world, n, 'listen 80;'));
      return {
        why: [`postgres://shop:shop@${svc}:80/shop`, '--from', `pod/${client}`],
        client: pg(client, svc, {}, 80),
        symptom: /invalid response|closed/,
        expected: { code: 'WrongProtocol', kind: 'Service', name: svc },
        afterCure: curl(client, `http://${svc}/`),
      };
    },
  },
  {
    code: 'WrongProtocol',
    title: 'http:// to PostgreSQL',
    async make(world) {
      const { svc, client } = await database(world);
      return {
        why: [`http://${svc}:5432/`, '--from', `pod/${client}`],
        client: curl(client, `http://${svc}:5432/`),
        symptom: /Empty reply|curl/,
        expected: { code: 'WrongProtocol', kind: 'Service', name: svc },
        afterCure: pg(client, svc),
      };
    },
  },
  {
    code: 'WrongProtocol',
    title: 'redis:// to nginx',
    async make(world) {
      const { svc, client } = await pieces(world, 80, (n) => nginx(world, n, 'listen 80;'));
      return {
        why: [`redis://${svc}:80`, '--from', `pod/${client}`],
        client: say(client, svc, 80, 'PING\\r\\n', /PONG/),
        expected: { code: 'WrongProtocol', kind: 'Service', name: svc },
        afterCure: curl(client, `http://${svc}/`),
      };
    },
  },
  {
    code: 'WrongProtocol',
    title: 'amqp:// to a Redis',
    async make(world) {
      const { svc, client } = await pieces(world, 5672, (n) =>
        program(world, n, 5672, redis(5672, { AMQP: "-ERR unknown command 'AMQP'\r\n" })),
      );
      return {
        why: [`amqp://${svc}:5672`, '--from', `pod/${client}`],
        client: {
          on: client,
          command: ['bash', '-c', `printf 'AMQP\\0\\0\\x09\\x01' | timeout 4 nc -w 2 ${svc} 5672 | tr -d '\\0'`],
          works: /RabbitMQ|PLAIN/,
        },
        expected: { code: 'WrongProtocol', kind: 'Service', name: svc },
        afterCure: say(client, svc, 5672, 'PING\\r\\n', /PONG/),
      };
    },
  },
  ...[
    { title: 'PostgreSQL, the Service leads to the standby', headless: false },
    { title: 'PostgreSQL, a headless Service of the standby', headless: true },
  ].map(
    ({ title, headless }): Scenario => ({
      code: 'ReadOnlyReplica',
      title,
      async make(world) {
        const primary = `${world.word()}-primary`;
        await postgres(world, primary);
        await world.apply(service(primary, { app: primary }, [{ port: 5432 }]));
        const [server, svc] = [world.word(), world.word()];
        await postgres(world, server, { init: STANDBY });
        await world.apply(service(svc, { app: server }, [{ port: 5432 }], headless ? { clusterIP: 'None' } : {}));
        const client = await world.clientPod();
        await rolledOut(world, server);
        await rolledOut(world, primary);
        return {
          why: [url(svc, { query: '?target_session_attrs=read-write' }), '--from', `pod/${client}`],
          client: pg(client, svc, { PGTARGETSESSIONATTRS: 'read-write' }),
          symptom: /read-only/,
          expected: { code: 'ReadOnlyReplica', kind: 'Service', name: svc },
          afterCure: pg(client, primary, { PGTARGETSESSIONATTRS: 'read-write' }),
        };
      },
    }),
  ),
  {
    code: 'ReadOnlyReplica',
    title: 'a standby asked at its pod’s own address',
    async make(world) {
      const server = world.word();
      await postgres(world, server, { init: STANDBY });
      const client = await world.clientPod();
      await rolledOut(world, server);
      const pod = await podOf(world, server);
      const ip = await world.kubectl(['get', 'pod', pod, '-o', 'jsonpath={.status.podIP}']);
      return {
        why: [url(ip, { query: '?target_session_attrs=read-write' }), '--from', `pod/${client}`],
        client: pg(client, ip, { PGTARGETSESSIONATTRS: 'read-write' }),
        symptom: /read-only/,
        expected: { code: 'ReadOnlyReplica' },
        incurable: 'there is no primary',
      };
    },
  },
  ...[
    { title: 'a pooler behind a Service whose name is misspelt', host: 'wrong' },
    { title: 'a pooler whose PostgreSQL listens on loopback', host: 'loopback' },
    { title: 'a pooler whose upstream Service selects nothing', host: 'selector' },
  ].map(
    ({ title, host }): Scenario => ({
      code: 'PoolerUpstreamBroken',
      title,
      async make(world) {
        const [db, upstream] = [world.word(), world.word()];
        await postgres(world, db, host === 'loopback' ? { args: ['-c', 'listen_addresses=127.0.0.1'] } : {});
        await world.apply(service(upstream, { app: host === 'selector' ? `${db}-old` : db }, [{ port: 5432 }]));
        const { svc, client } = await pieces(world, 6432, (n) =>
          pgbouncer(world, n, { DB_HOST: host === 'wrong' ? `${upstream}x` : upstream }),
        );
        await rolledOut(world, db);
        const name = host === 'loopback' ? db : host === 'selector' ? upstream : undefined;
        return {
          why: [`postgres://shop:shop@${svc}:6432/shop`, '--from', `pod/${client}`],
          client: pg(client, svc, { PGCONNECT_TIMEOUT: '8' }, 6432),
          symptom: /pgbouncer|server login|timeout|closed/,
          expected: { code: 'PoolerUpstreamBroken', ...(name === undefined ? {} : { name }) },
          ...(host === 'wrong' ? { incurable: 'the pooler’s environment has to change' } : {}),
        };
      },
    }),
  ),
];
