import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Liveness, LEASE_MS } from './liveness.ts';

/** A node that sees renewals: `self` is the own one. */
function makeLiveness() {
  const liveness = new Liveness('self');
  let renewals = 0;
  const renew = (node: string, atMs: number) =>
    liveness.observe(node, { metadata: { name: node }, spec: { renewTime: String(renewals++) } }, atMs);
  return { liveness, renew };
}

describe('Liveness', () => {
  it('calls a node dead when it is silent for the lease while the own renewals come back', () => {
    const { liveness, renew } = makeLiveness();
    for (let s = 0; s < 10; s++) {
      renew('self', s * 1000);
      if (s < 5) renew('other', s * 1000);
      assert.equal(liveness.lives('other'), s < 8, `after ${s} s`);
    }
  });

  it('lets nobody grow older while nothing comes back', () => {
    const { liveness, renew } = makeLiveness();
    renew('other', 0);
    renew('self', 900);
    for (const atMs of [4_000, 4_500, 60_000]) assert.ok(liveness.lives('other'), String(atMs));
    assert.equal(liveness.inContact(900 + LEASE_MS - 1), true);
    assert.equal(liveness.inContact(900 + LEASE_MS), false);
  });

  it('hears everybody out anew after a silence', () => {
    const { liveness, renew } = makeLiveness();
    renew('other', 0);
    renew('self', 0);
    for (let s = 60; s < 63; s++) {
      renew('self', s * 1000);
      assert.ok(liveness.lives('other'));
    }
    renew('self', 64_000);
    assert.equal(liveness.lives('other'), false);
  });

  it('takes a lease that does not change for no sign of life', () => {
    const { liveness } = makeLiveness();
    const lease = { metadata: { name: 'self' }, spec: { renewTime: 'same' } };
    for (let s = 0; s < 6; s++) liveness.observe('self', lease, s * 1000);
    assert.equal(liveness.inContact(5_000), false);
  });
});
