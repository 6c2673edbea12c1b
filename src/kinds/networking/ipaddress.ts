// IPAddress.
import type { IPAddress } from '#generated/api/networking-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const ipAddress: ResourceDefinition<IPAddress> = defineKind<IPAddress>({
  group: 'networking.k8s.io',
  resource: 'ipaddresses',
  shortNames: ['ip'],
});
