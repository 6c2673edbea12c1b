// ValidatingAdmissionPolicy.
import type { ValidatingAdmissionPolicy } from '#generated/api/admissionregistration-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';
import { validateValidatingPolicy } from './policies.ts';

export const validatingAdmissionPolicy: ResourceDefinition<ValidatingAdmissionPolicy> =
  defineKind<ValidatingAdmissionPolicy>({
    group: 'admissionregistration.k8s.io',
    resource: 'validatingadmissionpolicies',
    strategy: { validateCreate: validateValidatingPolicy, validateUpdate: validateValidatingPolicy },
    table: {
      columns: [NAME, column('Validations', 'integer'), column('ParamKind'), AGE],
      cells: (p, nowMs) => {
        const kind = p.spec?.paramKind;
        return [
          nameOf(p),
          (p.spec?.validations ?? []).length,
          kind === undefined ? '<unset>' : `${kind.apiVersion ?? ''}/${kind.kind ?? ''}`,
          ageOf(p, nowMs),
        ];
      },
    },
    categories: ['api-extensions'],
  });
