// Secret.
import type { Secret } from '#generated/api/core-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const secret: ResourceDefinition<Secret> = defineKind<Secret>({
  resource: 'secrets',
});
