// MutatingAdmissionPolicyBinding.
import type { MutatingAdmissionPolicyBinding } from '#generated/api/admissionregistration-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { validateMutatingBinding } from './policies.ts';

export const mutatingAdmissionPolicyBinding: ResourceDefinition<MutatingAdmissionPolicyBinding> =
  defineKind<MutatingAdmissionPolicyBinding>({
    group: 'admissionregistration.k8s.io',
    resource: 'mutatingadmissionpolicybindings',
    strategy: { generation: true, validateCreate: validateMutatingBinding, validateUpdate: validateMutatingBinding },
    categories: ['api-extensions'],
  });
