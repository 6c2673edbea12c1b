// Job.
import type { Job } from '#generated/api/batch-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const job: ResourceDefinition<Job> = defineKind<Job>({
  group: 'batch',
  resource: 'jobs',
  categories: ['all'],
});
