// RuntimeClass.
import type { RuntimeClass } from '#generated/api/node-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const runtimeClass: ResourceDefinition<RuntimeClass> = defineKind<RuntimeClass>({
  group: 'node.k8s.io',
  resource: 'runtimeclasses',
});
