// The pod's row in `kubectl get pods`.
import type { ContainerStatus, Pod } from '#generated/api/core-v1.ts';
import { humanDuration, parseTime } from '#machinery/time.ts';
import type { TableDefinition } from '#schema/resource.ts';
import { AGE, NAME, ageOf, column, nameOf, orNone, wide } from '../../table.ts';
import { isPodReady, isPodTerminal, podCondition } from './readiness.ts';
import { isSidecar } from './requests.ts';
import { isPodInitialized, podIPsOf } from './status.ts';

export interface PodSummary {
  readonly ready: number;
  readonly total: number;
  /** The STATUS column. */
  readonly reason: string;
  readonly restarts: number;
  readonly lastRestartMs: number | undefined;
}

export const podTable: TableDefinition<Pod> = {
  columns: [
    NAME,
    column('Ready'),
    column('Status'),
    column('Restarts'),
    AGE,
    wide('IP'),
    wide('Node'),
    wide('Nominated Node'),
    wide('Readiness Gates'),
  ],
  cells: (pod, nowMs) => {
    const summary = summarizePod(pod);
    const restarts =
      summary.restarts !== 0 && summary.lastRestartMs !== undefined
        ? `${summary.restarts} (${humanDuration(nowMs - summary.lastRestartMs)} ago)`
        : `${summary.restarts}`;
    return [
      nameOf(pod),
      `${summary.ready}/${summary.total}`,
      summary.reason,
      restarts,
      ageOf(pod, nowMs),
      orNone(podIPsOf(pod)[0]),
      orNone(pod.spec?.nodeName),
      orNone(pod.status?.nominatedNodeName),
      readinessGates(pod),
    ];
  },
};

function readinessGates(pod: Pod): string {
  const gates = pod.spec?.readinessGates ?? [];
  if (gates.length === 0) return '<none>';
  const met = gates.filter((g) => podCondition(pod, g.conditionType)?.status === 'True').length;
  return `${met}/${gates.length}`;
}

/** Counts and the one word that says how the pod is. */
export function summarizePod(pod: Pod): PodSummary {
  const sidecars = new Set((pod.spec?.initContainers ?? []).filter(isSidecar).map((c) => c.name));
  let ready = 0;
  let reason = pod.status?.reason || pod.status?.phase || '';
  if (podCondition(pod, 'PodScheduled')?.reason === 'SchedulingGated') reason = 'SchedulingGated';

  const init = summarizeInit(pod, sidecars);
  ready += init.ready;
  let { restarts, lastRestartMs } = init;
  if (init.reason !== undefined) reason = init.reason;

  if (init.reason === undefined || isPodInitialized(pod)) {
    restarts = init.sidecarRestarts;
    lastRestartMs = init.sidecarLastRestartMs;
    let hasRunning = false;
    for (const status of (pod.status?.containerStatuses ?? []).toReversed()) {
      restarts += status.restartCount;
      lastRestartMs = latest(lastRestartMs, status);
      const own = containerReason(status);
      if (own !== undefined) reason = own;
      else if (status.ready && status.state?.running !== undefined) {
        hasRunning = true;
        ready += 1;
      }
    }
    // "Running" again while at least one container still runs.
    if (reason === 'Completed' && hasRunning) reason = isPodReady(pod) ? 'Running' : 'NotReady';
  }
  if (pod.metadata.deletionTimestamp !== undefined) {
    if (pod.status?.reason === 'NodeLost') reason = 'Unknown';
    else if (!isPodTerminal(pod)) reason = 'Terminating';
  }
  return { ready, total: (pod.spec?.containers?.length ?? 0) + sidecars.size, reason, restarts, lastRestartMs };
}

interface InitSummary {
  readonly ready: number;
  /** Undefined once all init containers are through. */
  readonly reason: string | undefined;
  readonly restarts: number;
  readonly lastRestartMs: number | undefined;
  readonly sidecarRestarts: number;
  readonly sidecarLastRestartMs: number | undefined;
}

function summarizeInit(pod: Pod, sidecars: ReadonlySet<string>): InitSummary {
  let ready = 0;
  let restarts = 0;
  let sidecarRestarts = 0;
  let lastRestartMs: number | undefined;
  let sidecarLastRestartMs: number | undefined;
  let reason: string | undefined;
  for (const [index, status] of (pod.status?.initContainerStatuses ?? []).entries()) {
    const sidecar = sidecars.has(status.name);
    restarts += status.restartCount;
    lastRestartMs = latest(lastRestartMs, status);
    if (sidecar) {
      sidecarRestarts += status.restartCount;
      sidecarLastRestartMs = latest(sidecarLastRestartMs, status);
    }
    const { terminated, waiting } = status.state ?? {};
    if (terminated !== undefined && terminated.exitCode === 0) continue;
    if (sidecar && status.started === true) {
      if (status.ready) ready += 1;
      continue;
    }
    if (terminated !== undefined) {
      if (terminated.reason !== undefined && terminated.reason !== '') reason = `Init:${terminated.reason}`;
      else if (terminated.signal !== undefined && terminated.signal !== 0) reason = `Init:Signal:${terminated.signal}`;
      else reason = `Init:ExitCode:${terminated.exitCode}`;
    } else if (waiting?.reason !== undefined && waiting.reason !== '' && waiting.reason !== 'PodInitializing') {
      reason = `Init:${waiting.reason}`;
    } else {
      reason = `Init:${index}/${pod.spec?.initContainers?.length ?? 0}`;
    }
    break;
  }
  return { ready, reason, restarts, lastRestartMs, sidecarRestarts, sidecarLastRestartMs };
}

function containerReason(status: ContainerStatus): string | undefined {
  const { waiting, terminated } = status.state ?? {};
  if (waiting?.reason !== undefined && waiting.reason !== '') return waiting.reason;
  if (terminated === undefined) return undefined;
  if (terminated.reason !== undefined && terminated.reason !== '') return terminated.reason;
  return terminated.signal !== undefined && terminated.signal !== 0
    ? `Signal:${terminated.signal}`
    : `ExitCode:${terminated.exitCode}`;
}

function latest(before: number | undefined, status: ContainerStatus): number | undefined {
  const finishedAt = status.lastState?.terminated?.finishedAt;
  const ms = finishedAt === undefined ? undefined : parseTime(finishedAt);
  return ms === undefined ? before : Math.max(before ?? 0, ms);
}
