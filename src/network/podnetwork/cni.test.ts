import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cniConflist } from './cni.ts';

interface Conflist {
  readonly plugins: readonly {
    readonly type: string;
    readonly ipMasq: boolean;
    readonly mtu: number;
    readonly ipam: { readonly dataDir: string; readonly ranges: unknown; readonly routes: unknown };
  }[];
}

describe('cniConflist', () => {
  it('wires pods by ptp, without translation', () => {
    const { plugins } = JSON.parse(
      cniConflist({ podCIDRs: ['10.244.1.0/24'], mtu: 1450, dataDir: '/run/x' }),
    ) as Conflist;
    assert.deepEqual(
      plugins.map((p) => [p.type, p.ipMasq, p.mtu, p.ipam.dataDir]),
      [['ptp', false, 1450, '/run/x']],
    );
  });

  it('gives an address and a way out of each family', () => {
    const text = cniConflist({ podCIDRs: ['10.244.1.0/24', 'fd10:1::/64'], mtu: 1500, dataDir: '/run/x' });
    const { ipam } = (JSON.parse(text) as Conflist).plugins[0]!;
    assert.deepEqual(ipam.ranges, [[{ subnet: '10.244.1.0/24' }], [{ subnet: 'fd10:1::/64' }]]);
    assert.deepEqual(ipam.routes, [{ dst: '0.0.0.0/0' }, { dst: '::/0' }]);
  });
});
