import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MetricsRegistry } from './metrics.ts';

const text = (registry: MetricsRegistry): string => [...registry.print()].join('');

describe('MetricsRegistry', () => {
  it('prints counters and gauges with help, type and escaped labels', () => {
    const registry = new MetricsRegistry();
    registry.counter('requests_total', 'Requests.', { verb: 'GET', path: 'a"b\\c\nd' }).inc(2);
    registry.gauge('depth', 'Depth.').set(1.5);
    assert.equal(
      text(registry),
      '# HELP requests_total Requests.\n# TYPE requests_total counter\nrequests_total{verb="GET",path="a\\"b\\\\c\\nd"} 2\n# HELP depth Depth.\n# TYPE depth gauge\ndepth 1.5\n',
    );
  });

  it('gives the same child for the same labels', () => {
    const registry = new MetricsRegistry();
    registry.counter('c', 'C.', { a: '1' }).inc();
    registry.counter('c', 'C.', { a: '1' }).inc();
    assert.match(text(registry), /^c\{a="1"\} 2$/m);
  });

  it('prints cumulative buckets, and counts what exceeds the last in +Inf alone', () => {
    const registry = new MetricsRegistry();
    const histogram = registry.histogram('seconds', 'S.', { op: 'x' }, [1, 2]);
    for (const value of [0.5, 1, 1.5, 99]) histogram.observe(value);
    const lines = text(registry).split('\n').slice(2, -1);
    assert.deepEqual(lines, [
      'seconds_bucket{op="x",le="1"} 2',
      'seconds_bucket{op="x",le="2"} 3',
      'seconds_bucket{op="x",le="+Inf"} 4',
      'seconds_sum{op="x"} 102',
      'seconds_count{op="x"} 4',
    ]);
  });
});
