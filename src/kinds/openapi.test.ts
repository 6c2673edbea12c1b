import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { openApiV3Document } from '#schema/openapi.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { builtinKinds } from './registry.ts';

describe('openApiV3Document', () => {
  const definitions = builtinKinds() as unknown as readonly ResourceDefinition[];
  const { components } = openApiV3Document('', 'v1', definitions) as {
    components: { schemas: Record<string, { type?: string; properties: Record<string, unknown> }> };
  };
  const property = (definition: string, field: string) => components.schemas[definition]!.properties[field];

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
