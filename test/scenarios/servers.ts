// Servers of the scenarios that a cure can change: Deployments of PostgreSQL, nginx, pgbouncer and of small programs that speak other
// protocols' first words, certificates for them, and ordinary clients of each.
import { createAuthority, createLeaf } from '#pki/certificates.ts';
import type { CertificatePair } from '#pki/keys.ts';
import { until } from '../e2e/cluster.ts';
import type { Client } from './scenario.ts';
import { pod, type ServerOptions, type World } from './world.ts';

const NODE_IMAGE = 'ghcr.io/acme/api:1.4.2';
const DAY_MS = 24 * 60 * 60 * 1000;

export interface DeploymentOptions extends ServerOptions {
  readonly replicas?: number;
  /** ConfigMap → where it is mounted. */
  readonly files?: Readonly<Record<string, string>>;
  /** Secret → where it is mounted, for PostgreSQL's group to read. */
  readonly secrets?: Readonly<Record<string, string>>;
}

/** Objects with `spec.template` of one container. */
export function deployment(name: string, image: string, options: DeploymentOptions = {}): object {
  const labels = options.labels ?? { app: name };
  const volumes = [
    ...Object.keys(options.files ?? {}).map((n) => ({ name: n, configMap: { name: n } })),
    ...Object.keys(options.secrets ?? {}).map((n) => ({ name: n, secret: { secretName: n, defaultMode: 0o440 } })),
  ];
  const mounts = Object.entries({ ...options.files, ...options.secrets });
  const spec = {
    ...(volumes.length === 0 ? {} : { volumes }),
    ...(options.secrets === undefined ? {} : { securityContext: { fsGroup: 999 } }),
    ...options.spec,
  };
  const container = {
    ...(mounts.length === 0 ? {} : { volumeMounts: mounts.map(([n, mountPath]) => ({ name: n, mountPath })) }),
    ...options.container,
  };
  const made = pod(name, image, { ...options, spec, container }) as { spec: object };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas: options.replicas ?? 1,
      strategy: { type: 'Recreate' },
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: made.spec },
    },
  };
}

export interface PostgresOptions extends DeploymentOptions {
  /** Of pg_hba.conf, in a ConfigMap that the server is pointed at. */
  readonly hba?: readonly string[];
  /** A script that the first start runs. */
  readonly init?: string;
  /** The server has TLS with it. */
  readonly certificate?: CertificatePair;
  /** The authority of clients. */
  readonly clientAuthority?: string;
}

/** User, database and password `shop` unless told. Not waited for. */
export async function postgres(world: World, name: string, options: PostgresOptions = {}): Promise<void> {
  const { hba, init, certificate, clientAuthority, args = [], env = {}, container = {}, ...rest } = options;
  const objects: object[] = [];
  const files: Record<string, string> = {};
  const secrets: Record<string, string> = {};
  const all = [...args];
  if (hba !== undefined) {
    objects.push(configMap(`${name}-hba`, { 'pg_hba.conf': `${hba.join('\n')}\n` }));
    files[`${name}-hba`] = '/hba';
    all.push('-c', 'hba_file=/hba/pg_hba.conf');
  }
  if (init !== undefined) {
    objects.push(configMap(`${name}-init`, { 'init.sh': init }));
    files[`${name}-init`] = '/docker-entrypoint-initdb.d';
  }
  if (certificate !== undefined) {
    objects.push(tlsSecret(`${name}-tls`, certificate, clientAuthority));
    secrets[`${name}-tls`] = '/tls';
    all.push('-c', 'ssl=on', '-c', 'ssl_cert_file=/tls/tls.crt', '-c', 'ssl_key_file=/tls/tls.key');
    if (clientAuthority !== undefined) all.push('-c', 'ssl_ca_file=/tls/ca.crt');
  }
  objects.push(
    deployment(name, 'docker.io/library/postgres:15', {
      port: 5432,
      ...rest,
      env: { POSTGRES_USER: 'shop', POSTGRES_PASSWORD: 'shop', ...env },
      ...(Object.keys(files).length === 0 ? {} : { files }),
      ...(Object.keys(secrets).length === 0 ? {} : { secrets }),
      container: {
        ...(all.length === 0 ? {} : { args: ['postgres', ...all] }),
        readinessProbe: { exec: { command: ['pg_isready', '-q', '-h', '127.0.0.1'] }, periodSeconds: 1 },
        ...container,
      },
    }),
  );
  await world.apply(...objects);
}

