// MutatingWebhookConfiguration.
import type { MutatingWebhookConfiguration } from '#generated/api/admissionregistration-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const mutatingWebhookConfiguration: ResourceDefinition<MutatingWebhookConfiguration> = defineKind<MutatingWebhookConfiguration>({
  group: 'admissionregistration.k8s.io',
  resource: 'mutatingwebhookconfigurations',
  categories: ['api-extensions'],
});
