import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { MetricsRegistry } from '#base/metrics.ts';
import { observeEventLoop } from './event-loop-metrics.ts';

describe('observeEventLoop', () => {
  it('shows how long the loop was blocked, once', async () => {
    const metrics = new MetricsRegistry();
    observeEventLoop(metrics);
    const max = () => Number(/^nodejs_eventloop_lag_max_seconds (\S+)$/m.exec([...metrics.print()].join(''))![1]);
    max();
    await wait(30);
    const until = performance.now() + 120;
    while (performance.now() < until);
    await wait(30);
    const blocked = max();
    assert.ok(blocked > 0.08, String(blocked));
    await wait(30);
    assert.ok(max() < blocked);
  });
});
