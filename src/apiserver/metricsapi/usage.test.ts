import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SteppedClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { UsageCollector } from './collector.ts';
import { parseResourceMetrics } from './exposition.ts';
import { usageBetween, usageOf } from './usage.ts';

interface Sample {
  readonly container: string;
  readonly cpu: number;
  readonly memory?: number;
  readonly start?: number;
}

/** What a kubelet prints at `at` seconds. */
const text = (at: number, samples: readonly Sample[], node?: number): string =>
  [
    '# HELP container_cpu_usage_seconds_total [STABLE] words',
    ...samples.flatMap(({ container, cpu, memory = 4096, start = 1 }) => {
      const labels = `{container="${container}",namespace="d",pod="p"}`;
      return [
        `container_cpu_usage_seconds_total${labels} ${cpu} ${at * 1000}`,
        `container_memory_working_set_bytes${labels} ${memory} ${at * 1000}`,
        `container_start_time_seconds${labels} ${start}`,
      ];
    }),
    ...(node === undefined
      ? []
      : [`node_cpu_usage_seconds_total ${node} ${at * 1000}`, `node_memory_working_set_bytes 1048576 ${at * 1000}`]),
    'resource_scrape_error 0',
    '',
  ].join('\n');

const between = (a: string, b: string) => usageBetween(parseResourceMetrics(a, 0), parseResourceMetrics(b, 0));
const podOf = (a: string, b: string) => between(a, b).pods.get('d/p');

describe('usageBetween', () => {
  it('divides what was used by the time between the readings', () => {
    const { node, pods } = between(
      text(100, [{ container: 'c', cpu: 5 }], 50),
      text(110, [{ container: 'c', cpu: 7.5 }], 54),
    );
    const { containers, windowMs } = pods.get('d/p')!;
    assert.equal(windowMs, 10_000);
    assert.deepEqual(usageOf(containers[0]!.measured), { cpu: '250m', memory: '4Ki' });
    assert.deepEqual(usageOf(node!), { cpu: '400m', memory: '1Mi' });
  });

  it('measures a container that began in between from its start', () => {
    const pod = podOf(text(100, []), text(110, [{ container: 'c', cpu: 4, start: 108 }]));
    assert.deepEqual([pod!.windowMs, pod!.containers[0]!.measured.nanoCores], [2_000, 2e9]);
  });

  for (const [condition, before, after] of [
    ['the container was started again', [{ container: 'c', cpu: 9 }], [{ container: 'c', cpu: 1, start: 109.9 }]],
    ['the counter went back', [{ container: 'c', cpu: 9 }], [{ container: 'c', cpu: 1 }]],
    ['nothing is known of an old container before', [], [{ container: 'c', cpu: 9 }]],
    [
      'one of two containers is missing',
      [{ container: 'c', cpu: 1 }],
      [
        { container: 'c', cpu: 2 },
        { container: 'd', cpu: 2 },
      ],
    ],
    ['a container uses no memory at all', [{ container: 'c', cpu: 1 }], [{ container: 'c', cpu: 2, memory: 0 }]],
  ] as const) {
    it(`says nothing of a pod when ${condition}`, () => {
      const at = (list: readonly Sample[]) => list.map((s) => ({ start: 0, ...s }));
      assert.equal(podOf(text(100, at(before)), text(110, at(after))), undefined);
    });
  }
});

describe('usageOf', () => {
  it('prints nanocores and kibibytes where nothing rounder fits', () => {
    assert.deepEqual(usageOf({ nanoCores: 1_234_567, memoryBytes: 20 * 1024 }), { cpu: '1234567n', memory: '20Ki' });
    assert.deepEqual(usageOf({ nanoCores: 0, memoryBytes: 1000 }), { cpu: '0', memory: '1k' });
  });
});

describe('UsageCollector', () => {
  const collecting = (scrape?: (node: string) => Promise<string>) => {
    const clock = new SteppedClock();
    let scrapes = 0;
    const collector = new UsageCollector({
      clock,
      log: silentLog,
      scrape: async (node) => {
        scrapes++;
        // Half a core all the time.
        return scrape?.(node) ?? text(clock.now() / 1000, [{ container: 'c', cpu: 10 + clock.monotonic() / 2000 }], 1);
      },
    });
    const ask = async () => {
      const asking = collector.usage(['n']);
      await clock.step(6_000);
      return (await asking).get('n')?.pods.get('d/p');
    };
    return { clock, ask, scrapes: () => scrapes };
  };

  it('reads twice at first, then once, and not at all for an answer it has', async () => {
    const { clock, ask, scrapes } = collecting();
    assert.equal((await ask())!.windowMs, 1_000);
    assert.equal(scrapes(), 2);
    await clock.step(9_000);
    const later = await ask();
    assert.deepEqual([later!.windowMs, later!.containers[0]!.measured.nanoCores], [14_000, 5e8]);
    assert.equal(scrapes(), 3);
  });

  it('begins anew after a long silence', async () => {
    const { clock, ask, scrapes } = collecting();
    await ask();
    await clock.step(3_600_000);
    assert.equal((await ask())!.windowMs, 1_000);
    assert.equal(scrapes(), 4);
  });

  it('goes on without a node that does not answer', async () => {
    const { ask } = collecting(() => new Promise(() => {}));
    assert.equal(await ask(), undefined);
  });

  it('asks once for many who want to know', async () => {
    const { ask, scrapes } = collecting();
    const [a, b] = await Promise.all([ask(), ask()]);
    assert.equal(a, b);
    assert.equal(scrapes(), 2);
  });
});
