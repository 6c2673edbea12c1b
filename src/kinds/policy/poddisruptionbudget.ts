// PodDisruptionBudget.
import type { PodDisruptionBudget, PodDisruptionBudgetStatus } from '#generated/api/policy-v1.ts';
import { fieldError } from '#machinery/status.ts';
import { checkRows, type Errors, type Row } from '../rules.ts';
import { validateLabelSelector } from '../selectors.ts';
import { validateAtMost100Percent, validateIntOrPercent } from '../workload.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind, resetStatusOnCreate } from '../define.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';

const EMPTY_STATUS: PodDisruptionBudgetStatus = {
  currentHealthy: 0,
  desiredHealthy: 0,
  disruptionsAllowed: 0,
  expectedPods: 0,
};
const STATUS_ROWS: readonly Row<PodDisruptionBudgetStatus>[] = [
  { field: 'disruptionsAllowed', min: 0 },
  { field: 'currentHealthy', min: 0 },
  { field: 'desiredHealthy', min: 0 },
  { field: 'expectedPods', min: 0 },
];

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
    validateStatusUpdate: (b) => {
      const errors: Errors = [];
      checkRows(b.status ?? EMPTY_STATUS, 'status', STATUS_ROWS, errors);
      return errors;
    },
  },
});

function validate(b: PodDisruptionBudget): Errors {
  const errors: Errors = [];
  const spec = b.spec;
  if (spec === undefined) return errors;
  if (spec.minAvailable !== undefined && spec.maxUnavailable !== undefined) {
    errors.push(fieldError.invalid('spec', spec, 'minAvailable and maxUnavailable cannot be both set'));
  }
  for (const member of ['minAvailable', 'maxUnavailable'] as const) {
    validateIntOrPercent(spec[member], `spec.${member}`, errors);
    validateAtMost100Percent(spec[member], `spec.${member}`, errors);
  }
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
