import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openApiV3Document, openApiV3Index } from '#schema/openapi.ts';
import { builtinKinds } from './registry.ts';

interface Document {
  readonly paths: Record<
    string,
    Record<string, { parameters: { name: string }[]; 'x-kubernetes-group-version-kind': unknown }>
  >;
  readonly components: {
    readonly schemas: Record<
      string,
      { properties: Record<string, Record<string, unknown>>; 'x-kubernetes-group-version-kind'?: unknown }
    >;
  };
}
const make = (group: string, version: string): Document =>
  JSON.parse(JSON.stringify(openApiV3Document(group, version, builtinKinds()))) as Document;

describe('openApiV3Document', () => {
  const { components } = make('', 'v1');
  const property = (definition: string, field: string) => components.schemas[definition]!.properties[field];

  it('has what kubectl looks for in core/v1', () => {
    const { paths } = make('', 'v1');
    const patch = paths['/api/v1/namespaces/{namespace}/pods/{name}']!['patch']!;
    assert.deepEqual(patch['x-kubernetes-group-version-kind'], { group: '', version: 'v1', kind: 'Pod' });
    assert.ok(patch.parameters.some((p) => p.name === 'fieldValidation'));
    const spec = components.schemas['io.k8s.api.core.v1.PodSpec']!;
    assert.equal(spec.properties['containers']!['x-kubernetes-patch-merge-key'], 'name');
    assert.deepEqual(components.schemas['io.k8s.api.core.v1.Pod']!['x-kubernetes-group-version-kind'], [
      { group: '', kind: 'Pod', version: 'v1' },
    ]);
  });

  it('resolves every reference, in every group and version', () => {
    for (const kind of builtinKinds()) {
      for (const { version } of kind.versions) {
        const document = make(kind.group, version);
        const refs = JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g);
        for (const [, name] of refs)
          assert.ok(document.components.schemas[name!] !== undefined, `${kind.group}/${version}: ${name}`);
      }
    }
  });

  it('names the definitions of what may be anything', () => {
    const name = 'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1';
    assert.deepEqual(property('io.k8s.apimachinery.pkg.apis.meta.v1.ManagedFieldsEntry', 'fieldsV1'), {
      allOf: [{ $ref: `#/components/schemas/${name}` }],
    });
    assert.deepEqual(components.schemas[name], { type: 'object' });
  });

  it('says the words that a field takes, those of an item where there are many', () => {
    assert.deepEqual(property('io.k8s.api.core.v1.Container', 'imagePullPolicy'), {
      type: 'string',
      enum: ['Always', 'IfNotPresent', 'Never'],
    });
    const statuses = property('io.k8s.api.core.v1.PersistentVolumeClaimStatus', 'allocatedResourceStatuses') as {
      additionalProperties: { enum: readonly string[] };
    };
    assert.ok(statuses.additionalProperties.enum.includes('NodeResizePending'));
  });
});

describe('openApiV3Index', () => {
  it('names the documents', () => {
    assert.deepEqual(openApiV3Index([{ group: 'apps', version: 'v1', hash: 'X' }]), {
      paths: { 'apis/apps/v1': { serverRelativeURL: '/openapi/v3/apis/apps/v1?hash=X' } },
    });
  });
});
