// API aggregation against extension servers of our own, over TLS and with the real kubectl where there is one.
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { SystemClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { SystemRandom } from '#base/random.ts';
import { Aggregation } from '#apiserver/aggregation/aggregation.ts';
import { apiServerUser } from '#apiserver/authentication/users.ts';
import type { ApiServer } from '#apiserver/server.ts';
import type { AuthorizerAttributes } from '#apiserver/pipeline.ts';
import { kubeletScrape, metricsApi } from '#apiserver/metricsapi/metricsapi.ts';
import { createInformers } from '#client/informers.ts';
import { createClient } from '#client/rest-client.ts';
import { createInProcessTransport } from '#client/transports/in-process.ts';
import { type Exchange, readBody, type UserInfo } from '#machinery/exchange.ts';
import { createAuthority, createLeaf } from '#pki/certificates.ts';
import { DialError } from '#tunnel/cluster-dialer.ts';
import { duplexPair } from 'node:stream';
import { ExtensionServer } from './extension-server.ts';
import { KubectlProgram, skipWithoutKubectl } from './kubectl-program.ts';
import { type LoopbackServer, startLoopbackServer } from './loopback.ts';

const GROUP = 'things.example.com';
const SERVICES = '/apis/apiregistration.k8s.io/v1/apiservices';
const THINGS = `/apis/${GROUP}/v1`;
const AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
const ada: UserInfo = {
  name: 'ada',
  uid: 'u-1',
  groups: ['makers', 'system:authenticated'],
  extra: { 'example.com/Team': ['red', 'blue'] },
};

const base64 = (text: string) => Buffer.from(text).toString('base64');

function apiService(group: string, version: string, service: string, more: object): object {
  return {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: `${version}.${group}` },
    spec: {
      group,
      version,
      groupPriorityMinimum: 100,
      versionPriority: 100,
      service: { namespace: 'default', name: service },
      ...more,
    },
  };
}

