// PriorityLevelConfiguration.
import type { PriorityLevelConfiguration } from '#generated/api/flowcontrol-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';
import { validatePriorityLevel } from './validation.ts';

export const priorityLevelConfiguration: ResourceDefinition<PriorityLevelConfiguration> =
  defineKind<PriorityLevelConfiguration>({
    group: 'flowcontrol.apiserver.k8s.io',
    resource: 'prioritylevelconfigurations',
    table: {
      columns: [
        NAME,
        column('Type'),
        column('NominalConcurrencyShares'),
        column('Queues'),
        column('HandSize'),
        column('QueueLengthLimit'),
        AGE,
      ],
      cells: (p, nowMs) => {
        const queuing = p.spec?.limited?.limitResponse?.queuing;
        const shares = p.spec?.limited?.nominalConcurrencyShares ?? p.spec?.exempt?.nominalConcurrencyShares;
        return [
          nameOf(p),
          p.spec?.type ?? '',
          String(shares ?? '<none>'),
          String(queuing?.queues ?? '<none>'),
          String(queuing?.handSize ?? '<none>'),
          String(queuing?.queueLengthLimit ?? '<none>'),
          ageOf(p, nowMs),
        ];
      },
    },
    strategy: {
      prepareForUpdate: (p, old) => ({ ...p, status: old.status }),
      validateCreate: validatePriorityLevel,
      validateUpdate: validatePriorityLevel,
    },
  });
