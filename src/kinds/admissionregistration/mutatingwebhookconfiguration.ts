// MutatingWebhookConfiguration.
import type { MutatingWebhookConfiguration } from '#generated/api/admissionregistration-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';
import { validateWebhooks } from './webhooks.ts';

export const mutatingWebhookConfiguration: ResourceDefinition<MutatingWebhookConfiguration> =
  defineKind<MutatingWebhookConfiguration>({
    group: 'admissionregistration.k8s.io',
    resource: 'mutatingwebhookconfigurations',
    strategy: { generation: true, validateCreate: validateWebhooks, validateUpdate: validateWebhooks },
    categories: ['api-extensions'],
    table: {
      columns: [NAME, column('Webhooks', 'integer'), AGE],
      cells: (c, nowMs) => [nameOf(c), c.webhooks?.length ?? 0, ageOf(c, nowMs)],
    },
  });
