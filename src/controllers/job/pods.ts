// What the Job controller reads from one pod: whether it failed, when it ended, which index it works on, what it still holds.
import type { JobSpec } from '#generated/api/batch-v1.ts';
import type { Pod } from '#generated/api/core-v1.ts';
import {
  COMPLETION_INDEX,
  INDEX_FAILURE_COUNT,
  INDEX_IGNORED_FAILURE_COUNT,
  JOB_TRACKING_FINALIZER,
  isIndexed,
  replacesOnlyEnded,
} from '#kinds/batch/job-state.ts';
import { podCondition } from '#kinds/core/pod/readiness.ts';
import { parseTime } from '#machinery/time.ts';

export const isTracked = (pod: Pod): boolean => pod.metadata.finalizers?.includes(JOB_TRACKING_FINALIZER) === true;

/** A pod on its way out counts as failed at once, unless it is to be replaced only when it has ended. */
export function isPodFailed(pod: Pod, spec: JobSpec): boolean {
  if (pod.status?.phase === 'Failed') return true;
  if (replacesOnlyEnded(spec)) return false;
  return pod.metadata.deletionTimestamp !== undefined && pod.status?.phase !== 'Succeeded';
}

/** The index a pod works on; undefined when it has none that can be read. */
export function completionIndexOf(pod: Pod): number | undefined {
  const text = pod.metadata.annotations?.[COMPLETION_INDEX];
  return text !== undefined && /^\+?\d+$/.test(text) ? Number(text) : undefined;
}

/** Whether a pod can count for the Job: always, but in an Indexed Job only with an index that the Job has. */
export function hasValidIndex(pod: Pod, spec: JobSpec): boolean {
  if (!isIndexed(spec)) return true;
  const index = completionIndexOf(pod);
  return index !== undefined && index < spec.completions!;
}

const INT32_MAX = 2 ** 31 - 1;

/** Failures of the pod's index before this pod, as its annotations carry them on. */
export const indexFailures = (pod: Pod): number => countIn(pod, INDEX_FAILURE_COUNT);
export const ignoredIndexFailures = (pod: Pod): number => countIn(pod, INDEX_IGNORED_FAILURE_COUNT);

function countIn(pod: Pod, annotation: string): number {
  const text = pod.metadata.annotations?.[annotation] ?? '';
  const value = /^\+?\d+$/.test(text) ? Number(text) : 0;
  return value > INT32_MAX ? 0 : value;
}

/** When the pod ended: its last container's end, or the best other sign of it. */
export function finishedAtMs(pod: Pod): number {
  const { metadata, status } = pod;
  const ends = (status?.containerStatuses ?? []).map((c) => parseTime(c.state?.terminated?.finishedAt ?? ''));
  if (ends.length > 0 && ends.every((ms) => ms !== undefined)) return Math.max(...ends);
  const ready = podCondition(pod, 'Ready');
  const unready = ready?.status === 'False' ? parseTime(ready.lastTransitionTime ?? '') : undefined;
  if (unready !== undefined) return unready;
  const deletion = parseTime(metadata.deletionTimestamp ?? '');
  if (deletion !== undefined) return deletion - (metadata.deletionGracePeriodSeconds ?? 0) * 1000;
  return parseTime(metadata.creationTimestamp ?? '') ?? 0;
}
