// Binding.
import type { Binding } from '#generated/api/core-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const binding: ResourceDefinition<Binding> = defineKind<Binding>({
  resource: 'bindings',
});
