import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { SystemClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { SeededRandom } from '#base/random.ts';
import { createInformers } from '#client/informers.ts';
import { createClient } from '#client/rest-client.ts';
import { createInProcessTransport } from '#client/transports/in-process.ts';
import type { Exchange } from '#machinery/exchange.ts';
import { startTestServer, type TestServer, testUser } from '../fixture.ts';
import { metricsApi } from './metricsapi.ts';

const PATH = '/apis/metrics.k8s.io/v1beta1';

describe('metricsApi', () => {
  let server: TestServer;
  const clock = new SystemClock();
  let exchange: Exchange;
  const client = createClient({
    transport: createInProcessTransport((r) => exchange(r), testUser),
    clock,
    userAgent: 'test',
  });
  const informers = createInformers({ client, clock, random: new SeededRandom(1), log: silentLog });

  before(async () => {
    const scrape = async () => {
      const now = clock.now();
      const line = (family: string, labels: string, value: number) => `${family}${labels} ${value} ${now}`;
      const web = '{container="web",namespace="default",pod="web-1"}';
      return [
        line('container_cpu_usage_seconds_total', web, (now % 1e7) / 4000),
        line('container_memory_working_set_bytes', web, 8 * 1024 * 1024),
        line('node_cpu_usage_seconds_total', '', (now % 1e7) / 2000),
        line('node_memory_working_set_bytes', '', 1024 * 1024 * 1024),
      ].join('\n');
    };
    server = await startTestServer({
      clock,
      deps: { computed: metricsApi({ informers, scrape, clock, log: silentLog }) },
    });
    exchange = server.server.exchange;
    await informers.start(new AbortController().signal);
    await server.call('POST', '/api/v1/nodes', { metadata: { name: 'n1', labels: { zone: 'a' } } });
    for (const name of ['web-1', 'web-2']) {
      const pod = {
        metadata: { name, labels: { app: name } },
        spec: { nodeName: 'n1', containers: [{ name: 'web', image: 'i' }] },
      };
      assert.equal((await server.call('POST', '/api/v1/namespaces/default/pods', pod)).status, 201);
      const status = { metadata: { name }, status: { phase: 'Running' } };
      await server.call('PATCH', `/api/v1/namespaces/default/pods/${name}/status`, status, {
        'content-type': 'application/merge-patch+json',
      });
    }
    while (
      informers.informer({ group: '', version: 'v1', resource: 'pods', kind: 'Pod', namespaced: true }).list().length <
      2
    )
      await new Promise((resolve) => setImmediate(resolve));
  });
  after(async () => {
    await informers.stop();
    await server.stop();
  });

  it('is discovered, in both ways', async () => {
    const list = (await server.call('GET', PATH)).body;
    assert.deepEqual(
      list.resources.map((r: { name: string; kind: string; verbs: string[] }) => [r.name, r.kind, r.verbs]),
      [
        ['nodes', 'NodeMetrics', ['get', 'list']],
        ['pods', 'PodMetrics', ['get', 'list']],
      ],
    );
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
    const groups = (await server.call('GET', '/apis', undefined, { accept })).body.items;
    assert.ok(groups.some((g: { metadata: { name: string } }) => g.metadata.name === 'metrics.k8s.io'));
    assert.equal((await server.call('GET', `/openapi/v3${PATH}`)).status, 200);
  });

  it('lists nodes as metrics-server does', async () => {
    const { body } = await server.call('GET', `${PATH}/nodes`);
    assert.equal(body.kind, 'NodeMetricsList');
    const [node] = body.items;
    assert.deepEqual(Object.keys(node), ['metadata', 'timestamp', 'window', 'usage']);
    assert.deepEqual(
      [node.metadata.name, node.metadata.labels, node.usage],
      ['n1', { zone: 'a' }, { cpu: '500m', memory: '1Gi' }],
    );
    assert.match(node.window, /^1(\.\d+)?s$/);
  });

  it('has pods by name, namespace and label, and leaves out what was not measured', async () => {
    const names = async (path: string) =>
      (await server.call('GET', path)).body.items.map((p: { metadata: { name: string } }) => p.metadata.name);
    assert.deepEqual(await names(`${PATH}/pods`), ['web-1']);
    assert.deepEqual(await names(`${PATH}/namespaces/default/pods?labelSelector=app%3Dweb-1`), ['web-1']);
    assert.deepEqual(await names(`${PATH}/namespaces/default/pods?labelSelector=app%3Dother`), []);
    assert.deepEqual(await names(`${PATH}/namespaces/other/pods`), []);
    const { body } = await server.call('GET', `${PATH}/namespaces/default/pods/web-1`);
    assert.deepEqual(
      [body.kind, body.containers],
      ['PodMetrics', [{ name: 'web', usage: { cpu: '250m', memory: '8Mi' } }]],
    );
    for (const [name, message] of [
      ['web-2', 'podmetrics.metrics.k8s.io "default/web-2" not found'],
      ['none', 'pods "default/none" not found'],
    ] as const) {
      const missing = await server.call('GET', `${PATH}/namespaces/default/pods/${name}`);
      assert.deepEqual([missing.status, missing.body.message], [404, message]);
    }
  });

  it('prints tables and refuses what cannot be done', async () => {
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
    const { body } = await server.call('GET', `${PATH}/namespaces/default/pods`, undefined, { accept });
    assert.deepEqual(body.rows[0].cells.slice(0, 3), ['web-1', '250m', '8Mi']);
    assert.equal((await server.call('GET', `${PATH}/nodes?watch=true`)).status, 405);
    assert.equal((await server.call('DELETE', `${PATH}/nodes/n1`)).status, 405);
  });
});
