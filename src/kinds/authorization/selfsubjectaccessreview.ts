// SelfSubjectAccessReview.
import type { SelfSubjectAccessReview } from '#generated/api/authorization-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const selfSubjectAccessReview: ResourceDefinition<SelfSubjectAccessReview> = defineKind<SelfSubjectAccessReview>(
  {
    group: 'authorization.k8s.io',
    resource: 'selfsubjectaccessreviews',
  },
);
