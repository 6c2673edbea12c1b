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
    strategy: {
      default: (c) => {
        const names = c.spec?.names;
        if (names === undefined || (names.kind ?? '') === '') return c;
        const singular = (names.singular ?? '') === '' ? names.kind.toLowerCase() : names.singular;
        const listKind = (names.listKind ?? '') === '' ? `${names.kind}List` : names.listKind;
        return { ...c, spec: { ...c.spec, names: { ...names, singular, listKind } } } as CustomResourceDefinition;
      },
      prepareForCreate: (c) =>
        ({
          ...c,
          status: {
            conditions: null,
            acceptedNames: { plural: '', kind: '' },
            storedVersions: (c.spec?.versions ?? []).filter((v) => v.storage).map((v) => v.name),
          },
        }) as unknown as CustomResourceDefinition,
      prepareForUpdate: (c, old) => ({ ...c, status: old.status }),
    },
  });
