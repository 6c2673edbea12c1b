// ControllerRevision: an immutable snapshot of a template.
import type { ControllerRevision } from '#generated/api/apps-v1.ts';
import { controllerOf } from '#machinery/object.ts';
import { fieldError } from '#machinery/status.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { type Errors, immutable } from '../rules.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';

export const controllerRevision: ResourceDefinition<ControllerRevision> = defineKind<ControllerRevision>({
  group: 'apps',
  resource: 'controllerrevisions',
  table: {
    columns: [NAME, column('Controller'), column('Revision', 'integer'), AGE],
    cells: (r, nowMs) => {
      const owner = controllerOf(r);
      const group = owner?.apiVersion.includes('/') ? owner.apiVersion.slice(0, owner.apiVersion.indexOf('/')) : '';
      const text =
        owner === undefined ? '<none>' : `${owner.kind.toLowerCase()}${group === '' ? '' : `.${group}`}/${owner.name}`;
      return [nameOf(r), text, r.revision ?? 0, ageOf(r, nowMs)];
    },
  },
  strategy: {
    validateCreate: (r) =>
      r.revision < 0 ? [fieldError.invalid('revision', r.revision, 'must be greater than or equal to 0')] : [],
    validateUpdate: (r, old) => {
      const errors: Errors = [];
      immutable(r.data, old.data, 'data', errors);
      return errors;
    },
  },
});
