// ResourceClaimTemplate.
import type { ResourceClaimTemplate } from '#generated/api/resource-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { defaultDevices } from './device-requests.ts';
import { AGE, NAME, ageOf, nameOf } from '../table.ts';

export const resourceClaimTemplate: ResourceDefinition<ResourceClaimTemplate> = defineKind<ResourceClaimTemplate>({
  group: 'resource.k8s.io',
  resource: 'resourceclaimtemplates',
  table: {
    columns: [NAME, AGE],
    cells: (t, nowMs) => [nameOf(t), ageOf(t, nowMs)],
  },
  strategy: {
    default: (t) => (t.spec?.spec === undefined ? t : { ...t, spec: { ...t.spec, spec: defaultDevices(t.spec.spec) } }),
  },
});
