// FlowSchema.
import type { FlowSchema } from '#generated/api/flowcontrol-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const flowSchema: ResourceDefinition<FlowSchema> = defineKind<FlowSchema>({
  group: 'flowcontrol.apiserver.k8s.io',
  resource: 'flowschemas',
});
