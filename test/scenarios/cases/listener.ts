// A pod that is reached, and a server in it that is not.
import type { Client, Scenario } from '../scenario.ts';
import { curl, nginx, pgbouncer, podOf, postgres, program, rolledOut } from '../servers.ts';
import { psql, readLine, service, type World } from '../world.ts';

interface Made {
  /** What the report names. */
  readonly object?: { readonly kind: string; readonly name: string };
  readonly field?: RegExp;
}
type Protocol = 'postgres' | 'http' | 'line';

const ask = (protocol: Protocol, on: string, host: string, port: number): Client =>
  protocol === 'postgres'
    ? { on, command: psql(host, port) }
    : protocol === 'http'
      ? curl(on, `http://${host}:${port}/`)
      : { on, command: readLine(host, port), works: /hello/ };

/** A server behind a Service on `port` (or asked at its pod's own address), with no readiness probe to keep it out. */
const listener = (
  code: string,
  title: string,
  protocol: Protocol,
  port: number,
  make: (world: World, server: string) => Promise<Made | undefined>,
  more: {
    readonly incurable?: string;
    readonly straight?: true;
    readonly headless?: true;
    readonly target?: number | string;
    /** The client goes on at another port, as the note says. */
    readonly goOn?: number;
  } = {},
): Scenario => ({
  code,
  title,
  async make(world) {
    const [server, svc] = [world.word(), world.word()];
    const made = await make(world, server);
    await world.apply(
      service(
        svc,
        { app: server },
        [{ port, ...(more.target === undefined ? {} : { targetPort: more.target }) }],
        more.headless === true ? { clusterIP: 'None' } : {},
      ),
    );
    const client = await world.clientPod();
    await rolledOut(world, server);
    const pod = await podOf(world, server);
    const host =
      more.straight === true ? await world.kubectl(['get', 'pod', pod, '-o', 'jsonpath={.status.podIP}']) : svc;
    const scheme =
      protocol === 'postgres'
        ? `postgres://shop:shop@${host}:${port}/shop`
        : `${protocol === 'http' ? 'http' : 'tcp'}://${host}:${port}${protocol === 'http' ? '/' : ''}`;
    return {
      why: [scheme, '--from', `pod/${client}`],
      client: ask(protocol, client, host, port),
      symptom: /refused|connect/i,
      expected: {
        code,
        ...(made?.object ?? { kind: 'Deployment', name: server }),
        ...(made?.field === undefined ? {} : { field: made.field }),
      },
      ...(more.goOn === undefined ? {} : { afterCure: ask(protocol, client, host, more.goOn) }),
      ...(more.incurable === undefined ? {} : { incurable: more.incurable }),
    };
  },
});

const ready = (port: number, host = '127.0.0.1') => ({
  readinessProbe: { exec: { command: ['pg_isready', '-q', '-h', host, '-p', String(port)] }, periodSeconds: 1 },
});
const NO_PROBE = { container: { readinessProbe: null } };
const line = (listen: string) =>
  `require('net').createServer((s) => s.on('error', () => {}).end('hello\\n')).listen(${listen})`;
const INTERNAL = 'pods that run keep their program until the owner changes it by hand';

