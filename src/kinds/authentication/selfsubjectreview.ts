// SelfSubjectReview.
import type { SelfSubjectReview } from '#generated/api/authentication-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const selfSubjectReview: ResourceDefinition<SelfSubjectReview> = defineKind<SelfSubjectReview>({
  group: 'authentication.k8s.io',
  resource: 'selfsubjectreviews',
});
