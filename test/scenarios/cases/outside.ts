// The ways in from outside: load balancers' addresses, and Ingresses.
import { until } from '../../e2e/cluster.ts';
import type { Client, Expected, Scenario, Situation } from '../scenario.ts';
import { authority, clientWith, curl, nginx, postgres, program, redis, rolledOut } from '../servers.ts';
import { psql, service, type World } from '../world.ts';

/** A web server behind a Service; not waited for. */
async function web(world: World, ports: readonly object[] = [{ port: 80 }], spec: object = {}) {
  const [server, svc] = [world.word(), world.word()];
  await nginx(world, server, 'listen 80;');
  await world.apply(service(svc, { app: server }, ports, spec));
  return { server, svc };
}

const laptop = (line: string): Client => ({ on: 'laptop', command: ['bash', '-c', line], works: /hello/ });

/** What a user of the laptop does: the address that the Service shows, and then curl. */
const byStatus = (world: World, svc: string): Client =>
  laptop(
    `ip=$(kubectl --kubeconfig ${world.cluster.kubeconfig} -n ${world.namespace} get service ${svc} -o 'jsonpath={.status.loadBalancer.ingress[0].ip}'); [ -n "$ip" ] || { echo 'no external IP: <pending>'; exit 1; }; curl -sS -m 4 "http://$ip/"`,
  );

async function balancer(world: World, svc: string): Promise<string> {
  return until(`the address of ${svc}`, 30_000, async () => {
    const ip = await world.kubectl(['get', 'service', svc, '-o', 'jsonpath={.status.loadBalancer.ingress[0].ip}']);
    return ip !== '' && ip;
  });
}

const pending = (title: string, spec: (world: World) => Promise<object> | object, field: RegExp): Scenario => ({
  code: 'LoadBalancerPending',
  title,
  async make(world) {
    const { server, svc } = await web(world, [{ port: 80 }], { type: 'LoadBalancer', ...(await spec(world)) });
    await rolledOut(world, server);
    return {
      why: [`svc/${svc}`],
      client: byStatus(world, svc),
      symptom: /pending/,
      expected: { code: 'LoadBalancerPending', kind: 'Service', name: svc, field },
    };
  },
});

const ranges = (title: string, list: readonly string[], spec: object = {}, byURL = true): Scenario => ({
  code: 'SourceRangeDenied',
  title,
  async make(world) {
    const { server, svc } = await web(world, [{ port: 80 }], {
      type: 'LoadBalancer',
      loadBalancerSourceRanges: list,
      ...spec,
    });
    await rolledOut(world, server);
    const ip = await balancer(world, svc);
    return {
      why: [byURL ? `http://${ip}/` : `svc/${svc}`],
      client: laptop(`curl -sS -m 4 http://${ip}/`),
      symptom: /timed out|timeout/i,
      expected: { code: 'SourceRangeDenied', kind: 'Service', name: svc, field: 'spec.loadBalancerSourceRanges' },
    };
  },
});

interface Rule {
  readonly host: string;
  readonly path?: string;
  readonly pathType?: string;
  readonly backend: object;
}

const ingress = (name: string, rules: readonly Rule[], spec: object = {}): object => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name },
  spec: {
    rules: rules.map(({ host, path = '/', pathType = 'Prefix', backend }) => ({
      host,
      http: { paths: [{ path, pathType, backend }] },
    })),
    ...spec,
  },
});
const to = (name: string, port: object = { number: 80 }) => ({ service: { name, port } });

