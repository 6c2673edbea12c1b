import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { switchMTU } from './switch.ts';

describe('switchMTU', () => {
  const cases: readonly (readonly [string, number | undefined, boolean, number])[] = [
    ['is the way out’s', 1400, false, 1400],
    ['is Ethernet’s where there is no way out', undefined, false, 1500],
    ['is no wider than Ethernet’s', 9000, false, 1500],
    ['leaves room for IPv6 in a tunnel', 1300, true, 1330],
    ['is not less than any host takes', 68, false, 576],
  ];
  for (const [what, wayOut, hasIPv6, expected] of cases)
    it(what, () => assert.equal(switchMTU(wayOut, hasIPv6), expected));
});
