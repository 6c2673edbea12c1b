// PodTemplate.
import type { PodTemplate } from '#generated/api/core-v1.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import type { Errors } from '../rules.ts';
import { NAME, column, labelsText, nameOf } from '../table.ts';
import { containerImages, containerNames, defaultTemplate } from '../workload.ts';
import { validatePodTemplateSpec } from './pod/validate-spec.ts';

const validate = (t: PodTemplate): Errors => {
  const errors: Errors = [];
  if (t.template !== undefined) validatePodTemplateSpec(t.template, 'template', errors);
  return errors;
};

export const podTemplate: ResourceDefinition<PodTemplate> = defineKind<PodTemplate>({
  resource: 'podtemplates',
  table: {
    columns: [NAME, column('Containers'), column('Images'), column('Pod Labels')],
    cells: (t) => [
      nameOf(t),
      containerNames(t.template?.spec?.containers),
      containerImages(t.template?.spec?.containers),
      labelsText(t.template?.metadata?.labels),
    ],
  },
  strategy: {
    generation: true,
    default: (t) => (t.template === undefined ? t : { ...t, template: defaultTemplate(t.template) }),
    validateCreate: validate,
    validateUpdate: validate,
  },
});
