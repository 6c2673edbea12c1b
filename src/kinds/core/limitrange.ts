// LimitRange.
import type { LimitRange } from '#generated/api/core-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const limitRange: ResourceDefinition<LimitRange> = defineKind<LimitRange>({
  resource: 'limitranges',
  shortNames: ['limits'],
});
