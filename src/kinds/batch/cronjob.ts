// CronJob.
import type { CronJob } from '#generated/api/batch-v1.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind, statusStrategy } from '../define.ts';
import { type Errors, type Row, checkRows } from '../rules.ts';
import { AGE, NAME, ageOf, column, nameOf, since, wide } from '../table.ts';
import { containerImages, containerNames, defaultTemplate } from '../workload.ts';
import { validateJobSpec } from './job.ts';

const SPEC_ROWS: readonly Row<NonNullable<CronJob['spec']>>[] = [
  { field: 'schedule', required: true },
  { field: 'startingDeadlineSeconds', min: 0 },
  { field: 'concurrencyPolicy', required: true },
  { field: 'concurrencyPolicy', oneOf: ['Allow', 'Forbid', 'Replace'] },
  { field: 'successfulJobsHistoryLimit', min: 0 },
  { field: 'failedJobsHistoryLimit', min: 0 },
];

/** Names get a suffix of 11 characters and must stay a label value. */
const NAME_MAX = 52;

export const cronJob: ResourceDefinition<CronJob> = defineKind<CronJob>({
  group: 'batch',
  resource: 'cronjobs',
  shortNames: ['cj'],
  categories: ['all'],
  table: {
    columns: [
      NAME,
      column('Schedule'),
      column('Timezone'),
      column('Suspend', 'boolean'),
      column('Active', 'integer'),
      column('Last Schedule'),
      AGE,
      wide('Containers'),
      wide('Images'),
      wide('Selector'),
    ],
    cells: (c, nowMs) => [
      nameOf(c),
      c.spec?.schedule ?? '',
      c.spec?.timeZone ?? '<none>',
      c.spec?.suspend === true ? 'True' : 'False',
      c.status?.active?.length ?? 0,
      c.status?.lastScheduleTime === undefined ? '<none>' : since(c.status.lastScheduleTime, nowMs),
      ageOf(c, nowMs),
      containerNames(c.spec?.jobTemplate.spec?.template.spec?.containers),
      containerImages(c.spec?.jobTemplate.spec?.template.spec?.containers),
      '<none>',
    ],
  },
  strategy: {
    ...statusStrategy,
    default: (c) => {
      const job = c.spec?.jobTemplate.spec;
      if (c.spec === undefined || job === undefined) return c;
      return {
        ...c,
        spec: {
          ...c.spec,
          jobTemplate: { ...c.spec.jobTemplate, spec: { ...job, template: defaultTemplate(job.template) } },
        },
      };
    },
    validateCreate: (c) => {
      const errors: Errors = [...validate(c)];
      if ((c.metadata.name ?? '').length > NAME_MAX)
        errors.push(
          fieldError.invalid('metadata.name', c.metadata.name, `must be no more than ${NAME_MAX} characters`),
        );
      return errors;
    },
    validateUpdate: validate,
  },
});

function validate(c: CronJob): readonly FieldError[] {
  const errors: Errors = [];
  if (c.spec === undefined) return [fieldError.required('spec')];
  checkRows(c.spec, 'spec', SPEC_ROWS, errors);
  const schedule = c.spec.schedule ?? '';
  if (/\bTZ=/.test(schedule))
    errors.push(
      fieldError.invalid('spec.schedule', schedule, 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead'),
    );
  else if (schedule !== '' && !schedule.startsWith('@')) {
    const fields = schedule.trim().split(/\s+/).length;
    if (fields !== 5)
      errors.push(
        fieldError.invalid(
          'spec.schedule',
          schedule,
          `expected exactly 5 fields, found ${fields}: [${schedule.trim().split(/\s+/).join(' ')}]`,
        ),
      );
  }
  if (c.spec.jobTemplate.spec !== undefined) validateJobSpec(c.spec.jobTemplate.spec, 'spec.jobTemplate.spec', errors);
  return errors;
}
