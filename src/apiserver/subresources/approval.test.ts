import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startTestServer, type TestServer } from '../fixture.ts';

const CSRS = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
const MERGE = { 'content-type': 'application/merge-patch+json' };

describe('a CertificateSigningRequest', () => {
  let api: TestServer;
  before(async () => {
    api = await startTestServer();
  });
  after(() => api.stop());

  const make = async (name: string) => {
    const spec = { request: 'LS0t', signerName: 'example.test/signer', usages: ['client auth'] };
    const made = await api.call('POST', CSRS, { metadata: { name }, spec });
    assert.equal(made.status, 201, made.text);
  };
  const patch = (path: string, conditions: object[], metadata = {}) =>
    api.call('PATCH', `${CSRS}/${path}`, { metadata, status: { conditions, certificate: 'LS0t' } }, MERGE);
  const yes = (type: string) => ({ type, status: 'True', reason: 'r', message: 'm' });
  const types = (body: { status: { conditions?: { type: string }[] } }) =>
    (body.status.conditions ?? []).map((c) => c.type);

  it('takes conditions of any kind and metadata through its approval, and nothing else', async () => {
    await make('a');
    const { status, body } = await patch('a/approval', [yes('Looked'), yes('Approved')], { annotations: { by: 'me' } });
    assert.deepEqual([status, types(body)], [200, ['Looked', 'Approved']]);
    assert.deepEqual([body.metadata.annotations, body.status.certificate], [{ by: 'me' }, undefined]);
    assert.equal(body.status.conditions[1].lastUpdateTime, body.status.conditions[1].lastTransitionTime);
  });

  it('is not approved through its status, nor made unapproved', async () => {
    await make('b');
    assert.deepEqual(types((await patch('b/status', [yes('Approved'), yes('Failed')])).body), ['Failed']);
    await make('c');
    await patch('c/approval', [yes('Approved')]);
    const signed = await patch('c/status', [yes('Looked')]);
    assert.deepEqual([types(signed.body), signed.body.status.certificate], [['Approved', 'Looked'], 'LS0t']);
  });

  for (const [name, first, then, message] of [
    ['approved and denied', [], ['Approved', 'Denied'], /Approved and Denied conditions are mutually exclusive/],
    ['approved no more', ['Approved'], [], /updates may not remove a condition of type "Approved"/],
    ['failed by its approver', [], ['Failed'], /updates may not add a condition of type "Failed"/],
  ] as const)
    it(`is never ${name}`, async () => {
      const object = name.replaceAll(' ', '-');
      await make(object);
      if (first.length > 0) await patch(`${object}/approval`, first.map(yes));
      const { status, body } = await patch(`${object}/approval`, then.map(yes));
      assert.equal(status, 422);
      assert.match(body.message, message);
    });
});
