import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { APIService } from '#generated/api/apiregistration-v1.ts';
import type { Service } from '#generated/api/core-v1.ts';
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';
import { startTestServer } from '../fixture.ts';
import { parseRequestInfo } from '../request-info.ts';
import { objection, PASSED, withVerdict } from './availability.ts';
import { allGroups, type RemoteVersion } from './groups.ts';
import { desiredServices } from './local-services.ts';
import { apiServiceName } from './proxy.ts';
import { fromAggregated, fromResourceList } from './remote-discovery.ts';
import { remoteHeaders } from './remote-server.ts';

const apiService: APIService = {
  metadata: { name: 'v1.g' },
  spec: {
    group: 'g',
    version: 'v1',
    groupPriorityMinimum: 1,
    versionPriority: 1,
    service: { namespace: 'd', name: 's', port: 443 },
  },
};
const service: Service = { metadata: { name: 's' }, spec: { type: 'ClusterIP', ports: [{ name: 'tls', port: 443 }] } };
const slice: EndpointSlice = {
  metadata: { name: 's-1' },
  addressType: 'IPv4',
  endpoints: [{ addresses: ['192.0.2.1'] }],
  ports: [{ name: 'tls', port: 8443 }],
};

describe('objection', () => {
  const cases: readonly (readonly [string | undefined, Service | undefined, readonly EndpointSlice[]])[] = [
    ['ServiceNotFound', undefined, []],
    ['ServicePortError', { ...service, spec: { ports: [{ port: 80 }] } }, [slice]],
    ['EndpointsNotFound', service, []],
    ['MissingEndpoints', service, [{ ...slice, ports: [{ name: 'other', port: 1 }] }]],
    ['MissingEndpoints', service, [{ ...slice, endpoints: [{ addresses: [], conditions: { ready: false } }] }]],
    [undefined, service, [slice]],
    [undefined, { ...service, spec: { type: 'ExternalName', externalName: 'x' } }, []],
  ];
  for (const [reason, found, slices] of cases)
    it(`${reason === undefined ? 'has nothing against' : `says ${reason} of`} ${found?.spec?.type ?? 'no service'} with ${slices.length} slices`, () =>
      assert.equal(objection(apiService, found, slices)?.reason, reason));
});

describe('withVerdict', () => {
  it('writes nothing when it is said already, and keeps the time while the status stays', () => {
    const failed = withVerdict(apiService, { status: 'False', reason: 'A', message: 'a' }, 't1')!;
    assert.equal(withVerdict(failed, { status: 'False', reason: 'A', message: 'a' }, 't2'), undefined);
    const other = withVerdict(failed, { status: 'False', reason: 'B', message: 'b' }, 't2')!;
    assert.equal(other.status!.conditions![0]!.lastTransitionTime, 't1');
    assert.equal(withVerdict(other, PASSED, 't3')!.status!.conditions![0]!.lastTransitionTime, 't3');
  });
});

describe('apiServiceName', () => {
  for (const [path, name] of [
    ['/apis/g/v1/things/x', 'v1.g'],
    ['/apis/g/v1', 'v1.g'],
    ['/apis/g/v1/', 'v1.g'],
    ['/apis/g', undefined],
    ['/apis/g/', undefined],
    ['/api/v1/pods', 'v1.'],
    ['/api/v1', 'v1.'],
    ['/openapi/v3', undefined],
  ] as const)
    it(`finds ${name} for ${path}`, () => assert.equal(apiServiceName(parseRequestInfo('GET', path)!), name));
});

describe('remoteHeaders', () => {
  it('escapes names of extra values and writes the bytes of UTF-8', () => {
    const extra = { 'a/b%c': ['x'], empty: [] };
    assert.deepEqual(remoteHeaders({ name: 'zoë', groups: ['g', 'h'], extra }), {
      'X-Remote-User': 'zoÃ«',
      'X-Remote-Group': ['g', 'h'],
      'X-Remote-Extra-a%2Fb%25c': ['x'],
    });
  });
});

describe('remote discovery', () => {
  it('reads the aggregated document and the list of resources alike', () => {
    const resources = [
      {
        resource: 'things',
        responseKind: { group: 'g', version: 'v1', kind: 'Thing' },
        scope: 'Cluster',
        singularResource: '',
        verbs: ['get'],
        subresources: [
          {
            subresource: 'scale',
            responseKind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
            verbs: ['get'],
          },
        ],
      },
    ];
    const list = {
      resources: [
        { name: 'things', singularName: '', namespaced: false, kind: 'Thing', verbs: ['get'] },
        { name: 'things/scale', namespaced: false, group: 'autoscaling', version: 'v1', kind: 'Scale', verbs: ['get'] },
      ],
    };
    assert.deepEqual(fromResourceList(list, 'g', 'v1'), { version: 'v1', resources });
    const document = {
      items: [{ metadata: { name: 'g' }, versions: [{ version: 'v1', resources, freshness: 'Current' }] }],
    };
    assert.deepEqual(fromAggregated(document, 'g', 'v1'), { version: 'v1', resources });
    assert.equal(fromAggregated(document, 'g', 'v2'), undefined);
  });
});

describe('allGroups', () => {
  it('orders groups and versions by priority, and puts remote versions in the place of local ones', async () => {
    const api = await startTestServer();
    const remote = (group: string, version: string, priorities: readonly [number, number]): RemoteVersion => ({
      group,
      version,
      priority: { group: priorities[0], version: priorities[1] },
      discovery: undefined,
      fresh: false,
      openApi: undefined,
    });
    const others = [
      remote('late', 'v1', [1, 1]),
      remote('early', 'v1', [17_790, 1]),
      remote('early', 'v2', [1, 9]),
      remote('batch', 'v1', [5, 5]),
    ];
    const groups = allGroups(api.server.resources, { remoteVersions: () => others, onChange: () => {} });
    assert.deepEqual([...groups.keys()].slice(0, 4), ['apiregistration.k8s.io', '', 'apps', 'early']);
    assert.equal([...groups.keys()].at(-1), 'late');
    assert.deepEqual(
      groups.get('early')!.map((v) => v.version),
      ['v2', 'v1'],
    );
    assert.deepEqual(
      groups.get('batch')!.map((v) => [v.version, v.remote, v.local.size]),
      [['v1', others[3], 0]],
    );
    await api.stop();
  });
});

describe('desiredServices', () => {
  it('has what is served, with upstream’s priorities, but not its own group', async () => {
    const api = await startTestServer();
    const wanted = desiredServices(api.server.resources);
    assert.deepEqual(wanted.get('v2.autoscaling')!.spec, {
      group: 'autoscaling',
      version: 'v2',
      groupPriorityMinimum: 17_500,
      versionPriority: 30,
    });
    assert.deepEqual(wanted.get('v1.')!.spec, { version: 'v1', groupPriorityMinimum: 18_000, versionPriority: 1 });
    assert.equal(wanted.has('v1.apiregistration.k8s.io'), false);
    await api.stop();
  });
});
