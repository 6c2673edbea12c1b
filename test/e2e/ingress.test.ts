// Ingress from the laptop, by curl: one address for many hosts, certificates, who asked, rollouts without a lost request, and what is
// said of mistakes.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Event } from '#generated/api/core-v1.ts';
import type { Ingress } from '#generated/api/networking-v1.ts';
import { createAuthority, createLeaf } from '#pki/certificates.ts';
import { call, type Output, TestCluster, until } from './cluster.ts';

const NAMESPACE = 'shop';
const isRoot = process.getuid?.() === 0;

/** Says who it is, what was asked, and for whom. */
const siteConfig = `pid /run/nginx.pid;
events {}
http {
  access_log off;
  server {
    listen 80;
    location / { default_type text/plain; return 200 "$hostname $request_uri for $http_x_forwarded_for by $http_x_forwarded_proto\\n"; }
  }
}
`;

const site = (name: string, replicas: number): object => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace: NAMESPACE },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        terminationGracePeriodSeconds: 5,
        volumes: [{ name: 'site', configMap: { name: 'site' } }],
        containers: [
          {
            name: 'web',
            image: 'nginx:1.22',
            volumeMounts: [{ name: 'site', mountPath: '/etc/nginx/nginx.conf', subPath: 'nginx.conf' }],
            readinessProbe: { httpGet: { path: '/', port: 80 }, periodSeconds: 1 },
            // Requests that are on their way when the pod is told to go still arrive.
            lifecycle: { preStop: { sleep: { seconds: 1 } } },
          },
        ],
      },
    },
  },
});
const service = (name: string, spec: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: NAMESPACE },
  spec: { selector: { app: name }, ports: [{ name: 'http', port: 80 }], ...spec },
});

