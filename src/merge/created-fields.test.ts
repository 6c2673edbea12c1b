import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubeObject } from '#machinery/object.ts';
import { rebuild } from '#schema/decode.ts';
import { schemaByName } from '#schema/load.ts';
import { compareObjects, zeroObject } from './compare.ts';
import { createdFields } from './created-fields.ts';
import { encodeFieldSet } from './field-set.ts';
import { owned } from './managed-fields.ts';

const metadata = {
  name: 'a',
  namespace: 'b',
  uid: 'u',
  labels: { z: '1', app: 'a' },
  annotations: {},
  finalizers: ['y/z', 'a/b'],
  ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'x' }],
};
const podSpec = {
  containers: [
    { name: 'web', image: 'i', ports: [{ containerPort: 443 }, { containerPort: 80, protocol: 'UDP' }], resources: {} },
    {
      name: 'app',
      env: [
        { name: 'A', value: '' },
        { name: 'A', value: 'twice' },
      ],
      command: ['x'],
    },
  ],
  tolerations: [{ key: 'k', operator: 'Exists' }],
  securityContext: {},
  nodeSelector: { disk: 'ssd' },
};
const cases: readonly (readonly [string, object])[] = [
  ['core.v1.Pod', { metadata, spec: podSpec, status: { phase: 'Pending' } }],
  ['core.v1.ConfigMap', { metadata: { name: 'a' } }],
  ['core.v1.ConfigMap', { metadata, data: { b: 'x', a: '' }, immutable: false }],
  ['core.v1.Service', { metadata, spec: { ports: [{ port: 80, targetPort: 'http' }], clusterIPs: ['10.96.0.1'] } }],
  [
    'apps.v1.Deployment',
    { metadata, spec: { replicas: 0, selector: {}, template: { metadata: { labels: { a: 'b' } }, spec: podSpec } } },
  ],
  ['rbac.v1.Role', { metadata, rules: [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }] }],
  ['core.v1.Namespace', { metadata: { name: 'n' }, spec: { finalizers: ['kubernetes'] } }],
  ['core.v1.Node', { metadata: { name: 'n' }, status: { conditions: [{ type: 'Ready', status: 'True' }] } }],
];

describe('createdFields', () => {
  for (const [name, value] of cases) {
    for (const subresource of ['', 'status']) {
      it(`is what a comparison with nothing finds: ${name} ${JSON.stringify(value).length} ${subresource}`, () => {
        const schema = schemaByName(`io.k8s.api.${name}`);
        const object = rebuild<KubeObject>(value, schema);
        const set = owned(
          ((c) => c.added.union(c.modified))(compareObjects(zeroObject(schema), object, schema)),
          schema,
          subresource,
        );
        const expected = set.empty ? undefined : JSON.stringify(encodeFieldSet(set));
        assert.equal(JSON.stringify(createdFields(object, schema, subresource)), expected);
      });
    }
  }
});
