// What the API server promises as a whole, on the real one with the memory store: what is served, and what happens over time.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { loadAll } from 'js-yaml';
import { startTestServer, type TestServer } from '#apiserver/fixture.ts';
import { SteppedClock } from '#base/clock.ts';

interface Named {
  readonly metadata: { readonly name: string };
}
interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}
interface DiscoveredResource {
  readonly kind: string;
  readonly name: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
}

describe('the API server', () => {
  const clock = new SteppedClock();
  let api: TestServer;
  before(async () => {
    api = await startTestServer({ clock });
  });
  after(() => api.stop());

  const resources = async (groupVersion: string): Promise<readonly DiscoveredResource[]> =>
    (await api.call('GET', groupVersion)).body.resources;
  const groupVersions = async () => {
    const groups = (await api.call('GET', '/apis')).body.groups as {
      readonly versions: readonly { readonly groupVersion: string }[];
    }[];
    return ['/api/v1', ...groups.flatMap((g) => g.versions.map((v) => `/apis/${v.groupVersion}`))];
  };

  it('lists every built-in kind that discovery names, and answers a table for each', async () => {
    let lists = 0;
    for (const groupVersion of await groupVersions()) {
      for (const { name, verbs } of await resources(groupVersion)) {
        if (!verbs.includes('list') || name.includes('/')) continue;
        const list = await api.call('GET', `${groupVersion}/${name}`);
        assert.equal(list.status, 200, `${groupVersion}/${name}`);
        assert.ok(Array.isArray(list.body.items), `${groupVersion}/${name}`);
        const table = await api.call('GET', `${groupVersion}/${name}?limit=1`, undefined, {
          accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
        });
        assert.equal(table.body.kind, 'Table', `${groupVersion}/${name}`);
        assert.ok(table.body.columnDefinitions.length > 0, `${groupVersion}/${name}`);
        lists++;
      }
    }
    assert.ok(lists > 50, `${lists} kinds`);
  });

  it('serves what the original serves by default, and alpha and beta kinds under runtime-config only', async () => {
    const served = await groupVersions();
    for (const expected of [
      'admissionregistration.k8s.io/v1',
      'apps/v1',
      'authentication.k8s.io/v1',
      'authorization.k8s.io/v1',
      'autoscaling/v2',
      'batch/v1',
      'certificates.k8s.io/v1',
      'coordination.k8s.io/v1',
      'discovery.k8s.io/v1',
      'events.k8s.io/v1',
      'flowcontrol.apiserver.k8s.io/v1',
      'networking.k8s.io/v1',
      'node.k8s.io/v1',
      'policy/v1',
      'rbac.authorization.k8s.io/v1',
      'resource.k8s.io/v1',
      'scheduling.k8s.io/v1',
      'storage.k8s.io/v1',
    ])
      assert.ok(served.includes(`/apis/${expected}`), expected);
    assert.deepEqual(
      served.filter((s) => /alpha|beta/.test(s)),
      [],
    );
    const all = await startTestServer({
      runtimeConfig: { 'networking.k8s.io/v1beta1': true, 'autoscaling/v2': false },
    });
    const status = async (path: string) => (await all.call('GET', path)).status;
    assert.equal(await status('/apis/networking.k8s.io/v1beta1/ipaddresses'), 200);
    assert.equal(await status('/apis/autoscaling/v2/horizontalpodautoscalers'), 404);
    await all.stop();
    assert.equal((await api.call('GET', '/apis/networking.k8s.io/v1beta1/ipaddresses')).status, 404);
  });

  it('has the system namespaces and the PriorityClasses of every cluster', async () => {
    const names = async (path: string) =>
      ((await api.call('GET', path)).body.items as Named[]).map((i) => i.metadata.name);
    assert.deepEqual(await names('/api/v1/namespaces'), ['default', 'kube-node-lease', 'kube-public', 'kube-system']);
    const classes = (await api.call('GET', '/apis/scheduling.k8s.io/v1/priorityclasses')).body.items as (Named & {
      value: number;
    })[];
    assert.deepEqual(
      classes.map((c) => [c.metadata.name, c.value]),
      [
        ['system-cluster-critical', 2_000_000_000],
        ['system-node-critical', 2_000_001_000],
      ],
    );
  });

  it('default/kubernetes has its EndpointSlice and Endpoints at the advertised address', async () => {
    const slice = (await api.call('GET', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes'))
      .body;
    assert.deepEqual(slice.endpoints[0].addresses, ['192.0.2.10']);
    assert.equal(slice.ports[0].port, 6443);
    const endpoints = (await api.call('GET', '/api/v1/namespaces/default/endpoints/kubernetes')).body;
    assert.equal(endpoints.subsets[0].addresses[0].ip, '192.0.2.10');
  });

  it('NodePort: one in 30000–32767 when none is named, and no other', async () => {
    const post = (name: string, nodePort?: number) =>
      api.call('POST', '/api/v1/namespaces/default/services', {
        metadata: { name },
        spec: { type: 'NodePort', ports: [{ port: 80, ...(nodePort === undefined ? {} : { nodePort }) }] },
      });
    const { nodePort } = (await post('any')).body.spec.ports[0];
    assert.ok(nodePort >= 30_000 && nodePort <= 32_767, String(nodePort));
    for (const [name, port] of [
      ['first', 30_000],
      ['last', 32_767],
    ] as const)
      assert.equal((await post(name, port)).status, 201, name);
    for (const port of [29_999, 32_768]) {
      const refused = await post(`port-${port}`, port);
      assert.equal(refused.status, 422);
      assert.match(refused.body.message, /provided port is not in the valid range/);
    }
  });

  it('event expiry: an event goes an hour after it was last written', async () => {
    const path = '/api/v1/namespaces/default/events';
    const event = (name: string) => ({
      metadata: { name },
      involvedObject: { kind: 'Pod', namespace: 'default', name: 'p' },
      reason: 'Tested',
      message: 'm',
      type: 'Normal',
    });
    await api.call('POST', path, event('once'));
    await api.call('POST', path, event('again'));
    await clock.step(1800_000);
    await api.call('PATCH', `${path}/again`, { count: 2 }, { 'content-type': 'application/merge-patch+json' });
    await clock.step(1801_000);
    assert.equal((await api.call('GET', `${path}/once`)).status, 404);
    assert.equal((await api.call('GET', `${path}/again`)).status, 200);
    await clock.step(1800_000);
    assert.equal((await api.call('GET', `${path}/again`)).status, 404);
  });

  it('takes every object of the article’s example under strict validation, the gp3-ssd class among them', async () => {
    const folder = join(import.meta.dirname, '../../examples/article');
    const made: string[] = [];
    for (const file of readdirSync(folder).toSorted()) {
      for (const object of loadAll(readFileSync(join(folder, file), 'utf8')) as Manifest[]) {
        const groupVersion = object.apiVersion.includes('/')
          ? `/apis/${object.apiVersion}`
          : `/api/${object.apiVersion}`;
        const resource = (await resources(groupVersion)).find((r) => r.kind === object.kind && !r.name.includes('/'))!;
        const space = resource.namespaced ? `namespaces/${object.metadata.namespace ?? 'default'}/` : '';
        const answer = await api.call(
          'POST',
          `${groupVersion}/${space}${resource.name}?fieldValidation=Strict`,
          object,
        );
        assert.equal(answer.status, 201, `${file} ${object.kind}/${object.metadata.name}: ${answer.text}`);
        made.push(`${object.kind}/${object.metadata.name}`);
      }
    }
    assert.ok(made.includes('StorageClass/gp3-ssd'), made.join(' '));
  });

  const pod = (spec: object, metadata: object = { name: 'bad' }) => ({ metadata, spec });
  const container = { name: 'c', image: 'i' };
  const malformed: readonly (readonly [string, unknown, number, string, readonly string[]])[] = [
    ['no JSON', '{', 400, 'BadRequest', []],
    ['a list for an object', { metadata: { name: 'bad' }, spec: [] }, 400, 'BadRequest', []],
    ['no containers', pod({}), 422, 'Invalid', ['spec.containers']],
    ['a name with capitals', pod({ containers: [container] }, { name: 'Bad' }), 422, 'Invalid', ['metadata.name']],
    [
      'two containers of one name',
      pod({ containers: [container, container] }),
      422,
      'Invalid',
      ['spec.containers[1].name'],
    ],
    [
      'a port that is none',
      pod({ containers: [{ ...container, ports: [{ containerPort: 70_000 }] }] }),
      422,
      'Invalid',
      ['spec.containers[0].ports[0].containerPort'],
    ],
    [
      'a mount of no volume',
      pod({ containers: [{ ...container, volumeMounts: [{ name: 'v', mountPath: '/v' }] }] }),
      422,
      'Invalid',
      ['spec.containers[0].volumeMounts[0].name'],
    ],
    [
      'a limit below its request',
      pod({ containers: [{ ...container, resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } }] }),
      422,
      'Invalid',
      ['spec.containers[0].resources.requests'],
    ],
  ];
  for (const [what, body, status, reason, fields] of malformed)
    it(`malformed manifests get status, reason and field path: ${what}`, async () => {
      const answer = await api.call('POST', '/api/v1/namespaces/default/pods', body);
      assert.deepEqual([answer.status, answer.body.reason], [status, reason], answer.text);
      const causes = (answer.body.details?.causes ?? []) as { readonly field: string }[];
      assert.deepEqual(
        causes.map((c) => c.field),
        fields,
        answer.text,
      );
    });
});
