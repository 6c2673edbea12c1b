// HorizontalPodAutoscaler.
import type { HorizontalPodAutoscaler } from '#generated/api/autoscaling-v2.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const horizontalPodAutoscaler: ResourceDefinition<HorizontalPodAutoscaler> = defineKind<HorizontalPodAutoscaler>({
  group: 'autoscaling',
  resource: 'horizontalpodautoscalers',
  shortNames: ['hpa'],
  categories: ['all'],
});
