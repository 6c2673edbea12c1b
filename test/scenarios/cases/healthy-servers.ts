// Servers, poolers, claims and ways in from outside that look suspicious and work.
import { until } from '../../e2e/cluster.ts';
import type { Client, Scenario, Situation } from '../scenario.ts';
import {
  authority,
  clientWith,
  configMap,
  curl,
  nginx,
  pgbouncer,
  podOf,
  postgres,
  program,
  redis,
  rolledOut,
  say,
} from '../servers.ts';
import { psql, readLine, service, type World } from '../world.ts';

const healthy = (
  title: string,
  make: (world: World) => Promise<Situation>,
  more: Partial<Scenario> = {},
): Scenario => ({
  code: 'healthy',
  title,
  make,
  ...more,
});

const url = (host: string, port = 5432, query = '') => `postgres://shop:shop@${host}:${port}/shop${query}`;
const from = (client: string) => ['--from', `pod/${client}`];
const laptop = (target: string): Client => ({
  on: 'laptop',
  command: ['curl', '-sS', '-m', '4', target],
  works: /hello/,
});

async function balanced(world: World, spec: object): Promise<{ readonly svc: string; readonly ip: string }> {
  const [server, svc] = [world.word(), world.word()];
  await nginx(world, server, 'listen 80;');
  await world.apply(service(svc, { app: server }, [{ port: 80 }], { type: 'LoadBalancer', ...spec }));
  await rolledOut(world, server);
  const ip = await until('an address', 30_000, async () => {
    const said = await world.kubectl(['get', 'service', svc, '-o', 'jsonpath={.status.loadBalancer.ingress[0].ip}']);
    return said !== '' && said;
  });
  return { svc, ip };
}

