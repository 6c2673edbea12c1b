import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseCIDR } from '#base/ip.ts';
import { podAddress } from './hollow-program.ts';

describe('podAddress', () => {
  const range = parseCIDR('10.244.3.0/24')!;

  it('begins behind the gateway', () => assert.equal(podAddress(range, 0), '10.244.3.2'));

  it('stays within the range and off the broadcast address, and comes round again', () => {
    const all = new Set(Array.from({ length: 600 }, (_, n) => podAddress(range, n)));
    assert.equal(all.size, 253);
    assert.equal(all.has('10.244.3.255'), false);
    assert.equal(podAddress(range, 253), '10.244.3.2');
  });
});
