// ValidatingAdmissionPolicy.
import type { ValidatingAdmissionPolicy } from '#generated/api/admissionregistration-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const validatingAdmissionPolicy: ResourceDefinition<ValidatingAdmissionPolicy> =
  defineKind<ValidatingAdmissionPolicy>({
    group: 'admissionregistration.k8s.io',
    resource: 'validatingadmissionpolicies',
    categories: ['api-extensions'],
  });
