// IngressClass.
import type { IngressClass } from '#generated/api/networking-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';

export const ingressClass: ResourceDefinition<IngressClass> = defineKind<IngressClass>({
  group: 'networking.k8s.io',
  resource: 'ingressclasses',
  strategy: { generation: true },
  table: {
    columns: [NAME, column('Controller'), column('Parameters'), AGE],
    cells: (c, nowMs) => {
      const p = c.spec?.parameters;
      const kind = p === undefined ? '' : (p.apiGroup ?? '') === '' ? p.kind : `${p.kind}.${p.apiGroup}`;
      return [nameOf(c), c.spec?.controller ?? '', p === undefined ? '<none>' : `${kind}/${p.name}`, ageOf(c, nowMs)];
    },
  },
});
