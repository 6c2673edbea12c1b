// APIService.
import type { APIService } from '#generated/api/apiregistration-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';

export const apiService: ResourceDefinition<APIService> = defineKind<APIService>({
  group: 'apiregistration.k8s.io',
  resource: 'apiservices',
  categories: ['api-extensions'],
  storagePrefix: 'apiregistration.k8s.io/apiservices',
  table: {
    columns: [NAME, column('Service'), column('Available'), AGE],
    cells: (s, nowMs) => {
      const service = s.spec?.service;
      const condition = s.status?.conditions?.find((c) => c.type === 'Available');
      const available =
        condition === undefined
          ? 'Unknown'
          : condition.status === 'True'
            ? 'True'
            : `${condition.status} (${condition.reason ?? ''})`;
      return [
        nameOf(s),
        service === undefined ? 'Local' : `${service.namespace}/${service.name}`,
        available,
        ageOf(s, nowMs),
      ];
    },
  },
  strategy: {
    generation: false,
    nameRule: 'path',
    prepareForUpdate: (s, old) => ({ ...s, status: old.status }),
  },
});
