// Keeps container logs small: a log over its limit is renamed with a time stamp, the runtime opens a new one, old ones go.

import { type Clock, sleep } from '#base/clock.ts';
import type { Log } from '#base/log.ts';
import type { FileSystem } from '#host/file-system.ts';
import type { PodCache } from '../cri/pod-cache.ts';
import type { Runtime } from '../cri/runtime.ts';
import type { LogReader } from './log-reader.ts';

/** Upstream's containerLogMaxSize, containerLogMaxFiles and monitor interval. */
const MAX_BYTES = 10 * 1024 * 1024;
const MAX_FILES = 5;
const CHECK_MS = 10_000;

export interface LogRotationDeps {
  readonly runtime: Runtime;
  readonly cache: PodCache;
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly log: Log;
  readonly reader: LogReader;
}

export async function rotateLogs(deps: LogRotationDeps, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await sleep(deps.clock, CHECK_MS, signal);
      await rotateOnce(deps);
    } catch (error) {
      if (!signal.aborted) deps.log.warn('container logs were not rotated', { error });
    }
  }
}

export async function rotateOnce(deps: LogRotationDeps, maxBytes = MAX_BYTES): Promise<void> {
  const { files, runtime, cache, clock, reader } = deps;
  for (const pod of cache.all()) {
    for (const container of pod.containers) {
      if (container.state !== 'running') continue;
      const path = reader.path(pod, container.name, container.restartCount);
      const facts = files.stat(path);
      if (facts === undefined || facts.size <= maxBytes) continue;
      const folder = path.slice(0, path.lastIndexOf('/'));
      const name = path.slice(folder.length + 1);
      const stamp = new Date(clock.now())
        .toISOString()
        .replaceAll(/[-:]|\.\d+Z/g, '')
        .replace('T', '-');
      files.rename(path, `${path}.${stamp}`);
      await runtime.reopenContainerLog(container.id);
      // The current one counts among the kept.
      const old = files
        .list(folder)
        .filter((n) => n.startsWith(`${name}.`))
        .sort();
      for (const extra of old.slice(0, Math.max(0, old.length - (MAX_FILES - 1)))) files.unlink(`${folder}/${extra}`);
    }
  }
}