/** A program in JavaScript. Not waited for. */
export async function program(
  world: World,
  name: string,
  port: number,
  source: string,
  options: DeploymentOptions = {},
): Promise<void> {
  await world.apply(
    deployment(name, NODE_IMAGE, {
      port,
      ...options,
      container: {
        command: ['node', '-e', source],
        readinessProbe: { tcpSocket: { port }, periodSeconds: 1 },
        ...options.container,
      },
    }),
  );
}

/** nginx with one server block. Not waited for. */
export async function nginx(
  world: World,
  name: string,
  block: string,
  options: DeploymentOptions & { readonly certificate?: CertificatePair; readonly clientAuthority?: string } = {},
): Promise<void> {
  const { certificate, clientAuthority, ...rest } = options;
  const conf = `events {}\nerror_log /dev/stderr notice;\nhttp { server { ${block} location / { return 200 "hello\\n"; } } }\n`;
  await world.apply(
    configMap(`${name}-conf`, { 'nginx.conf': conf }),
    ...(certificate === undefined ? [] : [tlsSecret(`${name}-tls`, certificate, clientAuthority)]),
    deployment(name, 'docker.io/library/nginx:1.22', {
      port: 80,
      ...rest,
      files: { [`${name}-conf`]: '/conf' },
      ...(certificate === undefined ? {} : { secrets: { [`${name}-tls`]: '/tls' } }),
      container: { args: ['-c', '/conf/nginx.conf'], ...options.container },
    }),
  );
}

export async function pgbouncer(
  world: World,
  name: string,
  env: Readonly<Record<string, string>>,
  options: DeploymentOptions = {},
): Promise<void> {
  await world.apply(
    deployment(name, 'docker.io/coracle/pgbouncer:1.18', {
      port: 6432,
      ...options,
      env: { DB_USER: 'shop', DB_PASSWORD: 'shop', SERVER_TLS: 'disable', LISTEN_ADDRESS: '0.0.0.0', ...env },
    }),
  );
}

export const configMap = (name: string, data: Readonly<Record<string, string>>): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data,
});

export const tlsSecret = (name: string, pair: CertificatePair, authority?: string): object => ({
  apiVersion: 'v1',
  kind: 'Secret',
  type: 'kubernetes.io/tls',
  metadata: { name },
  stringData: {
    'tls.crt': pair.certificate,
    'tls.key': pair.key,
    ...(authority === undefined ? {} : { 'ca.crt': authority }),
  },
});

export interface Authority {
  readonly certificate: string;
  readonly server: (names: readonly string[], days?: readonly [number, number]) => Promise<CertificatePair>;
  readonly client: (name: string) => Promise<CertificatePair>;
}

export async function authority(name: string): Promise<Authority> {
  const now = Date.now();
  const own = await createAuthority(name, now - 900 * DAY_MS);
  const leaf = (
    commonName: string,
    dnsNames: readonly string[],
    [from, to]: readonly [number, number],
    server: boolean,
  ) =>
    createLeaf(own, {
      commonName,
      names: { dnsNames, ipAddresses: [] },
      extendedUsages: [server ? 'server auth' : 'client auth'],
      notBeforeMs: now + from * DAY_MS,
      notAfterMs: now + to * DAY_MS,
    });
  return {
    certificate: own.certificate,
    server: (names, days = [-1, 90]) => leaf(names[0]!, names, days, true),
    client: (user) => leaf(user, [], [-1, 90], false),
  };
}

/** A client pod that has files: ConfigMaps and Secrets at paths. */
export async function clientWith(
  world: World,
  options: { readonly files?: Readonly<Record<string, string>>; readonly labels?: Readonly<Record<string, string>> } & {
    readonly node?: string;
    readonly spec?: object;
  } = {},
): Promise<string> {
  const name = world.word();
  const mounts = Object.entries(options.files ?? {});
  await world.apply(
    pod(name, 'docker.io/coracle/client:1', {
      ...(options.labels === undefined ? {} : { labels: options.labels }),
      ...(options.node === undefined ? {} : { node: options.node }),
      spec: {
        volumes: mounts.map(([n]) => ({ name: n, configMap: { name: n, defaultMode: 0o400 } })),
        ...options.spec,
      },
      container: { volumeMounts: mounts.map(([n, mountPath]) => ({ name: n, mountPath })) },
    }),
  );
  await world.ready(name);
  return name;
}

