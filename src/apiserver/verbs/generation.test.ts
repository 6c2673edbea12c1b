import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startTestServer, type TestServer } from '../fixture.ts';

// Which kinds keep metadata.generation, as the original answers.
const KEPT = [
  'apps/daemonsets',
  'apps/deployments',
  'apps/replicasets',
  'apps/statefulsets',
  'batch/cronjobs',
  'batch/jobs',
  'core/pods',
  'core/podtemplates',
  'core/replicationcontrollers',
  'discovery.k8s.io/endpointslices',
  'flowcontrol.apiserver.k8s.io/flowschemas',
  'networking.k8s.io/ingressclasses',
  'networking.k8s.io/ingresses',
  'networking.k8s.io/networkpolicies',
  'policy/poddisruptionbudgets',
  'scheduling.k8s.io/priorityclasses',
];
const NOT_KEPT = [
  'core/configmaps',
  'core/endpoints',
  'core/events',
  'core/limitranges',
  'core/namespaces',
  'core/nodes',
  'core/persistentvolumeclaims',
  'core/persistentvolumes',
  'core/resourcequotas',
  'core/secrets',
  'core/serviceaccounts',
  'core/services',
  'apps/controllerrevisions',
  'certificates.k8s.io/certificatesigningrequests',
  'coordination.k8s.io/leases',
  'networking.k8s.io/servicecidrs',
  'rbac.authorization.k8s.io/roles',
  'storage.k8s.io/storageclasses',
  'storage.k8s.io/volumeattachments',
];

describe('metadata.generation', () => {
  let api: TestServer;
  before(async () => {
    api = await startTestServer();
  });
  after(() => api.stop());

  for (const [names, kept] of [
    [KEPT, true],
    [NOT_KEPT, false],
  ] as const) {
    for (const name of names) {
      it(`is ${kept ? '' : 'not '}kept for ${name}`, () => {
        const [group, resource] = name.split('/');
        const served = api.server.resources.findPreferred(group === 'core' ? '' : group!, resource!);
        assert.equal(served!.generation, kept);
      });
    }
  }

  it('counts changes of a kind without spec', async () => {
    const path = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';
    const slice = { metadata: { name: 's' }, addressType: 'IPv4', endpoints: [{ addresses: ['10.244.0.1'] }] };
    const made = await api.call('POST', path, slice);
    assert.equal(made.body.metadata.generation, 1, made.text);
    const merge = { 'content-type': 'application/merge-patch+json' };
    const labelled = await api.call('PATCH', `${path}/s`, { metadata: { annotations: { a: 'b' } } }, merge);
    assert.equal(labelled.body.metadata.generation, 1);
    const moved = await api.call('PATCH', `${path}/s`, { endpoints: [{ addresses: ['10.244.0.2'] }] }, merge);
    assert.equal(moved.body.metadata.generation, 2, moved.text);
  });
});
