// PodTemplate.
import type { PodTemplate } from '#generated/api/core-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const podTemplate: ResourceDefinition<PodTemplate> = defineKind<PodTemplate>({
  resource: 'podtemplates',
});
