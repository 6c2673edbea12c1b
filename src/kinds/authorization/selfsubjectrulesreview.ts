// SelfSubjectRulesReview.
import type { SelfSubjectRulesReview } from '#generated/api/authorization-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const selfSubjectRulesReview: ResourceDefinition<SelfSubjectRulesReview> = defineKind<SelfSubjectRulesReview>({
  group: 'authorization.k8s.io',
  resource: 'selfsubjectrulesreviews',
});
