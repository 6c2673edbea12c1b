// ValidatingWebhookConfiguration.
import type { ValidatingWebhookConfiguration } from '#generated/api/admissionregistration-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const validatingWebhookConfiguration: ResourceDefinition<ValidatingWebhookConfiguration> = defineKind<ValidatingWebhookConfiguration>({
  group: 'admissionregistration.k8s.io',
  resource: 'validatingwebhookconfigurations',
  categories: ['api-extensions'],
});