export const HEALTHY_SERVER_SCENARIOS: readonly Scenario[] = [
  healthy('PostgreSQL with TLS of its own authority, given by sslrootcert', async (world) => {
    const [server, svc, ca] = [world.word(), world.word(), await authority('ca')];
    await postgres(world, server, { certificate: await ca.server([svc]) });
    await world.apply(
      service(svc, { app: server }, [{ port: 5432 }]),
      configMap('trust', { 'ca.crt': ca.certificate }),
    );
    const client = await clientWith(world, { files: { trust: '/trust' } });
    await rolledOut(world, server);
    return {
      why: [url(svc, 5432, '?sslmode=verify-full&sslrootcert=/trust/ca.crt'), ...from(client)],
      client: { on: client, command: psql(svc, 5432, { PGSSLMODE: 'verify-full', PGSSLROOTCERT: '/trust/ca.crt' }) },
    };
  }),
  healthy('a self-signed certificate, and sslmode=require, which does not look at it', async (world) => {
    const [server, svc, ca] = [world.word(), world.word(), await authority('ca')];
    await postgres(world, server, { certificate: await ca.server(['elsewhere.example'], [-90, -3]) });
    await world.apply(service(svc, { app: server }, [{ port: 5432 }]));
    const client = await world.clientPod();
    await rolledOut(world, server);
    return {
      why: [url(svc, 5432, '?sslmode=require'), ...from(client)],
      client: { on: client, command: psql(svc, 5432, { PGSSLMODE: 'require' }) },
    };
  }),
  healthy('a pooler with a healthy upstream', async (world) => {
    const [db, server, svc] = [world.word(), world.word(), world.word()];
    await postgres(world, db);
    await world.apply(service(db, { app: db }, [{ port: 5432 }]));
    await pgbouncer(world, server, { DB_HOST: db });
    await world.apply(service(svc, { app: server }, [{ port: 6432 }]));
    const client = await world.clientPod();
    await rolledOut(world, db);
    await rolledOut(world, server);
    return {
      why: [url(svc, 6432), ...from(client)],
      client: { on: client, command: psql(svc, 6432, { PGCONNECT_TIMEOUT: '8' }) },
    };
  }),
  healthy('a pooler on loopback, a sidecar of the client', async (world) => {
    const [db, name] = [world.word(), world.word()];
    await postgres(world, db);
    await world.apply(service(db, { app: db }, [{ port: 5432 }]), {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [
          { name: 'main', image: 'docker.io/coracle/client:1' },
          {
            name: 'pooler',
            image: 'docker.io/coracle/pgbouncer:1.18',
            env: Object.entries({ DB_HOST: db, DB_USER: 'shop', DB_PASSWORD: 'shop', SERVER_TLS: 'disable' }).map(
              ([k, value]) => ({ name: k, value }),
            ),
          },
        ],
      },
    });
    await world.ready(name);
    await rolledOut(world, db);
    return {
      why: [url('localhost', 6432), ...from(name)],
      client: { on: name, command: psql('127.0.0.1', 6432, { PGCONNECT_TIMEOUT: '8' }) },
    };
  }),
  healthy('source ranges that have the client among them', async (world) => {
    const { ip } = await balanced(world, { loadBalancerSourceRanges: ['192.0.2.0/24', '192.168.0.0/16'] });
    return { why: [`http://${ip}/`], client: laptop(`http://${ip}/`) };
  }),
  healthy('a load balancer of policy Local', async (world) => {
    const { ip } = await balanced(world, { externalTrafficPolicy: 'Local' });
    return { why: [`http://${ip}/`], client: laptop(`http://${ip}/`) };
  }),
  healthy('a load balancer asked by the Service’s name', async (world) => {
    const { svc, ip } = await balanced(world, {});
    return { why: [`svc/${svc}`], client: laptop(`http://${ip}/`) };
  }),
  healthy('a standby that is asked to read', async (world) => {
    const [server, svc] = [world.word(), world.word()];
    await postgres(world, server, { init: 'touch "$PGDATA/standby.signal"\n' });
    await world.apply(service(svc, { app: server }, [{ port: 5432 }]));
    const client = await world.clientPod();
    await rolledOut(world, server);
    return { why: [url(svc), ...from(client)], client: { on: client, command: psql(svc) } };
  }),
  healthy('PostgreSQL on another port, with the right targetPort', async (world) => {
    const [server, svc] = [world.word(), world.word()];
    await postgres(world, server, { args: ['-p', '5555'], container: { readinessProbe: null } });
    await world.apply(service(svc, { app: server }, [{ port: 5432, targetPort: 5555 }]));
    const client = await world.clientPod();
    await rolledOut(world, server);
    return { why: [url(svc), ...from(client)], client: { on: client, command: psql(svc) } };
  }),
  healthy(
    'a server on the host’s network',
    async (world) => {
      const [server, svc] = [world.word(), world.word()];
      const port = 21_000 + (world.seed % 5_000);
      const [node] = (await world.cluster.nodeNames()) as [string];
      await program(
        world,
        server,
        port,
        `require('net').createServer((s) => s.on('error', () => {}).end('hello\\n')).listen(${port})`,
        {
          node,
          spec: { hostNetwork: true },
        },
      );
      await world.apply(service(svc, { app: server }, [{ port }]));
      const client = await world.clientPod();
      await rolledOut(world, server);
      return {
        why: [`tcp://${svc}:${port}`, ...from(client)],
        client: { on: client, command: readLine(svc, port), works: /hello/ },
      };
    },
    { alone: true },
  ),
  healthy('a Redis that wants a password, which the URL has', async (world) => {
    const [server, svc] = [world.word(), world.word()];
    await program(world, server, 6379, redis(6379, { 'AUTH SESAME': '+OK\r\n' }));
    await world.apply(service(svc, { app: server }, [{ port: 6379 }]));
    const client = await world.clientPod();
    await rolledOut(world, server);
    return {
      why: [`redis://:sesame@${svc}:6379`, ...from(client)],
      client: say(client, svc, 6379, 'AUTH sesame\\r\\n', /\+OK/),
    };
  }),
  healthy('PostgreSQL asked without a password: its question is the end', async (world) => {
    const [server, svc] = [world.word(), world.word()];
    await postgres(world, server);
    await world.apply(service(svc, { app: server }, [{ port: 5432 }]));
    const client = await world.clientPod();
    await rolledOut(world, server);
    return { why: [`postgres://shop@${svc}:5432/shop`, ...from(client)], client: { on: client, command: psql(svc) } };
  }),
  healthy('an access list that rejects others before it lets the client in', async (world) => {
    const [server, svc] = [world.word(), world.word()];
    await postgres(world, server, {
      hba: [
        'local all all trust',
        'host all root all reject',
        'host all all 192.0.2.0/24 reject',
        'host shop shop all scram-sha-256',
      ],
    });
    await world.apply(service(svc, { app: server }, [{ port: 5432 }]));
    const client = await world.clientPod();
    await rolledOut(world, server);
    return { why: [url(svc), ...from(client)], client: { on: client, command: psql(svc) } };
  }),
  healthy('a claim at the data directory, PGDATA below it', async (world) => {
    const [server, svc, claim] = [world.word(), world.word(), world.word()];
    await world.apply({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: claim },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    });
    await postgres(world, server, {
      env: { PGDATA: '/var/lib/postgresql/data/pgdata' },
      spec: { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: claim } }] },
      container: { volumeMounts: [{ name: 'data', mountPath: '/var/lib/postgresql/data' }] },
    });
    await world.apply(service(svc, { app: server }, [{ port: 5432 }]));
    const client = await world.clientPod();
    await rolledOut(world, server);
    return { why: [url(svc), ...from(client)], client: { on: client, command: psql(svc) } };
  }),
  healthy('a port-forward to a Service', async (world) => {
    const [server, svc] = [world.word(), world.word()];
    await nginx(world, server, 'listen 80;');
    await world.apply(service(svc, { app: server }, [{ port: 8000, targetPort: 80 }]));
    await rolledOut(world, server);
    await podOf(world, server);
    const forward = await world.cluster.portForward(world.namespace, `svc/${svc}`, 8000);
    const target = `http://localhost:${forward.port}/`;
    return { why: [target], client: laptop(target), restore: async () => forward.stop() };
  }),
  healthy('an Ingress of the default class, its class not named', async (world) => {
    const [server, svc, host] = [world.word(), world.word(), `${world.word()}.${world.namespace}.example`];
    await nginx(world, server, 'listen 80;');
    await world.apply(service(svc, { app: server }, [{ name: 'http', port: 8000, targetPort: 80 }]), {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name: svc },
      spec: {
        rules: [
          {
            host,
            http: {
              paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: svc, port: { name: 'http' } } } }],
            },
          },
        ],
      },
    });
    await rolledOut(world, server);
    const ip = await until('the address of the proxies', 60_000, async () => {
      const { stdout } = await world.cluster.tryKubectl([
        '-n',
        'kube-system',
        'get',
        'service',
        'ingress',
        '-o',
        'jsonpath={.status.loadBalancer.ingress[0].ip}',
      ]);
      return stdout !== '' && stdout;
    });
    const client = await clientWith(world, { spec: { hostAliases: [{ ip, hostnames: [host] }] } });
    return {
      why: [`http://${host}/`, ...from(client)],
      client: { ...curl(client, `http://${host}/`), works: /hello/ },
    };
  }),
];
