// PodDisruptionBudget.
import type { PodDisruptionBudget } from '#generated/api/policy-v1.ts';
import { fieldError } from '#machinery/status.ts';
import type { Errors } from '../rules.ts';
import { validateLabelSelector } from '../selectors.ts';
import { validateIntOrPercent } from '../workload.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind, resetStatusOnCreate } from '../define.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';

export const podDisruptionBudget: ResourceDefinition<PodDisruptionBudget> = defineKind<PodDisruptionBudget>({
  group: 'policy',
  resource: 'poddisruptionbudgets',
  shortNames: ['pdb'],
  table: {
    columns: [NAME, column('Min Available'), column('Max Unavailable'), column('Allowed Disruptions', 'integer'), AGE],
    cells: (b, nowMs) => [
      nameOf(b),
      String(b.spec?.minAvailable ?? 'N/A'),
      String(b.spec?.maxUnavailable ?? 'N/A'),
      b.status?.disruptionsAllowed ?? 0,
      ageOf(b, nowMs),
    ],
  },
  strategy: {
    prepareForCreate: resetStatusOnCreate,
    prepareForUpdate: (b, old) => ({ ...b, status: old.status }),
    validateCreate: validate,
    validateUpdate: validate,
  },
});

function validate(b: PodDisruptionBudget): Errors {
  const errors: Errors = [];
  const spec = b.spec;
  if (spec === undefined) return errors;
  if (spec.minAvailable !== undefined && spec.maxUnavailable !== undefined) {
    errors.push(fieldError.invalid('spec', spec, 'minAvailable and maxUnavailable cannot be both set'));
  }
  validateIntOrPercent(spec.minAvailable, 'spec.minAvailable', errors);
  validateIntOrPercent(spec.maxUnavailable, 'spec.maxUnavailable', errors);
  validateLabelSelector(spec.selector, 'spec.selector', errors);
  if (
    spec.unhealthyPodEvictionPolicy !== undefined &&
    !['AlwaysAllow', 'IfHealthyBudget'].includes(spec.unhealthyPodEvictionPolicy)
  ) {
    errors.push(
      fieldError.notSupported('spec.unhealthyPodEvictionPolicy', spec.unhealthyPodEvictionPolicy, [
        'AlwaysAllow',
        'IfHealthyBudget',
      ]),
    );
  }
  return errors;
}
