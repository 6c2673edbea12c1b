// StorageVersionMigration.
import type { StorageVersionMigration } from '#generated/api/storagemigration-v1beta1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const storageVersionMigration: ResourceDefinition<StorageVersionMigration> = defineKind<StorageVersionMigration>(
  {
    group: 'storagemigration.k8s.io',
    resource: 'storageversionmigrations',
    strategy: { generation: false },
  },
);
