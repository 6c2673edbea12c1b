// ValidatingAdmissionPolicyBinding.
import type { ValidatingAdmissionPolicyBinding } from '#generated/api/admissionregistration-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';
import { validateValidatingBinding } from './policies.ts';

export const validatingAdmissionPolicyBinding: ResourceDefinition<ValidatingAdmissionPolicyBinding> =
  defineKind<ValidatingAdmissionPolicyBinding>({
    group: 'admissionregistration.k8s.io',
    resource: 'validatingadmissionpolicybindings',
    table: {
      columns: [NAME, column('PolicyName'), column('ParamRef'), AGE],
      cells: (b, nowMs) => {
        const ref = b.spec?.paramRef;
        return [
          nameOf(b),
          b.spec?.policyName ?? '',
          ref === undefined ? '<unset>' : `${ref.namespace ?? '*'}/${ref.name ?? '*'}`,
          ageOf(b, nowMs),
        ];
      },
    },
    strategy: {
      generation: true,
      validateCreate: validateValidatingBinding,
      validateUpdate: validateValidatingBinding,
    },
    categories: ['api-extensions'],
  });
