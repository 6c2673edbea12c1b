import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startTestServer } from './fixture.ts';

describe('review', () => {
  it('is no table', async () => {
    const api = await startTestServer();
    const { status, body } = await api.call(
      'POST',
      '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
      { spec: { nonResourceAttributes: { path: '/', verb: 'get' } } },
      { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io' },
    );
    assert.deepEqual(
      [status, body.reason, body.message],
      [
        406,
        'NotAcceptable',
        'the resource selfsubjectaccessreviews.authorization.k8s.io does not support being converted to a Table',
      ],
    );
    await api.stop();
  });
});
