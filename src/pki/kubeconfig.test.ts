import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makeKubeconfig } from './kubeconfig.ts';

describe('makeKubeconfig', () => {
  it('joins one cluster, one user and one context, everything inline', () => {
    const config = makeKubeconfig({
      context: 'coracle-local',
      cluster: { server: 'https://127.0.0.1:6443', certificateAuthority: 'CA' },
      user: { certificate: 'CERT', key: 'KEY' },
    });
    assert.equal(config['current-context'], 'coracle-local');
    assert.deepEqual(config.contexts, [
      { name: 'coracle-local', context: { cluster: 'coracle-local', user: 'coracle-local' } },
    ]);
    assert.deepEqual(config.clusters[0]!.cluster, {
      'certificate-authority-data': 'Q0E=',
      server: 'https://127.0.0.1:6443',
    });
    assert.deepEqual(config.users[0]!.user, { 'client-certificate-data': 'Q0VSVA==', 'client-key-data': 'S0VZ' });
  });

  it('names a token file for clients that rotate', () => {
    const config = makeKubeconfig({
      context: 'c',
      cluster: { server: 's', certificateAuthority: 'CA' },
      user: { tokenFile: '/t' },
    });
    assert.deepEqual(config.users[0]!.user, { tokenFile: '/t' });
  });
});
