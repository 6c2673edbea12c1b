// PriorityClass.
import type { PriorityClass } from '#generated/api/scheduling-v1.ts';
import { fieldError } from '#machinery/status.ts';
import { type Errors, immutable } from '../rules.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';

/** The highest priority users may give; above it stand the system's own classes. */
export const USER_MAX = 1_000_000_000;
const SYSTEM: Readonly<Record<string, number>> = {
  'system-node-critical': 2_000_001_000,
  'system-cluster-critical': 2_000_000_000,
};

export const priorityClass: ResourceDefinition<PriorityClass> = defineKind<PriorityClass>({
  group: 'scheduling.k8s.io',
  resource: 'priorityclasses',
  shortNames: ['pc'],
  table: {
    columns: [NAME, column('Value', 'integer'), column('Global-Default', 'boolean'), AGE, column('PreemptionPolicy')],
    cells: (c, nowMs) => [nameOf(c), c.value ?? 0, c.globalDefault === true, ageOf(c, nowMs), c.preemptionPolicy ?? ''],
  },
  strategy: {
    generation: true,
    validateCreate: (c) => {
      const errors: Errors = [];
      const system = SYSTEM[c.metadata.name ?? ''];
      if ((c.metadata.name ?? '').startsWith('system-')) {
        if (system === undefined || system !== c.value)
          errors.push(
            fieldError.forbidden(
              'metadata.name',
              "priority class names with 'system-' prefix are reserved for system use only",
            ),
          );
      } else if ((c.value ?? 0) > USER_MAX) {
        errors.push(fieldError.forbidden('value', `maximum allowed value of a user defined priority is ${USER_MAX}`));
      }
      if (c.preemptionPolicy !== undefined && !['Never', 'PreemptLowerPriority'].includes(c.preemptionPolicy)) {
        errors.push(fieldError.notSupported('preemptionPolicy', c.preemptionPolicy, ['Never', 'PreemptLowerPriority']));
      }
      return errors;
    },
    validateUpdate: (c, old) => {
      const errors: Errors = [];
      if (c.value !== old.value) errors.push(fieldError.forbidden('value', 'may not be changed in an update.'));
      immutable(c.preemptionPolicy, old.preemptionPolicy, 'preemptionPolicy', errors);
      return errors;
    },
  },
});
