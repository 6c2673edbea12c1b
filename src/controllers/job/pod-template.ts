// The pods that a Job makes: its template, a finalizer until they are counted, and for Indexed Jobs the index in every place where
// programs look for it.
import type { Job } from '#generated/api/batch-v1.ts';
import type { Container, Pod } from '#generated/api/core-v1.ts';
import { jobs } from '#generated/resources.ts';
import {
  COMPLETION_INDEX,
  INDEX_FAILURE_COUNT,
  INDEX_IGNORED_FAILURE_COUNT,
  JOB_TRACKING_FINALIZER,
} from '#kinds/batch/job-state.ts';
import { withFinalizer } from '../runtime/finalizers.ts';
import { podFromTemplate } from '../runtime/pod-control.ts';
import { judgeFailure } from './failure-policy.ts';
import { ignoredIndexFailures, indexFailures } from './pods.ts';

export function podOf(job: Job): Pod {
  return withFinalizer(podFromTemplate(job.spec!.template, { object: job, ref: jobs }), JOB_TRACKING_FINALIZER);
}

/** A pod for one index; `replaced` is the failed pod whose place it takes, where failures are counted by index. */
export function podOfIndex(job: Job, index: number, replaced: Pod | undefined): Pod {
  const pod = podOf(job);
  const spec = pod.spec!;
  const annotations = { ...pod.metadata.annotations, [COMPLETION_INDEX]: `${index}` };
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      generateName: namePrefix(job.metadata.name!, index),
      labels: { ...pod.metadata.labels, [COMPLETION_INDEX]: `${index}` },
      annotations:
        job.spec!.backoffLimitPerIndex === undefined
          ? annotations
          : { ...annotations, ...failureAnnotations(job, replaced) },
    },
    spec: {
      ...spec,
      hostname: `${job.metadata.name}-${index}`,
      containers: spec.containers.map(withIndexVariable),
      ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(withIndexVariable) }),
    },
  };
}

const INDEX_VARIABLE = 'JOB_COMPLETION_INDEX';

function withIndexVariable(container: Container): Container {
  const env = container.env ?? [];
  if (env.some((e) => e.name === INDEX_VARIABLE)) return container;
  const fieldRef = { fieldPath: `metadata.labels['${COMPLETION_INDEX}']` };
  return { ...container, env: [...env, { name: INDEX_VARIABLE, valueFrom: { fieldRef } }] };
}

/** Longest prefix that leaves room for the suffix the server appends (upstream's MaxGeneratedNameLength). */
const MAX_PREFIX = 58;

function namePrefix(name: string, index: number): string {
  const tail = `-${index}-`;
  return `${name.slice(0, MAX_PREFIX - tail.length)}${tail}`;
}

function failureAnnotations(job: Job, replaced: Pod | undefined): Readonly<Record<string, string>> {
  if (replaced === undefined) return { [INDEX_FAILURE_COUNT]: '0' };
  const { counts } = judgeFailure(job.spec!.podFailurePolicy, replaced);
  const failures = indexFailures(replaced) + (counts ? 1 : 0);
  const ignored = ignoredIndexFailures(replaced) + (counts ? 0 : 1);
  return {
    [INDEX_FAILURE_COUNT]: `${failures}`,
    ...(ignored > 0 ? { [INDEX_IGNORED_FAILURE_COUNT]: `${ignored}` } : {}),
  };
}