describe('API aggregation', { timeout: 120_000 }, () => {
  let loopback: LoopbackServer;
  let things: ExtensionServer;
  let metrics: ExtensionServer;
  let aggregation: Aggregation;
  let stopInformers: () => Promise<void>;
  let exchange: Exchange;
  /** Service → port on loopback. */
  const ports = new Map<string, number>();

  before(async () => {
    const clock = new SystemClock();
    const random = new SystemRandom();
    let server: ApiServer | undefined;
    exchange = (request) => server!.exchange(request);
    const client = createClient({
      transport: createInProcessTransport(exchange, apiServerUser),
      clock,
      userAgent: 'test',
    });
    const informers = createInformers({ client, clock, random, log: silentLog });
    stopInformers = () => informers.stop();
    const proxyCa = await createAuthority('front-proxy-ca', clock.now());
    const proxyClient = await createLeaf(proxyCa, {
      commonName: 'front-proxy-client',
      extendedUsages: ['client auth'],
      notBeforeMs: clock.now() - 60_000,
      notAfterMs: clock.now() + 3_600_000,
    });
    aggregation = new Aggregation({
      client,
      informers,
      clock,
      log: silentLog,
      frontProxy: { certificate: proxyClient.certificate, privateKey: proxyClient.key },
      dialer: {
        dialService: async (_namespace, name) => {
          const port = ports.get(name);
          if (port === undefined) throw new DialError('NO_ENDPOINTS', `no endpoints available for service "${name}"`);
          return net.connect(port, '127.0.0.1');
        },
      },
    });
    things = await ExtensionServer.start({
      group: GROUP,
      version: 'v1',
      serverName: 'things.default.svc',
      frontProxyCa: proxyCa.certificate,
      resources: [
        {
          name: 'things',
          singularName: 'thing',
          namespaced: true,
          kind: 'Thing',
          verbs: ['get', 'list', 'watch', 'create'],
          shortNames: ['th'],
        },
        { name: 'things/status', singularName: '', namespaced: true, kind: 'Thing', verbs: ['get'] },
      ],
      handle(request, response) {
        const kind = { apiVersion: `${GROUP}/v1`, kind: 'Thing' };
        response.setHeader('content-type', 'application/json');
        if (request.url.includes('watch=')) {
          response.write(`${JSON.stringify({ type: 'ADDED', object: { ...kind, metadata: { name: 'one' } } })}\n`);
          // Open until the client goes.
        } else if (request.method === 'POST') {
          response.statusCode = 201;
          response.end(request.body);
        } else {
          const items = [{ metadata: { name: 'one', namespace: 'default' } }];
          response.end(JSON.stringify({ ...kind, kind: 'ThingList', metadata: { resourceVersion: '7' }, items }));
        }
      },
    });
    metrics = await ExtensionServer.start({
      group: 'metrics.k8s.io',
      version: 'v1beta1',
      serverName: 'own-metrics.default.svc',
      frontProxyCa: proxyCa.certificate,
      resources: [{ name: 'nodes', singularName: '', namespaced: false, kind: 'NodeMetrics', verbs: ['get', 'list'] }],
      handle(_request, response) {
        response.setHeader('content-type', 'application/json');
        const usage = { cpu: '4242m', memory: '64Mi' };
        const item = { metadata: { name: 'node-1' }, timestamp: '2026-01-01T00:00:00Z', window: '10s', usage };
        response.end(
          JSON.stringify({
            kind: 'NodeMetricsList',
            apiVersion: 'metrics.k8s.io/v1beta1',
            metadata: {},
            items: [item],
          }),
        );
      },
    });
    ports.set('things', things.port).set('own-metrics', metrics.port);
    loopback = await startLoopbackServer({
      made: (made) => {
        server = made;
      },
      authorizer: {
        authorize: ({ user, verb }: AuthorizerAttributes) => ({
          decision: user.name === 'ada' && verb === 'delete' ? 'no-opinion' : 'allow',
          reason: '',
        }),
      },
      deps: {
        aggregation,
        computed: metricsApi({
          informers,
          clock,
          log: silentLog,
          scrape: kubeletScrape({
            backends: { kubelet: async () => duplexPair()[0] } as never,
            nodes: { cached: () => undefined, live: async () => undefined },
          }),
        }),
      },
      clock,
    });
    await informers.start(new AbortController().signal);
    await serviceWithEndpoints('things');
    await serviceWithEndpoints('own-metrics');
  });
  after(async () => {
    await aggregation.stop();
    await stopInformers();
    await loopback.stop();
    await things.stop();
    await metrics.stop();
  });

  async function raw(method: string, path: string, body?: unknown, headers: object = {}, user = ada) {
    const abort = new AbortController();
    const response = await exchange({
      method,
      path,
      headers: { 'content-type': 'application/json', authorization: 'Bearer secret', ...headers },
      ...(body === undefined ? {} : { body: Buffer.from(JSON.stringify(body)) }),
      peer: { user },
      signal: abort.signal,
    });
    return { response, abort };
  }
  async function call(method: string, path: string, body?: unknown, headers: object = {}, user?: UserInfo) {
    const { response } = await raw(method, path, body, headers, user);
    const text = Buffer.from(await readBody(response.body)).toString('utf8');
    // oxlint-disable-next-line typescript/no-explicit-any
    return { status: response.status, text, body: (text.startsWith('{') ? JSON.parse(text) : undefined) as any };
  }
  async function must(method: string, path: string, body?: unknown) {
    const answer = await call(method, path, body, {}, apiServerUser);
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.text}`);
    return answer.body;
  }
  async function serviceWithEndpoints(name: string) {
    const metadata = { name, namespace: 'default' };
    await must('POST', '/api/v1/namespaces/default/services', {
      metadata,
      spec: { ports: [{ name: 'https', port: 443 }] },
    });
    await must('POST', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', slice(name));
  }
  const slice = (name: string, ready = true) => ({
    metadata: { name, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['192.0.2.9'], conditions: { ready } }],
    ports: [{ name: 'https', port: 8443, protocol: 'TCP' }],
  });
  /** Waits until the condition has that reason. */
  async function condition(name: string, reason: string) {
    for (const end = performance.now() + 20_000; ; await delay(20)) {
      const found = (await must('GET', `${SERVICES}/${name}`)).status?.conditions?.[0];
      if (found?.reason === reason) return found;
      if (performance.now() > end) assert.fail(`not ${reason} but ${JSON.stringify(found)}`);
    }
  }
  /** Waits until a look is true: clients see a change a moment after the condition. */
  async function eventually(what: string, look: () => Promise<boolean>) {
    for (const end = performance.now() + 20_000; !(await look()); await delay(20))
      if (performance.now() > end) assert.fail(what);
  }
  const trusted = () => ({ caBundle: base64(things.authority) });
  const aggregatedVersion = async (group: string) => {
    const { body } = await call('GET', '/apis', undefined, { accept: AGGREGATED });
    return body.items.find((i: { metadata: { name: string } }) => i.metadata.name === group)?.versions[0];
  };

  it('has an APIService for every built-in group and version', async () => {
    const { items } = await must('GET', SERVICES);
    const apps = items.find((s: { metadata: { name: string } }) => s.metadata.name === 'v1.apps');
    assert.deepEqual(apps.spec, { group: 'apps', version: 'v1', groupPriorityMinimum: 17800, versionPriority: 15 });
    assert.equal(apps.metadata.labels['kube-aggregator.kubernetes.io/automanaged'], 'onstart');
    const [{ lastTransitionTime: _, ...local }] = apps.status.conditions;
    assert.deepEqual(local, {
      type: 'Available',
      status: 'True',
      reason: 'Local',
      message: 'Local APIServices are always available',
    });
    const names = items.map((s: { metadata: { name: string } }) => s.metadata.name);
    assert.ok(names.includes('v1.') && names.includes('v2.autoscaling'));
    assert.ok(!names.includes('v1.apiregistration.k8s.io') && !names.includes('v1beta1.metrics.k8s.io'));
  });

  it('says why a server cannot be asked, and answers 503', async () => {
    assert.equal((await call('GET', `${THINGS}/things`)).status, 404);
    await must('POST', SERVICES, apiService(GROUP, 'v1', 'nobody', trusted()));
    const name = `v1.${GROUP}`;
    assert.equal((await condition(name, 'ServiceNotFound')).message, 'service/nobody in "default" is not present');
    const refused = await call('GET', `${THINGS}/things`);
    assert.deepEqual([refused.status, refused.text], [503, 'service unavailable\n']);
    assert.equal((await call('GET', THINGS)).status, 503);
    assert.deepEqual(await aggregatedVersion(GROUP), { version: 'v1', freshness: 'Stale' });

    const path = '/api/v1/namespaces/default/services';
    const spec = { ports: [{ name: 'web', port: 80 }] };
    await must('POST', path, { metadata: { name: 'nobody', namespace: 'default' }, spec });
    const portError = await condition(name, 'ServicePortError');
    assert.equal(portError.message, 'service/nobody in "default" is not listening on port 443');
    await must('PUT', `${path}/nobody`, {
      ...(await must('GET', `${path}/nobody`)),
      spec: { ...(await must('GET', `${path}/nobody`)).spec, ports: [{ name: 'https', port: 443 }] },
    });
    await condition(name, 'EndpointsNotFound');
    await must('POST', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', slice('nobody', false));
    await condition(name, 'MissingEndpoints');
    await must('PUT', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/nobody', slice('nobody'));
    assert.match(
      (await condition(name, 'FailedDiscoveryCheck')).message,
      /^failing or missing response from https:\/\//,
    );
    await must('DELETE', `${SERVICES}/${name}`);
  });

  it('believes only a certificate that its authority signed for the Service', async () => {
    const name = `v1.${GROUP}`;
    await must('POST', SERVICES, apiService(GROUP, 'v1', 'things', { caBundle: base64(metrics.authority) }));
    assert.match((await condition(name, 'FailedDiscoveryCheck')).message, /certificate/);
    await must('DELETE', `${SERVICES}/${name}`);
    await must('POST', SERVICES, apiService(GROUP, 'v1', 'things', { insecureSkipTLSVerify: true }));
    await condition(name, 'Passed');
    await must('DELETE', `${SERVICES}/${name}`);
  });

  describe('with an available server', () => {
    before(async () => {
      await must('POST', SERVICES, apiService(GROUP, 'v1', 'things', trusted()));
      const passed = await condition(`v1.${GROUP}`, 'Passed');
      assert.deepEqual([passed.status, passed.message], ['True', 'all checks passed']);
      await eventually('discovery is fresh', async () => (await aggregatedVersion(GROUP))?.freshness === 'Current');
    });

    it('hands on requests with the front-proxy certificate and who asks', async () => {
      things.seen.length = 0;
      const object = { apiVersion: `${GROUP}/v1`, kind: 'Thing', metadata: { name: 'two' } };
      const answer = await call('POST', `${THINGS}/namespaces/default/things?dryRun=All`, object, {
        'x-remote-user': 'root',
        'x-remote-extra-forged': 'yes',
      });
      assert.deepEqual([answer.status, answer.body], [201, object]);
      const [{ method, url, headers, client }] = things.seen as [(typeof things.seen)[0]];
      assert.deepEqual(
        [method, url, client],
        ['POST', `${THINGS}/namespaces/default/things?dryRun=All`, 'front-proxy-client'],
      );
      assert.equal(headers['x-remote-user'], 'ada');
      assert.equal(headers['x-remote-uid'], 'u-1');
      assert.equal(headers['x-remote-group'], 'makers, system:authenticated');
      assert.equal(headers['x-remote-extra-example.com%2fteam'], 'red, blue');
      assert.equal(headers['x-remote-extra-forged'], undefined);
      assert.equal(headers['authorization'], undefined);
      assert.equal(headers['host'], 'things.default.svc');
    });

    it('asks nobody before the request is authorized', async () => {
      things.seen.length = 0;
      assert.equal((await call('DELETE', `${THINGS}/namespaces/default/things/one`)).status, 403);
      assert.equal(things.seen.length, 0);
    });

    it('streams watches and ends them with the client', async () => {
      const { response, abort } = await raw('GET', `${THINGS}/things?watch=true`);
      const chunks = (response.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
      const first = JSON.parse(Buffer.from((await chunks.next()).value!).toString('utf8'));
      assert.deepEqual([first.type, first.object.metadata.name], ['ADDED', 'one']);
      abort.abort();
      await chunks.return?.();
    });

    it('hands over upgrades', async () => {
      const [client, server] = duplexPair();
      const upgrading = loopback.server.upgrade({
        method: 'GET',
        path: `${THINGS}/namespaces/default/things/one/shell`,
        headers: { connection: 'Upgrade', upgrade: 'echo' },
        peer: { user: ada },
        signal: new AbortController().signal,
        socket: server,
      });
      let got = '';
      client.on('data', (chunk: Buffer) => (got += chunk.toString()));
      await eventually('the upgrade', async () => got.includes('101 Switching Protocols'));
      client.write('hello');
      await eventually('the echo', async () => got.endsWith('hello'));
      client.end();
      await upgrading;
      assert.equal(things.seen.at(-1)!.headers['x-remote-user'], 'ada');
    });

    it('is found in all kinds of discovery', async () => {
      const groups = (await call('GET', '/apis')).body.groups;
      assert.equal(groups[0].name, 'apiregistration.k8s.io');
      assert.ok(groups.some((g: { name: string }) => g.name === GROUP));
      assert.equal((await call('GET', `/apis/${GROUP}`)).body.preferredVersion.groupVersion, `${GROUP}/v1`);
      assert.equal((await call('GET', THINGS)).body.resources[0].name, 'things');
      const [thing] = (await aggregatedVersion(GROUP)).resources;
      assert.deepEqual([thing.resource, thing.scope, thing.shortNames], ['things', 'Namespaced', ['th']]);
      assert.equal(thing.subresources[0].subresource, 'status');
    });

    it('is found in OpenAPI v2 and v3', async () => {
      const index = (await call('GET', '/openapi/v3')).body.paths;
      const document = await call('GET', index[THINGS.slice(1)].serverRelativeURL);
      assert.equal(document.body.info.title, 'extension');
      assert.ok('example.v1.Thing' in (await call('GET', '/openapi/v2')).body.definitions);
    });

    it('answers kubectl', { skip: skipWithoutKubectl }, async () => {
      const kubectl = new KubectlProgram(loopback.kubeconfig);
      try {
        assert.match((await kubectl.run('get', 'th', '-o', 'name')).out, /^thing\.things\.example\.com\/one$/m);
        const services = (await kubectl.run('get', 'apiservices')).out;
        assert.match(services, /^v1\.apps +Local +True/m);
        assert.match(services, /^v1\.things\.example\.com +default\/things +True/m);
      } finally {
        kubectl.remove();
      }
    });

    it('is stale and left out of OpenAPI when the server is gone, and 404 when the APIService is', async () => {
      ports.delete('things');
      const path = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/things';
      await must('PUT', path, slice('things', false));
      await condition(`v1.${GROUP}`, 'MissingEndpoints');
      await eventually('stale', async () => (await aggregatedVersion(GROUP)).freshness === 'Stale');
      assert.equal((await aggregatedVersion(GROUP)).resources[0].resource, 'things');
      assert.equal((await call('GET', `${THINGS}/things`)).status, 503);
      assert.equal((await call('GET', '/openapi/v3')).body.paths[THINGS.slice(1)], undefined);
      await must('DELETE', `${SERVICES}/v1.${GROUP}`);
      await eventually('gone', async () => (await call('GET', `${THINGS}/things`)).status === 404);
      assert.equal(await aggregatedVersion(GROUP), undefined);
      assert.equal((await call('GET', `/apis/${GROUP}`)).status, 404);
    });
  });

  it('asks another metrics server as long as there is an APIService for it', async () => {
    const NODES = '/apis/metrics.k8s.io/v1beta1/nodes';
    assert.deepEqual((await must('GET', NODES)).items, []);
    const more = { caBundle: base64(metrics.authority) };
    await must('POST', SERVICES, apiService('metrics.k8s.io', 'v1beta1', 'own-metrics', more));
    await condition('v1beta1.metrics.k8s.io', 'Passed');
    assert.equal((await must('GET', NODES)).items[0].usage.cpu, '4242m');
    await eventually('its discovery', async () => (await aggregatedVersion('metrics.k8s.io')).resources.length === 1);
    await must('DELETE', `${SERVICES}/v1beta1.metrics.k8s.io`);
    await eventually('the built-in one', async () => (await must('GET', NODES)).items.length === 0);
    assert.equal((await aggregatedVersion('metrics.k8s.io')).resources.length, 2);
  });
});
