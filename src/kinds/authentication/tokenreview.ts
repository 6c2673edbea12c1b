// TokenReview.
import type { TokenReview } from '#generated/api/authentication-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const tokenReview: ResourceDefinition<TokenReview> = defineKind<TokenReview>({
  group: 'authentication.k8s.io',
  resource: 'tokenreviews',
});
