// CronJob.
import type { CronJob } from '#generated/api/batch-v1.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind, statusStrategy } from '../define.ts';
import { type Errors, type Row, checkRows } from '../rules.ts';
import { AGE, NAME, ageOf, column, nameOf, since, wide } from '../table.ts';
import { containerImages, containerNames, defaultTemplate } from '../workload.ts';
import { validateJobSpec } from './job-spec.ts';
import { jobSpecWarnings, nameWarnings } from './job.ts';
import { parseSchedule } from './schedule.ts';
import { timeZone } from './time-zone.ts';

const SPEC_ROWS: readonly Row<NonNullable<CronJob['spec']>>[] = [
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
      const errors: Errors = [...validate(c, undefined)];
      if ((c.metadata.name ?? '').length > NAME_MAX)
        errors.push(
          fieldError.invalid('metadata.name', c.metadata.name, `must be no more than ${NAME_MAX} characters`),
        );
      return errors;
    },
    validateUpdate: (c, old) => validate(c, old),
    warnings: (c, old) => [
      ...(old === undefined ? nameWarnings(c.metadata.name) : []),
      ...jobSpecWarnings(c.spec?.jobTemplate?.spec, 'spec.jobTemplate.spec'),
      ...((c.spec?.schedule ?? '').includes('TZ') ? [ZONE_IN_SCHEDULE] : []),
    ],
  },
});

const ZONE_IN_SCHEDULE =
  'spec.schedule: CRON_TZ or TZ used in schedule is not officially supported, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details';

function validate(c: CronJob, old: CronJob | undefined): readonly FieldError[] {
  const errors: Errors = [];
  const { spec } = c;
  if (spec === undefined) return [fieldError.required('spec')];
  const schedule = spec.schedule ?? '';
  if (schedule === '') errors.push(fieldError.required('spec.schedule'));
  else validateSchedule(schedule, spec.timeZone, old?.spec.schedule.includes('TZ') === true, errors);
  if (spec.timeZone !== undefined && spec.timeZone !== old?.spec.timeZone) validateTimeZone(spec.timeZone, errors);
  checkRows(spec, 'spec', SPEC_ROWS, errors);
  const job = spec.jobTemplate?.spec;
  if (job === undefined) return [...errors, fieldError.required('spec.jobTemplate.spec')];
  validateJobSpec(job, 'spec.jobTemplate.spec', errors);
  if (job.selector !== undefined) {
    const detail = '`selector` will be auto-generated';
    errors.push(fieldError.invalid('spec.jobTemplate.spec.selector', job.selector, detail));
  }
  if (job.manualSelector === true)
    errors.push(fieldError.notSupported('spec.jobTemplate.spec.manualSelector', true, ['nil', 'false']));
  return errors;
}

/** A zone before the fields is for CronJobs from a time when that was accepted. */
function validateSchedule(schedule: string, zone: string | undefined, hadZone: boolean, errors: Errors): void {
  const invalid = (detail: string): void => void errors.push(fieldError.invalid('spec.schedule', schedule, detail));
  const parsed = parseSchedule(schedule);
  if ('error' in parsed) invalid(parsed.error);
  if (!schedule.includes('TZ')) return;
  if (!hadZone) invalid('cannot use TZ or CRON_TZ in schedule, use timeZone field instead');
  else if (zone !== undefined) invalid('cannot use both timeZone field and TZ or CRON_TZ in schedule');
}

/** A part of an IANA name: https://data.iana.org/time-zones/theory.html#naming, and digits for old names. */
const ZONE_PART = /^[A-Za-z.\-_0-9+]{1,14}$/;

function validateTimeZone(name: string, errors: Errors): void {
  const invalid = (detail: string): void => void errors.push(fieldError.invalid('spec.timeZone', name, detail));
  if (name === '') return invalid('timeZone must be nil or non-empty string');
  const parts = name.split('/');
  if (parts.some((part) => part === '.' || part === '..' || part.startsWith('-') || !ZONE_PART.test(part)))
    return invalid(`unknown time zone ${name}`);
  if (name.toLowerCase() === 'local')
    invalid('timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones');
  if (name !== 'Local' && timeZone(name) === undefined) invalid(`unknown time zone ${name}`);
}
