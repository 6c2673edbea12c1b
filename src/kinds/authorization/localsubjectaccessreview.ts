// LocalSubjectAccessReview.
import type { LocalSubjectAccessReview } from '#generated/api/authorization-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const localSubjectAccessReview: ResourceDefinition<LocalSubjectAccessReview> =
  defineKind<LocalSubjectAccessReview>({
    group: 'authorization.k8s.io',
    resource: 'localsubjectaccessreviews',
  });
