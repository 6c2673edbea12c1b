// VolumeAttachment.
import type { VolumeAttachment } from '#generated/api/storage-v1.ts';
import { fieldError } from '#machinery/status.ts';
import { type Errors, immutable } from '../rules.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind, resetStatusOnCreate } from '../define.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';

export const volumeAttachment: ResourceDefinition<VolumeAttachment> = defineKind<VolumeAttachment>({
  group: 'storage.k8s.io',
  resource: 'volumeattachments',
  selectableFields: {},
  table: {
    columns: [NAME, column('Attacher'), column('PV'), column('Node'), column('Attached', 'boolean'), AGE],
    cells: (a, nowMs) => [
      nameOf(a),
      a.spec?.attacher ?? '',
      a.spec?.source?.persistentVolumeName ?? '',
      a.spec?.nodeName ?? '',
      a.status?.attached === true,
      ageOf(a, nowMs),
    ],
  },
  strategy: {
    generation: false,
    prepareForCreate: resetStatusOnCreate,
    prepareForUpdate: (a, old) => ({ ...a, status: old.status }),
    validateCreate: (a) => {
      const errors: Errors = [];
      if ((a.spec?.attacher ?? '') === '') errors.push(fieldError.required('spec.attacher'));
      if ((a.spec?.nodeName ?? '') === '') errors.push(fieldError.required('spec.nodeName'));
      const { persistentVolumeName, inlineVolumeSpec } = a.spec?.source ?? {};
      if (persistentVolumeName === undefined && inlineVolumeSpec === undefined)
        errors.push(
          fieldError.required('spec.source', 'must specify one of inlineVolumeSpec and persistentVolumeName'),
        );
      return errors;
    },
    validateUpdate: (a, old) => {
      const errors: Errors = [];
      immutable(a.spec, old.spec, 'spec', errors);
      return errors;
    },
  },
});
