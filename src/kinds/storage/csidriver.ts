// CSIDriver.
import type { CSIDriver } from '#generated/api/storage-v1.ts';
import { immutable, sameJson, type Errors } from '../rules.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';

export const csiDriver: ResourceDefinition<CSIDriver> = defineKind<CSIDriver>({
  group: 'storage.k8s.io',
  resource: 'csidrivers',
  table: {
    columns: [
      NAME,
      column('AttachRequired', 'boolean'),
      column('PodInfoOnMount', 'boolean'),
      column('StorageCapacity', 'boolean'),
      column('TokenRequests'),
      column('RequiresRepublish', 'boolean'),
      column('Modes'),
      AGE,
    ],
    cells: (d, nowMs) => [
      nameOf(d),
      d.spec?.attachRequired ?? true,
      d.spec?.podInfoOnMount ?? false,
      d.spec?.storageCapacity ?? false,
      (d.spec?.tokenRequests ?? []).map((t) => t.audience).join(',') || '<unset>',
      d.spec?.requiresRepublish ?? false,
      (d.spec?.volumeLifecycleModes ?? []).join(',') || '<none>',
      ageOf(d, nowMs),
    ],
  },
  strategy: {
    // Counted by changes only, so that a new one has none.
    generation: false,
    warnings: (d, old) =>
      old === undefined &&
      (d.spec?.tokenRequests ?? []).length > 0 &&
      d.spec?.serviceAccountTokenInSecrets === undefined
        ? [
            'spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes',
          ]
        : [],
    prepareForUpdate: (d, old) => ({
      ...d,
      metadata: {
        ...d.metadata,
        generation: sameJson(d.spec, old.spec) ? old.metadata.generation : (old.metadata.generation ?? 0) + 1,
      },
    }),
    validateUpdate: (d, old) => {
      const errors: Errors = [];
      immutable(d.spec?.attachRequired, old.spec?.attachRequired, 'spec.attachedRequired', errors);
      immutable(d.spec?.volumeLifecycleModes, old.spec?.volumeLifecycleModes, 'spec.volumeLifecycleModes', errors);
      return errors;
    },
  },
});
