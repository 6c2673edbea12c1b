// NetworkPolicy.
import type { NetworkPolicy } from '#generated/api/networking-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const networkPolicy: ResourceDefinition<NetworkPolicy> = defineKind<NetworkPolicy>({
  group: 'networking.k8s.io',
  resource: 'networkpolicies',
  shortNames: ['netpol'],
});
