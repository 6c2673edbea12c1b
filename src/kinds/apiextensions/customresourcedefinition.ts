// CustomResourceDefinition.
import type { CustomResourceDefinition } from '#generated/api/apiextensions-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { NAME, column, nameOf } from '../table.ts';

export const customResourceDefinition: ResourceDefinition<CustomResourceDefinition> =
  defineKind<CustomResourceDefinition>({
    group: 'apiextensions.k8s.io',
    resource: 'customresourcedefinitions',
    shortNames: ['crd', 'crds'],
    categories: ['api-extensions'],
    storagePrefix: 'apiextensions.k8s.io/customresourcedefinitions',
    table: {
      columns: [NAME, column('Created At')],
      cells: (c) => [nameOf(c), c.metadata.creationTimestamp ?? null],
    },
    strategy: { prepareForUpdate: (c, old) => ({ ...c, status: old.status }) },
  });