export const LISTENER_SCENARIOS: readonly Scenario[] = [
  listener(
    'NothingListening',
    'PostgreSQL’s image with a command that sleeps',
    'postgres',
    5432,
    async (world, server) => {
      await postgres(world, server, { container: { readinessProbe: null, command: ['sleep', '100000'] } });
      return { field: /containers/ };
    },
  ),
  listener(
    'NothingListening',
    'pgbouncer’s image with a shell that sleeps',
    'postgres',
    6432,
    async (world, server) => {
      const db = world.word();
      await postgres(world, db);
      await world.apply(service(db, { app: db }, [{ port: 5432 }]));
      await rolledOut(world, db);
      await pgbouncer(world, server, { DB_HOST: db }, { container: { command: ['sh', '-c'], args: ['sleep 100000'] } });
      return { field: /containers/ };
    },
  ),
  listener(
    'NothingListening',
    'a worker that opens no port',
    'line',
    7000,
    async (world, server) => {
      await program(world, server, 7000, 'setInterval(() => {}, 1e6)', NO_PROBE);
      return { field: /containers/ };
    },
    { incurable: INTERNAL },
  ),
  listener(
    'ListenerOnLoopback',
    'PostgreSQL with listen_addresses=127.0.0.1',
    'postgres',
    5432,
    async (world, server) => {
      await postgres(world, server, { args: ['-c', 'listen_addresses=127.0.0.1'] });
      return { field: /args$/ };
    },
  ),
  listener(
    'ListenerOnLoopback',
    'PostgreSQL with listen_addresses=localhost, headless',
    'postgres',
    5432,
    async (world, server) => {
      await postgres(world, server, { args: ['-c', 'listen_addresses=localhost'] });
      return { field: /args$/ };
    },
    { headless: true },
  ),
  listener('ListenerOnLoopback', 'a program that takes its address from HOST', 'line', 7100, async (world, server) => {
    await program(world, server, 7100, line('+process.env.PORT, process.env.HOST'), {
      ...NO_PROBE,
      env: { HOST: '127.0.0.1', PORT: '7100' },
    });
    return { field: /env\[0\]\.value$/ };
  }),
  listener(
    'ListenerOnLoopback',
    'nginx whose configuration says 127.0.0.1',
    'http',
    80,
    async (world, server) => {
      await nginx(world, server, 'listen 127.0.0.1:80;');
      return undefined;
    },
    { incurable: INTERNAL },
  ),
  listener('ListenerOnLoopback', 'pgbouncer as it comes', 'postgres', 6432, async (world, server) => {
    const db = world.word();
    await postgres(world, db);
    await world.apply(service(db, { app: db }, [{ port: 5432 }]));
    await rolledOut(world, db);
    await pgbouncer(world, server, { DB_HOST: db, LISTEN_ADDRESS: '127.0.0.1' });
    return { field: /env\[\d\]\.value$/ };
  }),
  {
    code: 'ListenerOnLoopback',
    title: 'PostgreSQL with listen_addresses=127.0.0.1, in a bare pod',
    async make(world) {
      const [server, svc] = [world.word(), world.word()];
      await world.postgres(server, { labels: { app: server }, args: ['-c', 'listen_addresses=127.0.0.1'] });
      await world.apply(service(svc, { app: server }, [{ port: 5432 }]));
      const client = await world.clientPod();
      await world.ready(server);
      return {
        why: [`postgres://shop@${svc}:5432/shop`, '--from', `pod/${client}`],
        client: { on: client, command: psql(svc) },
        symptom: /refused/i,
        expected: { code: 'ListenerOnLoopback', kind: 'Pod', name: server },
        incurable: 'arguments of a bare pod cannot be changed',
      };
    },
  },
  listener(
    'ListenerOtherPort',
    'PostgreSQL started with -p, its container declares 5432',
    'postgres',
    5432,
    async (world, server) => {
      await postgres(world, server, { args: ['-p', '5433'], container: ready(5433) });
      return { field: /args$/ };
    },
  ),
  listener('ListenerOtherPort', 'PostgreSQL with -c port=', 'postgres', 5432, async (world, server) => {
    await postgres(world, server, { args: ['-c', 'port=6000'], container: ready(6000) });
    return { field: /args$/ };
  }),
  listener(
    'ListenerOtherPort',
    'a program with PORT, asked at its pod’s address',
    'line',
    8080,
    async (world, server) => {
      await program(world, server, 8080, line('+process.env.PORT'), { ...NO_PROBE, env: { PORT: '8081' } });
      return { field: /env\[0\]\.value$/ };
    },
    { straight: true, incurable: 'the cure makes a new pod, which has another address' },
  ),
  listener('ListenerOtherPort', 'nginx on 8080 by its configuration', 'http', 80, async (world, server) => {
    await nginx(world, server, 'listen 8080;', {
      container: { readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 } },
    });
    return undefined;
  }),
  listener(
    'ListenerOtherFamily',
    'a program on :: alone',
    'line',
    7200,
    async (world, server) => {
      await program(world, server, 7200, line("{ host: '::', port: 7200, ipv6Only: true }"), NO_PROBE);
      return undefined;
    },
    { incurable: INTERNAL },
  ),
  listener('ListenerOtherFamily', 'PostgreSQL with listen_addresses=::', 'postgres', 5432, async (world, server) => {
    await postgres(world, server, { args: ['-c', 'listen_addresses=::'], container: ready(5432, '::1') });
    return { field: /args$/ };
  }),
  listener(
    'ListenerOtherFamily',
    'nginx with [::]:80 ipv6only, asked at its pod',
    'http',
    80,
    async (world, server) => {
      await nginx(world, server, 'listen [::]:80 ipv6only=on;');
      return undefined;
    },
    { straight: true, incurable: INTERNAL },
  ),
];
