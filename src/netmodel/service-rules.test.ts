import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Elements } from './elements.ts';
import { walk } from './packet.ts';
import { SERVICE_TABLE, ServiceElements, serviceTable, slotsFor } from './service-rules.ts';
import type { Destination, ServicePortModel } from './services.ts';

const DNS = '10.96.0.10';
const table = serviceTable({
  clusterCIDR: '10.244.0.0/16',
  serviceCIDR: '10.96.0.0/12',
  dnsAddress: DNS,
  affinitySeconds: [60],
});

function makePort(ips: readonly string[], affinitySeconds?: number): ServicePortModel {
  const to: Destination =
    ips.length === 0 ? { to: 'reject' } : { to: 'targets', targets: ips.map((ip) => ({ ip, port: 8080 })) };
  return {
    key: 'a/b',
    protocol: 'tcp',
    clusterIPs: ['10.96.42.7'],
    port: 80,
    nodePort: 30080,
    externalIPs: ['192.0.2.80'],
    loadBalancerIPs: [],
    sourceRanges: undefined,
    affinitySeconds,
    internal: to,
    external: to,
    externalLocal: undefined,
  };
}

describe('ServiceElements', () => {
  const facts = { dnsAddress: DNS, nodeIPs: ['192.168.77.1'], isLocalPod: () => false };
  const endpoints = fc.uniqueArray(
    fc.integer({ min: 1, max: 40 }).map((n) => `10.244.2.${n}`),
    { maxLength: 40 },
  );

  for (const affinity of [undefined, 60]) {
    it(`reaches exactly the endpoints there are, through every entrance, however they changed (affinity ${affinity ?? 'none'})`, () => {
      fc.assert(
        fc.property(fc.array(endpoints, { minLength: 1, maxLength: 6 }), (history) => {
          const model = new ServiceElements();
          const elements = new Elements(SERVICE_TABLE);
          for (const ips of history) elements.replace('a/b', model.elementsOf(makePort(ips, affinity), facts));
          const node = {
            tables: [{ table, elements: elements.all() }],
            localAddresses: ['192.168.77.1', DNS],
            primaryAddress: '192.168.77.1',
          };
          const wanted = history.at(-1)!.toSorted();
          for (const [dst, dport] of [
            ['10.96.42.7', 80],
            ['192.168.77.1', 30080],
            ['192.0.2.80', 80],
          ] as const) {
            const reached = new Set<string>();
            for (let slot = 0; slot < slotsFor(wanted.length); slot++) {
              const result = walk(
                { ...node, learned: new Map() },
                { src: '10.244.1.5', dst, protocol: 'tcp', dport },
                { from: 'wire', random: () => slot },
              );
              assert.equal(result.verdict, 'sent');
              reached.add(result.packet.dst);
            }
            assert.deepEqual([...reached].sort(), wanted);
          }
        }),
        { numRuns: 30 },
      );
    });
  }

  it('moves few elements when an endpoint goes', () => {
    const model = new ServiceElements();
    const elements = new Elements(SERVICE_TABLE);
    const ips = Array.from({ length: 20 }, (_, i) => `10.244.2.${i + 1}`);
    const only = (list: readonly string[]) => ({ ...makePort(list), nodePort: undefined, externalIPs: [] });
    elements.replace('a/b', model.elementsOf(only(ips), facts));
    elements.take();
    elements.replace('a/b', model.elementsOf(only(ips.toSpliced(3, 1)), facts));
    const { remove, add } = elements.take();
    assert.deepEqual([remove.length, add.length], [3, 2], 'the slot count, the hole, and the last slot that filled it');
  });
});
