// IngressClass.
import type { IngressClass } from '#generated/api/networking-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const ingressClass: ResourceDefinition<IngressClass> = defineKind<IngressClass>({
  group: 'networking.k8s.io',
  resource: 'ingressclasses',
});
