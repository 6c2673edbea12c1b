// ServiceCIDR.
import type { ServiceCIDR } from '#generated/api/networking-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const serviceCIDR: ResourceDefinition<ServiceCIDR> = defineKind<ServiceCIDR>({
  group: 'networking.k8s.io',
  resource: 'servicecidrs',
});
