// ValidatingAdmissionPolicyBinding.
import type { ValidatingAdmissionPolicyBinding } from '#generated/api/admissionregistration-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const validatingAdmissionPolicyBinding: ResourceDefinition<ValidatingAdmissionPolicyBinding> =
  defineKind<ValidatingAdmissionPolicyBinding>({
    group: 'admissionregistration.k8s.io',
    resource: 'validatingadmissionpolicybindings',
    strategy: { generation: true },
    categories: ['api-extensions'],
  });
