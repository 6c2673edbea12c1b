// CronJob.
import type { CronJob } from '#generated/api/batch-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const cronJob: ResourceDefinition<CronJob> = defineKind<CronJob>({
  group: 'batch',
  resource: 'cronjobs',
  shortNames: ['cj'],
  categories: ['all'],
});
