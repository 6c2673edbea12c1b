// What controllers, rules and tools ask of a Job: its labels and annotations, whether it is finished, what mode it is in.
import type { Job, JobCondition, JobSpec } from '#generated/api/batch-v1.ts';
import { isConditionTrue } from '#machinery/conditions.ts';

export const CONTROLLER_UID_LABEL = 'batch.kubernetes.io/controller-uid';
export const LEGACY_CONTROLLER_UID_LABEL = 'controller-uid';
export const JOB_NAME_LABEL = 'batch.kubernetes.io/job-name';
export const LEGACY_JOB_NAME_LABEL = 'job-name';
/** Annotation and label of a pod: which part of an Indexed Job it works on. */
export const COMPLETION_INDEX = 'batch.kubernetes.io/job-completion-index';
/** Annotations of a pod: failures of its index so far, counted ones and ignored ones. */
export const INDEX_FAILURE_COUNT = 'batch.kubernetes.io/job-index-failure-count';
export const INDEX_IGNORED_FAILURE_COUNT = 'batch.kubernetes.io/job-index-ignored-failure-count';
/** Finalizer of a Job's pod: it may not go before its end is counted. */
export const JOB_TRACKING_FINALIZER = 'batch.kubernetes.io/job-tracking';
/** Annotation of a CronJob's Job: RFC 3339, in the CronJob's time zone. */
export const SCHEDULED_TIMESTAMP = 'batch.kubernetes.io/cronjob-scheduled-timestamp';
/** spec.managedBy of a Job that the built-in controller looks after. */
export const JOB_CONTROLLER_NAME = 'kubernetes.io/job-controller';

export const isIndexed = (spec: JobSpec | undefined): boolean => spec?.completionMode === 'Indexed';

export const isSuspended = (job: Job): boolean => job.spec?.suspend === true;

export const isJobConditionTrue = (job: Job, type: string): boolean => isConditionTrue(job.status?.conditions, type);

/** The condition by which the Job is finished: Complete or Failed. */
export function finishedCondition(job: Job): JobCondition | undefined {
  return job.status?.conditions?.find((c) => (c.type === 'Complete' || c.type === 'Failed') && c.status === 'True');
}

export const isJobFinished = (job: Job): boolean => finishedCondition(job) !== undefined;

/** Someone else's: the built-in controller leaves the Job and its pods alone. */
export const isManagedElsewhere = (job: Job): boolean =>
  job.spec?.managedBy !== undefined && job.spec.managedBy !== JOB_CONTROLLER_NAME;

/** A pod that is on its way out is replaced only once it has ended. */
export const replacesOnlyEnded = (spec: JobSpec): boolean =>
  spec.podReplacementPolicy === 'Failed' || spec.podFailurePolicy !== undefined;
