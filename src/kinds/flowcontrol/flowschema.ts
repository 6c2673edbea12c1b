// FlowSchema.
import type { FlowSchema } from '#generated/api/flowcontrol-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';
import { validateFlowSchema } from './validation.ts';

export const flowSchema: ResourceDefinition<FlowSchema> = defineKind<FlowSchema>({
  group: 'flowcontrol.apiserver.k8s.io',
  resource: 'flowschemas',
  table: {
    columns: [
      NAME,
      column('PriorityLevel'),
      column('MatchingPrecedence', 'integer'),
      column('DistinguisherMethod'),
      AGE,
      column('MissingPL'),
    ],
    cells: (s, nowMs) => [
      nameOf(s),
      s.spec?.priorityLevelConfiguration?.name ?? '',
      s.spec?.matchingPrecedence ?? 0,
      s.spec?.distinguisherMethod?.type ?? '<none>',
      ageOf(s, nowMs),
      s.status?.conditions?.find((c) => c.type === 'Dangling')?.status ?? '?',
    ],
  },
  strategy: {
    prepareForUpdate: (s, old) => ({ ...s, status: old.status }),
    validateCreate: validateFlowSchema,
    validateUpdate: validateFlowSchema,
  },
});
