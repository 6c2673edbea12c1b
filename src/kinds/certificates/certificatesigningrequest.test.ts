import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CertificateSigningRequest } from '#generated/api/certificates-v1.ts';
import { certificateSigningRequest } from './certificatesigningrequest.ts';

describe('certificateSigningRequest', () => {
  const asked = (spec: object): CertificateSigningRequest =>
    ({ metadata: { name: 'a' }, spec: { signerName: 'example.com/s', request: 'cg==', ...spec } }) as never;
  const created = (spec: object, user: { name: string; uid?: string; groups: string[] }) =>
    certificateSigningRequest.strategy.prepareForCreate!(asked(spec), {
      now: '2026-01-01T00:00:00Z',
      uid: () => 'u',
      user,
    }).spec!;

  it('says who asked for it, whatever was written there', () => {
    const { username, uid, groups, extra } = created(
      { username: 'root', uid: '0', groups: ['system:masters'], extra: { a: ['b'] } },
      { name: 'ann', uid: '7', groups: ['devs'] },
    );
    assert.deepEqual(
      { username, uid, groups, extra },
      { username: 'ann', uid: '7', groups: ['devs'], extra: undefined },
    );
  });

  it('has no uid where the user has none', () => {
    assert.equal('uid' in created({ uid: '0' }, { name: 'ann', groups: [] }), false);
  });
});
