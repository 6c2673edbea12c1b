// For the Job controller's tests: Jobs, and a kubelet that is told how each pod ends.
import type { Job, JobSpec } from '#generated/api/batch-v1.ts';
import type { Pod } from '#generated/api/core-v1.ts';
import { jobs, pods } from '#generated/resources.ts';
import { CONTROLLER_UID_LABEL } from '#kinds/batch/job-state.ts';
import { defaultJobSpec } from '#kinds/batch/job.ts';
import { keyOf } from '#machinery/object.ts';
import { formatTime } from '#machinery/time.ts';
import type { TestCluster } from '../runtime/testing.ts';

export function makeJob(spec: Partial<JobSpec> = {}, name = 'work'): Job {
  return {
    metadata: { name, namespace: 'default' },
    spec: defaultJobSpec({
      selector: { matchLabels: { [CONTROLLER_UID_LABEL]: name } },
      template: {
        metadata: { labels: { [CONTROLLER_UID_LABEL]: name } },
        spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'work:1' }] },
      },
      ...spec,
    }),
  };
}

/** How a pod ends: its exit code, or undefined for one that runs on. */
export type Ending = (pod: Pod) => number | undefined;

/** Plays scheduler and kubelet once: pods run, end as told, and go when they are deleted. */
export function playKubelet(cluster: TestCluster, ending: Ending): boolean {
  let moved = false;
  for (const pod of cluster.list(pods)) {
    const key = keyOf(pod);
    const ended = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
    const leaving = pod.metadata.deletionTimestamp !== undefined;
    if (leaving && (pod.metadata.deletionGracePeriodSeconds ?? 0) > 0) {
      const held = (pod.metadata.finalizers ?? []).length > 0;
      if (held)
        cluster.edit(pods, key, (p) => ({
          ...p,
          metadata: { ...p.metadata, deletionGracePeriodSeconds: 0 },
          status: { ...p.status, phase: ended ? p.status!.phase! : 'Failed' },
        }));
      else cluster.remove(pods, key);
      moved = true;
    } else if (!ended && !leaving) {
      const code = pod.status?.phase === 'Running' ? ending(pod) : undefined;
      if (pod.status?.phase === 'Running' && code === undefined) continue;
      cluster.edit(pods, key, (p) => running(p, code, formatTime(cluster.clock.now())));
      moved = true;
    }
  }
  return moved;
}

function running(pod: Pod, code: number | undefined, now: string): Pod {
  const state = code === undefined ? { running: {} } : { terminated: { exitCode: code, finishedAt: now } };
  const status = code === undefined ? 'True' : 'False';
  return {
    ...pod,
    spec: { ...pod.spec!, nodeName: pod.spec!.nodeName ?? 'node-1' },
    status: {
      ...pod.status,
      phase: code === undefined ? 'Running' : code === 0 ? 'Succeeded' : 'Failed',
      containerStatuses: [{ name: 'main', image: 'work:1', imageID: '', ready: false, restartCount: 0, state }],
      conditions: [{ type: 'Ready', status, lastTransitionTime: now }],
    },
  };
}

/** Lets the controller and the kubelet work until nothing moves any more. */
export async function playJob(cluster: TestCluster, ending: Ending): Promise<void> {
  for (let round = 0; round < 100; round++) {
    await cluster.settle(300);
    if (!playKubelet(cluster, ending)) return;
  }
  throw new Error('the job did not come to rest in 100 rounds');
}

export const theJob = (cluster: TestCluster, name = 'work'): Job => cluster.get(jobs, `default/${name}`)!;

/** Types of conditions that are True, in order. */
export const conditionsOf = (job: Job): readonly string[] =>
  (job.status?.conditions ?? []).filter((c) => c.status === 'True').map((c) => c.type);
