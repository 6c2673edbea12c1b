// ValidatingWebhookConfiguration.
import type { ValidatingWebhookConfiguration } from '#generated/api/admissionregistration-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';
import { validateWebhooks } from './webhooks.ts';

export const validatingWebhookConfiguration: ResourceDefinition<ValidatingWebhookConfiguration> =
  defineKind<ValidatingWebhookConfiguration>({
    group: 'admissionregistration.k8s.io',
    resource: 'validatingwebhookconfigurations',
    strategy: { generation: true, validateCreate: validateWebhooks, validateUpdate: validateWebhooks },
    categories: ['api-extensions'],
    table: {
      columns: [NAME, column('Webhooks', 'integer'), AGE],
      cells: (c, nowMs) => [nameOf(c), c.webhooks?.length ?? 0, ageOf(c, nowMs)],
    },
  });
