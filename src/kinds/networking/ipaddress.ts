// IPAddress.
import type { IPAddress } from '#generated/api/networking-v1.ts';
import { immutable, type Errors } from '../rules.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { NAME, column, nameOf } from '../table.ts';

export const ipAddress: ResourceDefinition<IPAddress> = defineKind<IPAddress>({
  group: 'networking.k8s.io',
  resource: 'ipaddresses',
  shortNames: ['ip'],
  table: {
    columns: [NAME, column('ParentRef')],
    cells: (i) => {
      const ref = i.spec?.parentRef;
      const text =
        ref === undefined
          ? '<none>'
          : [ref.resource, ref.group ?? ''].filter((p) => p !== '').join('.') +
            `/${(ref.namespace ?? '') === '' ? '' : `${ref.namespace}/`}${ref.name}`;
      return [nameOf(i), text];
    },
  },
  selectableFields: {},
  strategy: {
    nameRule: 'any',
    validateUpdate: (i, old) => {
      const errors: Errors = [];
      immutable(i.spec?.parentRef, old.spec?.parentRef, 'spec.parentRef', errors);
      return errors;
    },
  },
});
