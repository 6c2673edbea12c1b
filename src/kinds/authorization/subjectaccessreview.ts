// SubjectAccessReview.
import type { SubjectAccessReview } from '#generated/api/authorization-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const subjectAccessReview: ResourceDefinition<SubjectAccessReview> = defineKind<SubjectAccessReview>({
  group: 'authorization.k8s.io',
  resource: 'subjectaccessreviews',
});
