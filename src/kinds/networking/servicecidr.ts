// ServiceCIDR.
import type { ServiceCIDR } from '#generated/api/networking-v1.ts';
import { isValidCIDR } from '#machinery/names.ts';
import { fieldError } from '#machinery/status.ts';
import { type Errors, at, messages } from '../rules.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind, resetStatusOnCreate } from '../define.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';

export const serviceCIDR: ResourceDefinition<ServiceCIDR> = defineKind<ServiceCIDR>({
  group: 'networking.k8s.io',
  resource: 'servicecidrs',
  table: {
    columns: [NAME, column('CIDRs'), AGE],
    cells: (c, nowMs) => [nameOf(c), (c.spec?.cidrs ?? []).join(','), ageOf(c, nowMs)],
  },
  strategy: {
    generation: false,
    prepareForCreate: resetStatusOnCreate,
    prepareForUpdate: (c, old) => ({ ...c, status: old.status }),
    validateCreate: (c) => {
      const errors: Errors = [];
      if ((c.spec?.cidrs ?? []).length === 0)
        errors.push(fieldError.required('spec.cidrs', 'at least one CIDR required'));
      for (const [index, cidr] of (c.spec?.cidrs ?? []).entries())
        messages(isValidCIDR(cidr), at('spec.cidrs', index), cidr, errors);
      return errors;
    },
  },
});