/** The address of the proxies, which stands with the first Ingress. */
async function proxies(world: World): Promise<string> {
  return until('the address of the proxies', 60_000, async () => {
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
}

/** A client that finds the hosts at the proxies, as if a zone said so. */
async function visitor(world: World, ...hosts: readonly string[]): Promise<string> {
  const ip = await proxies(world);
  return clientWith(world, { spec: { hostAliases: [{ ip, hostnames: hosts }] } });
}

interface Asked {
  readonly host: string;
  readonly svc: string;
  readonly name: string;
}

/** An Ingress in front of a web server, and a client that asks for `path`. */
const routed = (
  code: string,
  title: string,
  make: (world: World, asked: Asked) => Promise<void>,
  expected: (asked: Asked) => Expected,
  more: {
    readonly path?: string;
    readonly https?: boolean;
    readonly symptom?: RegExp;
    readonly ports?: readonly object[];
  } & {
    readonly afterCure?: (client: string, asked: Asked) => Client;
  } = {},
): Scenario => ({
  code,
  title,
  async make(world): Promise<Situation> {
    const { server, svc } = await web(world, more.ports);
    const asked = { host: `${world.word()}.${world.namespace}.example`, svc, name: world.word() };
    await make(world, asked);
    const client = await visitor(world, asked.host);
    await rolledOut(world, server);
    const url = `${more.https === true ? 'https' : 'http'}://${asked.host}${more.path ?? '/'}`;
    return {
      why: [url, '--from', `pod/${client}`],
      client: { ...curl(client, url), works: /hello/ },
      ...(more.symptom === undefined ? {} : { symptom: more.symptom }),
      expected: { kind: 'Ingress', name: asked.name, ...expected(asked) },
      ...(more.afterCure === undefined ? {} : { afterCure: more.afterCure(client, asked) }),
    };
  },
});

const shows = (client: string, { host }: Asked): Client => ({
  on: client,
  command: [
    'bash',
    '-c',
    `openssl s_client -connect ${host}:443 -servername ${host} </dev/null 2>/dev/null | openssl x509 -noout -ext subjectAltName`,
  ],
  works: new RegExp(`DNS:`),
});

const notHttp = (title: string, kind: 'postgres' | 'redis', port: number): Scenario => ({
  code: 'IngressNotHTTP',
  title,
  async make(world) {
    const [server, svc, name] = [world.word(), world.word(), world.word()];
    const host = `${world.word()}.${world.namespace}.example`;
    const own = kind === 'postgres' ? 5432 : 6379;
    if (kind === 'postgres') await postgres(world, server);
    else await program(world, server, own, redis(own, {}));
    await world.apply(
      service(svc, { app: server }, [{ port: own }]),
      ingress(name, [{ host, backend: to(svc, { number: own }) }]),
    );
    const client = await visitor(world, host);
    await rolledOut(world, server);
    const redisLine = (at: string, p: number): Client => ({
      on: client,
      command: ['bash', '-c', `printf 'PING\\r\\n' | timeout 4 nc -w 2 ${at} ${p}`],
      works: /PONG/,
    });
    return {
      why: [
        kind === 'postgres' ? `postgres://shop:shop@${host}:${port}/shop` : `redis://${host}:${port}`,
        '--from',
        `pod/${client}`,
      ],
      client: kind === 'postgres' ? { on: client, command: psql(host, port) } : redisLine(host, port),
      expected: { code: 'IngressNotHTTP', kind: 'Ingress', name },
      afterCure: kind === 'postgres' ? { on: client, command: psql(svc) } : redisLine(svc, own),
    };
  },
});

export const OUTSIDE_SCENARIOS: readonly Scenario[] = [
  pending('a class that nobody serves', () => ({ loadBalancerClass: 'example.com/edge' }), /loadBalancerClass/),
  pending('an address outside the range', () => ({ loadBalancerIP: '203.0.113.7' }), /loadBalancerIP/),
  pending(
    'an address that another Service has on this port',
    async (world) => {
      const other = await web(world, [{ port: 80 }], { type: 'LoadBalancer' });
      return { loadBalancerIP: await balancer(world, other.svc) };
    },
    /loadBalancerIP/,
  ),
  ranges('an office network alone', ['192.0.2.128/25']),
  ranges('one address beside the client’s, policy Local', ['198.51.100.4/32', '10.255.0.0/16'], {
    externalTrafficPolicy: 'Local',
  }),
  ranges('asked by the Service’s name', ['203.0.113.0/24'], {}, false),
  notHttp('postgres:// to the HTTP port', 'postgres', 80),
  notHttp('postgres:// to the HTTPS port', 'postgres', 443),
  notHttp('redis:// to the HTTP port', 'redis', 80),
  routed(
    'IngressNoRoute',
    'the path is not among the rules',
    (world, { host, svc, name }) => world.apply(ingress(name, [{ host, path: '/api', backend: to(svc) }])),
    () => ({ code: 'IngressNoRoute', field: /^spec\.rules\[0\]/ }),
    { path: '/shop', symptom: /404/ },
  ),
  routed(
    'IngressNoRoute',
    'an Exact path, asked below it',
    (world, { host, svc, name }) =>
      world.apply(ingress(name, [{ host, path: '/shop', pathType: 'Exact', backend: to(svc) }])),
    () => ({ code: 'IngressNoRoute', field: /^spec\.rules\[0\]/ }),
    { path: '/shop/cart', symptom: /404/ },
  ),
  routed(
    'IngressNoRoute',
    'a class that does not exist',
    async (world, { host, svc, name }) => {
      // Another Ingress has the proxies there, as in any cluster where some work.
      await world.apply(
        ingress(name, [{ host, backend: to(svc) }], { ingressClassName: 'nginx' }),
        ingress(`${name}-other`, [{ host: `other.${host}`, backend: to(svc) }]),
      );
    },
    () => ({ code: 'IngressNoRoute', field: 'spec.ingressClassName' }),
    { symptom: /404/ },
  ),
  routed(
    'IngressBackendMissing',
    'a slip in the Service’s name',
    (world, { host, svc, name }) => world.apply(ingress(name, [{ host, backend: to(`${svc}s`) }])),
    () => ({ code: 'IngressBackendMissing', field: /service\.name$/ }),
    { symptom: /503/ },
  ),
  routed(
    'IngressBackendMissing',
    'a port that the Service has not: the container’s',
    (world, { host, svc, name }) => world.apply(ingress(name, [{ host, backend: to(svc, { number: 80 }) }])),
    () => ({ code: 'IngressBackendMissing', field: /service\.port/ }),
    { symptom: /503/, ports: [{ port: 8080, targetPort: 80 }] },
  ),
  routed(
    'IngressBackendMissing',
    'a port by a name that is another’s',
    (world, { host, svc, name }) => world.apply(ingress(name, [{ host, backend: to(svc, { name: 'web' }) }])),
    () => ({ code: 'IngressBackendMissing', field: /service\.port/ }),
    { symptom: /503/, ports: [{ name: 'http', port: 80 }] },
  ),
  routed(
    'IngressBackendMissing',
    'the default backend names a Service that is gone',
    (world, { host, svc, name }) =>
      world.apply(ingress(name, [{ host, path: '/api', backend: to(svc) }], { defaultBackend: to(`${svc}-gone`) })),
    () => ({ code: 'IngressBackendMissing', field: /defaultBackend\.service\.name$/ }),
    { symptom: /503/, path: '/elsewhere' },
  ),
  routed(
    'IngressTLSSecretMissing',
    'no such Secret',
    (world, { host, svc, name }) =>
      world.apply(ingress(name, [{ host, backend: to(svc) }], { tls: [{ hosts: [host], secretName: 'web-tls' }] })),
    () => ({ code: 'IngressTLSSecretMissing', field: 'spec.tls[0].secretName' }),
    { https: true, symptom: /certificate/i, afterCure: shows },
  ),
  routed(
    'IngressTLSSecretMissing',
    'the Secret is in another namespace’s words: a second entry',
    async (world, { host, svc, name }) => {
      const ca = await authority('ca');
      const pair = await ca.server(['good.example']);
      await world.apply(
        {
          apiVersion: 'v1',
          kind: 'Secret',
          type: 'kubernetes.io/tls',
          metadata: { name: 'good' },
          stringData: { 'tls.crt': pair.certificate, 'tls.key': pair.key },
        },
        ingress(name, [{ host, backend: to(svc) }], {
          tls: [
            { hosts: ['good.example'], secretName: 'good' },
            { hosts: [host], secretName: 'goood' },
          ],
        }),
      );
    },
    () => ({ code: 'IngressTLSSecretMissing', field: 'spec.tls[1].secretName' }),
    { https: true, symptom: /certificate/i, afterCure: shows },
  ),
  routed(
    'IngressTLSSecretMissing',
    'the Secret is no certificate',
    (world, { host, svc, name }) =>
      world.apply(
        { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'web-tls' }, stringData: { password: 'shop' } },
        ingress(name, [{ host, backend: to(svc) }], { tls: [{ hosts: [host], secretName: 'web-tls' }] }),
      ),
    () => ({ code: 'IngressTLSSecretMissing', field: 'spec.tls[0].secretName' }),
    { https: true, symptom: /certificate/i, afterCure: shows },
  ),
  routed(
    'IngressTLSSecretMissing',
    'a Secret of the right type with nonsense in it',
    (world, { host, svc, name }) =>
      world.apply(
        {
          apiVersion: 'v1',
          kind: 'Secret',
          type: 'kubernetes.io/tls',
          metadata: { name: 'web-tls' },
          stringData: { 'tls.crt': 'see the wiki', 'tls.key': 'see the wiki' },
        },
        ingress(name, [{ host, backend: to(svc) }], { tls: [{ hosts: [host], secretName: 'web-tls' }] }),
      ),
    () => ({ code: 'IngressTLSSecretMissing', field: 'spec.tls[0].secretName' }),
    { https: true, symptom: /certificate/i, afterCure: shows },
  ),
];
