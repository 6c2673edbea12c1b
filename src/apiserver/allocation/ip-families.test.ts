import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startTestServer, type TestServer } from '../fixture.ts';

const SERVICES = '/api/v1/namespaces/default/services';
const RANGES = { serviceCIDR: '10.96.0.0/24', secondaryServiceCIDR: 'fd00:10:96::/112' };
const makeService = (name: string, spec: object = {}) => ({
  metadata: { name },
  spec: { selector: { a: 'b' }, ports: [{ port: 80 }], ...spec },
});
const IPV4 = /^10\.96\.0\.\d+$/;
const IPV6 = /^fd00:10:96::[0-9a-f]+$/;

interface Made {
  readonly status: number;
  readonly body: {
    readonly message: string;
    readonly spec: {
      readonly clusterIP: string;
      readonly clusterIPs: readonly string[];
      readonly ipFamilies: readonly string[];
      readonly ipFamilyPolicy: string;
    };
  };
}

describe('Services in a cluster of two families', () => {
  let api: TestServer;
  let count = 0;
  before(async () => {
    api = await startTestServer(RANGES);
  });
  after(() => api.stop());
  const create = (spec: object): Promise<Made> => api.call('POST', SERVICES, makeService(`s-${count++}`, spec));
  const taken = async (): Promise<string[]> =>
    (await api.call('GET', '/apis/networking.k8s.io/v1/ipaddresses')).body.items.map(
      (i: { metadata: { name: string } }) => i.metadata.name,
    );

  const given: [string, object, string, RegExp[]][] = [
    ['nothing', {}, 'SingleStack IPv4', [IPV4]],
    ['a family', { ipFamilies: ['IPv6'] }, 'SingleStack IPv6', [IPV6]],
    ['an IPv6 address', { clusterIP: 'fd00:10:96::7' }, 'SingleStack IPv6', [/^fd00:10:96::7$/]],
    ['PreferDualStack', { ipFamilyPolicy: 'PreferDualStack' }, 'PreferDualStack IPv4 IPv6', [IPV4, IPV6]],
    ['RequireDualStack', { ipFamilyPolicy: 'RequireDualStack' }, 'RequireDualStack IPv4 IPv6', [IPV4, IPV6]],
    [
      'IPv6 first',
      { ipFamilyPolicy: 'PreferDualStack', ipFamilies: ['IPv6', 'IPv4'] },
      'PreferDualStack IPv6 IPv4',
      [IPV6, IPV4],
    ],
    [
      'two addresses',
      { ipFamilyPolicy: 'RequireDualStack', clusterIPs: ['fd00:10:96::8', '10.96.0.8'] },
      'RequireDualStack IPv6 IPv4',
      [/^fd00:10:96::8$/, /^10\.96\.0\.8$/],
    ],
    [
      'headless of both families',
      { clusterIP: 'None', ipFamilyPolicy: 'PreferDualStack' },
      'PreferDualStack IPv4 IPv6',
      [/^None$/],
    ],
    ['headless with a selector', { clusterIP: 'None' }, 'SingleStack IPv4', [/^None$/]],
    ['headless without one', { clusterIP: 'None', selector: undefined }, 'RequireDualStack IPv4 IPv6', [/^None$/]],
  ];
  for (const [asked, spec, families, addresses] of given)
    it(`gives ${families} to whom asks for ${asked}`, async () => {
      const { status, body } = await create(spec);
      assert.equal(status, 201, body.message);
      assert.equal([body.spec.ipFamilyPolicy, ...body.spec.ipFamilies].join(' '), families);
      assert.equal(body.spec.clusterIPs.length, addresses.length);
      for (const [index, address] of addresses.entries()) assert.match(body.spec.clusterIPs[index]!, address);
      assert.equal(body.spec.clusterIP, body.spec.clusterIPs[0]);
    });

  const refused: [string, object, string][] = [
    [
      'two families under SingleStack',
      { ipFamilies: ['IPv4', 'IPv6'] },
      "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified",
    ],
    [
      'two addresses of one family',
      { ipFamilyPolicy: 'PreferDualStack', clusterIPs: ['10.96.0.3', '10.96.0.4'] },
      'spec.clusterIPs: Invalid value: ["10.96.0.3","10.96.0.4"]: may specify no more than one IP for each IP family',
    ],
    [
      'an address of another family than the one named',
      { ipFamilies: ['IPv6'], clusterIP: '10.96.0.3' },
      'spec.clusterIPs[0]: Invalid value: "10.96.0.3": expected an IPv6 value as indicated by `ipFamilies[0]`',
    ],
    ['a family twice', { ipFamilies: ['IPv4', 'IPv4'] }, 'spec.ipFamilies[1]: Duplicate value: "IPv4"'],
  ];
  for (const [what, spec, message] of refused)
    it(`refuses ${what}`, async () => {
      const before = await taken();
      const { status, body } = await create(spec);
      assert.equal(status, 422);
      assert.ok(body.message.endsWith(message), body.message);
      assert.deepEqual(await taken(), before);
    });

  it('adds a second address and takes it back, as its user says', async () => {
    const made = await create({});
    const path = `${SERVICES}/s-${count - 1}`;
    const patch = (spec: object): Promise<Made> =>
      api.call('PATCH', path, { spec }, { 'content-type': 'application/merge-patch+json' });
    const both = await patch({ ipFamilyPolicy: 'PreferDualStack' });
    assert.equal(both.body.spec.clusterIPs[0], made.body.spec.clusterIP);
    assert.match(both.body.spec.clusterIPs[1]!, IPV6);
    assert.ok((await taken()).includes(both.body.spec.clusterIPs[1]!));
    const reduced = await patch({ ipFamilies: ['IPv4'], clusterIPs: [made.body.spec.clusterIP] });
    assert.equal(reduced.status, 422, 'giving it up wants the policy');
    const one = await patch({ ipFamilyPolicy: 'SingleStack' });
    assert.deepEqual(one.body.spec.clusterIPs, [made.body.spec.clusterIP]);
    assert.deepEqual(one.body.spec.ipFamilies, ['IPv4']);
    assert.ok(!(await taken()).includes(both.body.spec.clusterIPs[1]!));
    await api.call('DELETE', path);
    assert.ok(!(await taken()).includes(made.body.spec.clusterIP));
  });

  it('never changes the first address', async () => {
    await create({ ipFamilyPolicy: 'PreferDualStack' });
    const path = `${SERVICES}/s-${count - 1}`;
    const { status, body } = await api.call(
      'PATCH',
      path,
      { spec: { clusterIP: '10.96.0.9', clusterIPs: ['10.96.0.9', 'fd00:10:96::9'] } },
      { 'content-type': 'application/merge-patch+json' },
    );
    assert.equal(status, 422);
    const refusal = /spec\.clusterIPs\[0\]: Invalid value: .*: may not change once set/;
    assert.match(body.message, refusal);
    const older = { spec: { clusterIP: '10.96.0.9' } };
    const alone = await api.call('PATCH', path, older, { 'content-type': 'application/merge-patch+json' });
    assert.match(alone.body.message, refusal);
  });

  it('shows both ranges as one ServiceCIDR', async () => {
    const { body } = await api.call('GET', '/apis/networking.k8s.io/v1/servicecidrs/kubernetes');
    assert.deepEqual(body.spec.cidrs, [RANGES.serviceCIDR, RANGES.secondaryServiceCIDR]);
  });
});

describe('Services in a cluster of one family', () => {
  let api: TestServer;
  before(async () => {
    api = await startTestServer({ serviceCIDR: RANGES.serviceCIDR });
  });
  after(() => api.stop());

  it('get one address when they prefer two', async () => {
    const { body } = await api.call('POST', SERVICES, makeService('prefers', { ipFamilyPolicy: 'PreferDualStack' }));
    assert.equal(body.spec.clusterIPs.length, 1);
    assert.deepEqual(body.spec.ipFamilies, ['IPv4']);
  });

  for (const [what, spec, message] of [
    [
      'two are required',
      { ipFamilyPolicy: 'RequireDualStack' },
      'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
    ],
    [
      'the other is named',
      { ipFamilies: ['IPv6'] },
      'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster',
    ],
    [
      'an address of the other is given',
      { clusterIP: 'fd00::1' },
      'spec.clusterIPs[0]: Invalid value: ["fd00::1"]: IPv6 is not configured on this cluster',
    ],
  ] as const)
    it(`are refused when ${what}`, async () => {
      const { status, body } = await api.call('POST', SERVICES, makeService('refused', spec));
      assert.equal(status, 422);
      assert.equal(body.message, `Service "refused" is invalid: ${message}`);
    });
});
