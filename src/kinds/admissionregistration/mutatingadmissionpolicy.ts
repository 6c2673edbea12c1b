// MutatingAdmissionPolicy.
import type { MutatingAdmissionPolicy } from '#generated/api/admissionregistration-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { validateMutatingPolicy } from './policies.ts';

export const mutatingAdmissionPolicy: ResourceDefinition<MutatingAdmissionPolicy> = defineKind<MutatingAdmissionPolicy>(
  {
    group: 'admissionregistration.k8s.io',
    resource: 'mutatingadmissionpolicies',
    strategy: { generation: true, validateCreate: validateMutatingPolicy, validateUpdate: validateMutatingPolicy },
    categories: ['api-extensions'],
  },
);
