// Pod: names, subresources, columns, what can be selected by field.
import type { Pod } from '#generated/api/core-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../../define.ts';
import { podStrategy } from './strategy.ts';
import { podTable } from './table.ts';

export const pod: ResourceDefinition<Pod> = defineKind<Pod>({
  resource: 'pods',
  shortNames: ['po'],
  categories: ['all'],
  strategy: podStrategy,
  table: podTable,
  triggerField: 'spec.nodeName',
  selectableFields: {
    'spec.nodeName': (p) => p.spec?.nodeName ?? '',
    'spec.restartPolicy': (p) => p.spec?.restartPolicy ?? '',
    'spec.schedulerName': (p) => p.spec?.schedulerName ?? '',
    'spec.serviceAccountName': (p) => p.spec?.serviceAccountName ?? '',
    'spec.hostNetwork': (p) => String(p.spec?.hostNetwork ?? false),
    'status.phase': (p) => p.status?.phase ?? '',
    'status.podIP': (p) => p.status?.podIPs?.[0]?.ip ?? p.status?.podIP ?? '',
    'status.nominatedNodeName': (p) => p.status?.nominatedNodeName ?? '',
  },
});
