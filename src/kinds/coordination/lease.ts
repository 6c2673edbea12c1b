// Lease.
import type { Lease } from '#generated/api/coordination-v1.ts';
import { fieldError } from '#machinery/status.ts';
import type { Errors } from '../rules.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';

export const lease: ResourceDefinition<Lease> = defineKind<Lease>({
  group: 'coordination.k8s.io',
  resource: 'leases',
  table: {
    columns: [NAME, column('Holder'), AGE],
    cells: (l, nowMs) => [nameOf(l), l.spec?.holderIdentity ?? '', ageOf(l, nowMs)],
  },
  strategy: {
    allowCreateOnUpdate: true,
    allowUnconditionalUpdate: false,
    prepareForCreate: withoutElection,
    prepareForUpdate: withoutElection,
    validateCreate: validate,
    validateUpdate: validate,
  },
});

/** Coordinated election is off unless asked for, and its fields are not kept. */
function withoutElection(l: Lease): Lease {
  if (l.spec?.strategy === undefined && l.spec?.preferredHolder === undefined) return l;
  const { strategy: _strategy, preferredHolder: _holder, ...spec } = l.spec;
  return { ...l, spec };
}

function validate(l: Lease): Errors {
  const errors: Errors = [];
  const { leaseDurationSeconds: seconds, leaseTransitions: transitions } = l.spec ?? {};
  if (seconds !== undefined && seconds <= 0)
    errors.push(fieldError.invalid('spec.leaseDurationSeconds', seconds, 'must be greater than 0'));
  if (transitions !== undefined && transitions < 0)
    errors.push(fieldError.invalid('spec.leaseTransitions', transitions, 'must be greater than or equal to 0'));
  return errors;
}
