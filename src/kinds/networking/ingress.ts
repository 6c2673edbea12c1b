// Ingress.
import type { Ingress } from '#generated/api/networking-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const ingress: ResourceDefinition<Ingress> = defineKind<Ingress>({
  group: 'networking.k8s.io',
  resource: 'ingresses',
  shortNames: ['ing'],
  storagePrefix: 'ingress',
});
