// RuntimeClass.
import type { RuntimeClass } from '#generated/api/node-v1.ts';
import { isDns1123Label } from '#machinery/names.ts';
import { type Errors, immutable, messages } from '../rules.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';

export const runtimeClass: ResourceDefinition<RuntimeClass> = defineKind<RuntimeClass>({
  group: 'node.k8s.io',
  resource: 'runtimeclasses',
  table: {
    columns: [NAME, column('Handler'), AGE],
    cells: (c, nowMs) => [nameOf(c), c.handler ?? '', ageOf(c, nowMs)],
  },
  strategy: {
    validateCreate: (c) => {
      const errors: Errors = [];
      messages(isDns1123Label(c.handler ?? ''), 'handler', c.handler, errors);
      return errors;
    },
    validateUpdate: (c, old) => {
      const errors: Errors = [];
      immutable(c.handler, old.handler, 'handler', errors);
      return errors;
    },
  },
});
