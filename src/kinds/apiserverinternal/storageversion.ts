// StorageVersion.
import type { StorageVersion } from '#generated/api/apiserverinternal-v1alpha1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const storageVersion: ResourceDefinition<StorageVersion> = defineKind<StorageVersion>({
  group: 'internal.apiserver.k8s.io',
  resource: 'storageversions',
  strategy: { generation: false },
});
