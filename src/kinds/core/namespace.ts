// Namespace.
import type { Namespace } from '#generated/api/core-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const namespace: ResourceDefinition<Namespace> = defineKind<Namespace>({
  resource: 'namespaces',
  shortNames: ['ns'],
});