/** Until a Deployment has as many ready pods as it wants. */
export async function rolledOut(world: World, name: string): Promise<void> {
  await world.kubectl(['rollout', 'status', `deployment/${name}`, '--timeout=90s'], 100_000);
}

/** The name of a running pod of a Deployment. */
export async function podOf(world: World, name: string, label = 'app'): Promise<string> {
  return until(`a pod of ${name}`, 60_000, async () => {
    const said = await world.kubectl([
      'get',
      'pods',
      '-l',
      `${label}=${name}`,
      '--field-selector=status.phase=Running',
      '-o',
      'jsonpath={.items[0].metadata.name}',
    ]);
    return said !== '' && said;
  });
}

export const curl = (on: string, url: string, ...more: readonly string[]): Client => ({
  on,
  command: ['curl', '-sS', '-m', '5', '-f', ...more, url],
});

/** Sends a line and reads what comes: for redis and its like. */
export const say = (on: string, host: string, port: number, line: string, works: RegExp): Client => ({
  on,
  command: ['bash', '-c', `printf '${line}' | timeout 4 nc -w 2 ${host} ${port}`],
  works,
});

/** JavaScript of a server that answers redis commands by `answer(word, words)`; `undefined` closes. */
export const redis = (
  port: number,
  answers: Readonly<Record<string, string>>,
  first = '',
  wrap = 'net',
  options = '{}',
) =>
  `const fs = require('fs'); const answers = ${JSON.stringify(answers)};
require('${wrap}').createServer(${options}, (s) => {
  s.on('error', () => {});
  ${first === '' ? '' : `s.end(${JSON.stringify(first)}); return;`}
  s.on('data', (d) => {
    const words = d.toString().split('\\r\\n').filter((w) => w !== '' && !/^[*$]\\d+$/.test(w)).join(' ').split(' ');
    const word = (words[0] || '').toUpperCase();
    if (word === 'QUIT') return s.end('+OK\\r\\n');
    s.write(answers[words.join(' ').toUpperCase()] ?? answers[word] ?? (word === 'PING' ? '+PONG\\r\\n' : word === 'INFO' ? '$13\\r\\nrole:master\\r\\n\\r\\n' : '+OK\\r\\n'));
  });
}).listen(${port});`;

/** JavaScript of a server that greets as MySQL does and answers the login with an error (or, without one, lets in). */
export const mysql = (port: number, error?: readonly [number, string], atOnce = false) =>
  `const packet = (n, b) => { const h = Buffer.alloc(4); h.writeUIntLE(b.length, 0, 3); h[3] = n; return Buffer.concat([h, b]); };
const error = ${error === undefined ? 'undefined' : `(() => { const b = Buffer.alloc(3); b[0] = 255; b.writeUInt16LE(${error[0]}, 1); return Buffer.concat([b, Buffer.from(${JSON.stringify(error[1])})]); })()`};
const greeting = () => { const salt = Buffer.from('abcdefgh'); const more = Buffer.from('ijklmnopqrst\\0');
  const caps = 0x80000 | 0x8000 | 0x2000 | 0x200 | 8 | 1; const b = Buffer.alloc(1 + 2 + 1 + 2 + 2 + 1 + 10);
  b.writeUInt16LE(caps & 0xffff, 0); b[2] = 45; b.writeUInt16LE(2, 3); b.writeUInt16LE(caps >>> 16, 5); b[7] = 21;
  return packet(0, Buffer.concat([Buffer.from([10]), Buffer.from('8.0.36\\0'), Buffer.alloc(4), salt, Buffer.from([0]), b.subarray(0, 8), Buffer.alloc(10), more, Buffer.from('mysql_native_password\\0')])); };
require('net').createServer((s) => {
  s.on('error', () => {});
  if (${atOnce}) return s.end(packet(0, error));
  s.write(greeting());
  s.once('data', () => s.end(error === undefined ? packet(2, Buffer.from([0, 0, 0, 2, 0, 0, 0])) : packet(2, error)));
}).listen(${port});`;