describe('ingress', { timeout: 400_000, skip: isRoot ? false : 'needs root' }, () => {
  let cluster: TestCluster;
  let address: string;
  let authorityFile: string;

  const curl = (url: string, more: readonly string[] = []): Promise<Output> => {
    const { hostname, port, protocol } = new URL(url);
    const at = port === '' ? (protocol === 'https:' ? '443' : '80') : port;
    const format = '\n%{http_code} %{http_version} %{redirect_url}';
    return call('curl', ['-sS', '-m', '5', '-w', format, '--resolve', `${hostname}:${at}:${address}`, ...more, url]);
  };
  /** Body and status line of an answer; throws what curl complained about. */
  const fetched = async (url: string, more: readonly string[] = []): Promise<{ body: string; status: string }> => {
    const { code, stdout, stderr } = await curl(url, more);
    if (code !== 0) throw new Error(`curl ${url}: ${stderr.trim()}`);
    const at = stdout.lastIndexOf('\n');
    return { body: stdout.slice(0, at).trim(), status: stdout.slice(at + 1).trim() };
  };
  const answers = (url: string, expected: RegExp): Promise<string> =>
    until(`${url} answers ${String(expected)}`, 15_000, async () => {
      const { body, status } = await fetched(url);
      if (!expected.test(`${status} ${body}`)) throw new Error(`${status} ${body}`);
      return body;
    });
  const warnings = async (name: string): Promise<string[]> =>
    (await cluster.list<Event>(NAMESPACE, 'events'))
      .filter((e) => e.involvedObject.kind === 'Ingress' && e.involvedObject.name === name && e.type === 'Warning')
      .map((e) => `${e.reason} ${e.message}`);
  const createIngress = (name: string, ...rules: readonly string[]): Promise<string> =>
    cluster.kubectl(['-n', NAMESPACE, 'create', 'ingress', name, ...rules.map((r) => `--rule=${r}`)]);

  before(async () => {
    ({ cluster } = await TestCluster.up(['--nodes', '2']));
    await cluster.kubectl(['create', 'namespace', NAMESPACE]);
    await cluster.apply(
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'site', namespace: NAMESPACE },
        data: { 'nginx.conf': siteConfig },
      },
      site('web', 2),
      service('web'),
      site('api', 1),
      service('api'),
    );
    await createIngress('shop', 'shop.example/*=web:80', 'shop.example/api*=api:http');
    address = await until('an address', 30_000, async () => {
      const ingress = await cluster.get<Ingress>(NAMESPACE, 'ingress', 'shop');
      return ingress.status?.loadBalancer?.ingress?.[0]?.ip;
    });
    await cluster.kubectl(['-n', NAMESPACE, 'rollout', 'status', 'deployment/web', '--timeout=60s'], {
      timeoutMs: 70_000,
    });
    await cluster.kubectl(['-n', NAMESPACE, 'rollout', 'status', 'deployment/api', '--timeout=60s'], {
      timeoutMs: 70_000,
    });
    authorityFile = join(cluster.folder, 'ca.crt');
  });
  after(async () => {
    await cluster?.tryKubectl(['delete', 'namespace', NAMESPACE, '--wait=false']);
    await cluster?.down();
  });

  it('leads hosts and paths to services from one address, which kubectl shows', async () => {
    await answers('http://shop.example/', /^200 .*web-/);
    await answers('http://shop.example/api/x?y=z', /^200 .*api-\S+ \/api\/x\?y=z/);
    assert.match((await fetched('http://shop.example/apis')).body, /^web-/);
    assert.match((await fetched('http://other.example/')).status, /^404/);
    const line = (await cluster.kubectl(['-n', NAMESPACE, 'get', 'ingress', 'shop'])).split('\n')[1]!;
    assert.deepEqual(line.split(/\s+/).slice(0, 4), ['shop', 'coracle', 'shop.example', address]);
    const described = await cluster.kubectl(['-n', NAMESPACE, 'describe', 'ingress', 'shop']);
    assert.match(described, /web:80 \(10\.244\.\d+\.\d+:80,10\.244\.\d+\.\d+:80\)/);
  });

  it('keeps the address of who asks, which endpoints are told', async () => {
    const { body } = await fetched('http://shop.example/', ['-H', 'X-Forwarded-For: 1.2.3.4']);
    const laptop = address.replace(/\d+$/, '1');
    assert.match(body, new RegExp(`for ${laptop.replaceAll('.', '\\.')} by http$`));
  });

  it('serves HTTPS by a Secret, HTTP/2 with it, and leads plain HTTP there', async () => {
    const now = Date.now();
    const authority = await createAuthority('shop', now);
    const { certificate, key } = await createLeaf(authority, {
      commonName: 'shop.example',
      names: { dnsNames: ['shop.example'], ipAddresses: [] },
      extendedUsages: ['server auth'],
      notBeforeMs: now - 60_000,
      notAfterMs: now + 3_600_000,
    });
    writeFileSync(authorityFile, authority.certificate);
    const files = { crt: join(cluster.folder, 'tls.crt'), key: join(cluster.folder, 'tls.key') };
    writeFileSync(files.crt, certificate);
    writeFileSync(files.key, key);
    const patch = { spec: { tls: [{ hosts: ['shop.example'], secretName: 'shop-tls' }] } };
    await cluster.kubectl(['-n', NAMESPACE, 'patch', 'ingress', 'shop', '--type=merge', '-p', JSON.stringify(patch)]);
    await until('an event', 15_000, async () =>
      (await warnings('shop')).some(
        (w) => w === 'SecretMissing spec.tls[0].secretName: there is no Secret shop/shop-tls',
      ),
    );
    await cluster.kubectl([
      '-n',
      NAMESPACE,
      'create',
      'secret',
      'tls',
      'shop-tls',
      `--cert=${files.crt}`,
      `--key=${files.key}`,
    ]);
    const { status, body } = await until('a certificate that is trusted', 15_000, () =>
      fetched('https://shop.example/', ['--cacert', authorityFile]),
    );
    assert.match(status, /^200 2/);
    assert.match(body, /by https$/);
    assert.equal((await fetched('http://shop.example/a?b=c')).status, '308 1.1 https://shop.example/a?b=c');
  });

  it('loses no request while pods are rolled and Ingresses come and go', async () => {
    const url = 'https://shop.example/';
    const line = `end=$((SECONDS + 60)); while [ ! -e ${cluster.folder}/stop ] && [ $SECONDS -lt $end ]; do curl -sS -m 10 -o /dev/null -w '%{http_code}\\n' --cacert ${authorityFile} --resolve shop.example:443:${address} ${url} 2>&1; done`;
    const said: Buffer[] = [];
    const clients = [1, 2].map(() => {
      const child = spawn('bash', ['-c', line], { stdio: ['ignore', 'pipe', 'inherit'] });
      child.stdout.on('data', (c: Buffer) => said.push(c));
      return new Promise((resolve) => child.on('exit', resolve));
    });
    await cluster.kubectl(['-n', NAMESPACE, 'rollout', 'restart', 'deployment/web']);
    await createIngress('more', 'more.example/*=api:80');
    await cluster.kubectl(['-n', NAMESPACE, 'rollout', 'status', 'deployment/web', '--timeout=60s'], {
      timeoutMs: 70_000,
    });
    await cluster.kubectl(['-n', NAMESPACE, 'delete', 'ingress', 'more']);
    writeFileSync(join(cluster.folder, 'stop'), '');
    await Promise.all(clients);
    const lines = Buffer.concat(said).toString().trim().split('\n');
    assert.ok(lines.length > 20, `${lines.length} requests`);
    assert.deepEqual(
      lines.filter((l) => l !== '200'),
      [],
    );
  });

  it('says what is wrong, of Postgres too, and serves the others', async () => {
    await cluster.apply(
      service('postgres', { ports: [{ name: 'pg', port: 5432 }] }),
      service('far', { type: 'ExternalName', externalName: 'far.example', ports: [] }),
    );
    await createIngress(
      'bad',
      'bad.example/a*=nothing:80',
      'bad.example/b*=web:8080',
      'bad.example/c*=far:80',
      'db.example/*=postgres:5432',
    );
    const expected = [
      'ServiceMissing spec.rules[0].http.paths[0].backend.service.name: there is no Service shop/nothing',
      'PortMissing spec.rules[0].http.paths[1].backend.service.port: Service shop/web has no TCP port 8080; it has http (80)',
      'ExternalNameService spec.rules[0].http.paths[2].backend.service.name: Service shop/far is of type ExternalName, which an Ingress does not lead to',
      'NotHTTP spec.rules[1].http.paths[0].backend.service.port: port 5432 of Service shop/postgres looks like PostgreSQL: an Ingress routes only HTTP. Use a Service of type LoadBalancer',
    ];
    const told = await until('events', 15_000, async () => {
      const all = await warnings('bad');
      return all.length >= expected.length && all;
    });
    assert.deepEqual(told.toSorted(), expected.toSorted());
    await answers('http://bad.example/a', /^503/);
    assert.match((await fetched('https://shop.example/', ['--cacert', authorityFile])).status, /^200/);
  });

  it('refuses Ingresses that no rule of the API allows, in its words', async () => {
    const { code, stderr } = await cluster.tryKubectl([
      '-n',
      NAMESPACE,
      'create',
      'ingress',
      'x',
      '--rule=shop.example/a//b=web:80',
    ]);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /spec\.rules\[0\]\.http\.paths\[0\]\.path: Invalid value: "\/a\/\/b": must not contain '\/\/'/,
    );
  });

  it('is gone from the nodes with the last Ingress', async () => {
    const nodes = await cluster.nodeAddresses();
    const [name, ip] = [...nodes][0]!;
    assert.equal(
      (await call('curl', ['-sS', '-o', '/dev/null', `http://${ip}:10080/`])).code,
      0,
      `the proxy of ${name}`,
    );
    await cluster.kubectl(['-n', NAMESPACE, 'delete', 'ingress', '--all']);
    await until(
      'the proxy is gone',
      15_000,
      async () => (await call('curl', ['-sS', '-m', '2', `http://${ip}:10080/`])).code === 7,
    );
  });
});
