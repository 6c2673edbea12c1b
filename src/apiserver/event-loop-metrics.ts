// How long this thread's event loop kept others waiting since the last scrape, under the names Node's Prometheus client made
// usual. Nothing here may run longer than 5 ms without yielding: this is where one sees it.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { MetricsRegistry } from '#base/metrics.ts';

/** Milliseconds between samples. */
const RESOLUTION_MS = 10;

export function observeEventLoop(metrics: MetricsRegistry): void {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  const gauge = (name: string, what: string) =>
    metrics.gauge(`nodejs_eventloop_lag_${name}_seconds`, `${what} of the recorded event loop delays.`);
  const rows = [
    [gauge('mean', 'The mean'), () => delay.mean],
    [gauge('max', 'The maximum'), () => delay.max],
    [gauge('p50', 'The 50th percentile'), () => delay.percentile(50)],
    [gauge('p99', 'The 99th percentile'), () => delay.percentile(99)],
  ] as const;
  metrics.beforePrint(() => {
    // The histogram holds the whole time between samples: what exceeds their distance is delay.
    for (const [row, read] of rows) row.set(Math.max(0, (delay.count === 0 ? 0 : read()) / 1e9 - RESOLUTION_MS / 1e3));
    delay.reset();
  });
}
