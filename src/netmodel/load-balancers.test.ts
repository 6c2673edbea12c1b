import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Service } from '#generated/api/core-v1.ts';
import { balancedAddresses, EXCLUDE_LABEL, isLost, isOwnLoadBalancer, mayBalance, ranked } from './load-balancers.ts';

const NODES = Array.from({ length: 9 }, (_, i) => `node-${i + 1}`);

describe('ranked', () => {
  it('spreads addresses over the nodes', () => {
    const firsts = Array.from(
      { length: 900 },
      (_, i) => ranked({ ip: `10.0.${i >> 8}.${i & 255}`, only: undefined }, NODES)[0]!,
    );
    for (const node of NODES) {
      const share = firsts.filter((f) => f === node).length;
      assert.ok(share > 60 && share < 140, `${node} is first for ${share} of 900`);
    }
  });

  it('moves an address only when its holder goes or a better one comes, whatever order nodes are listed in', () => {
    const subset = fc.uniqueArray(fc.constantFrom(...NODES), { minLength: 2 });
    fc.assert(
      fc.property(subset, fc.ipV4(), fc.nat(), (nodes, ip, at) => {
        const [first, second] = ranked({ ip, only: undefined }, nodes);
        const gone = nodes[at % nodes.length]!;
        const left = ranked({ ip, only: undefined }, nodes.filter((n) => n !== gone).toReversed());
        assert.equal(left[0], gone === first ? second : first);
      }),
    );
  });

  it('lets another speak for each that is lost, in unchanged order', () => {
    const address = { ip: '10.0.0.1', only: undefined };
    const all = ranked(address, NODES);
    assert.equal(all.length, 3);
    const more = ranked(address, NODES, new Set([all[0]!, all[2]!]));
    assert.deepEqual([more.length, more.slice(0, 3)], [5, all]);
    assert.equal(ranked(address, NODES, new Set(NODES)).length, NODES.length);
  });

  it('takes only nodes with endpoints where the policy wants that', () => {
    assert.deepEqual(ranked({ ip: '10.0.0.1', only: new Set(['node-3', 'gone']) }, NODES), ['node-3']);
  });
});

describe('balancedAddresses', () => {
  const service = (spec: Service['spec']): Service => ({
    metadata: { namespace: 'a', name: 'b' },
    spec: { type: 'LoadBalancer', ...spec },
    status: {
      loadBalancer: { ingress: [{ ip: '10.0.0.1' }, { hostname: 'x.example' }, { ip: '10.0.0.2', ipMode: 'Proxy' }] },
    },
  });
  const slice = {
    metadata: { name: 's' },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.244.1.5'], nodeName: 'one', conditions: { ready: true } }],
  };
  it('lets every node have the address under policy Cluster, and those with endpoints under Local', () => {
    assert.deepEqual(balancedAddresses(service({}), [slice]), [{ ip: '10.0.0.1', only: undefined }]);
    const [local] = balancedAddresses(service({ externalTrafficPolicy: 'Local' }), [slice]);
    assert.deepEqual([...local!.only!], ['one']);
  });
  it('lets every node have one without endpoints: clients are refused at once', () =>
    assert.equal(balancedAddresses(service({ externalTrafficPolicy: 'Local' }), [])[0]!.only, undefined));
  it('gives nothing once the type is another', () =>
    assert.deepEqual(balancedAddresses(service({ type: 'NodePort' }), []), []));
});

describe('isOwnLoadBalancer', () => {
  for (const [loadBalancerClass, want] of [
    [undefined, true],
    ['coracle.dev/load-balancer', true],
    ['example.com/other', false],
  ] as const)
    it(`is ${want} for class ${loadBalancerClass}`, () =>
      assert.equal(
        isOwnLoadBalancer({
          metadata: { name: 'a' },
          spec: { type: 'LoadBalancer', ...(loadBalancerClass === undefined ? {} : { loadBalancerClass }) },
        }),
        want,
      ));
});

describe('mayBalance', () => {
  const node = (status: string, labels: Record<string, string> = {}) => ({
    metadata: { name: 'n', labels },
    status: { conditions: [{ type: 'Ready', status }] },
  });
  it('leaves out nodes that are excluded, not those that are not Ready', () =>
    assert.deepEqual(
      [node('True'), node('False'), node('Unknown'), node('True', { [EXCLUDE_LABEL]: '' })].map(mayBalance),
      [true, true, true, false],
    ));
  it('knows the lost', () =>
    assert.deepEqual(
      ['True', 'False', 'Unknown'].map((s) => isLost(node(s))),
      [false, false, true],
    ));
});
