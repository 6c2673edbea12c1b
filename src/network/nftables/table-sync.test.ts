import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SteppedClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { MetricsRegistry } from '#base/metrics.ts';
import { Elements } from '#netmodel/elements.ts';
import type { ElementChanges, Table } from '#netmodel/rules.ts';
import { FakeNft } from './fake-nft.ts';
import { TableSync } from './table-sync.ts';

const table: Table = { name: 't', sets: [{ name: 's', key: ['mark'] }], chains: [] };
const el = (n: number) => ({ set: 's', key: String(n), value: '' });
const signal = new AbortController().signal;

/** A kernel whose transactions end when told to. */
class SlowNft extends FakeNft {
  inFlight = 0;
  mostInFlight = 0;
  readonly release: (() => void)[] = [];
  override async change(changes: ElementChanges): Promise<void> {
    this.mostInFlight = Math.max(this.mostInFlight, ++this.inFlight);
    await new Promise<void>((resolve) => this.release.push(resolve));
    this.inFlight--;
    await super.change(changes);
  }
}

async function setUp<N extends FakeNft>(nft: N) {
  const clock = new SteppedClock();
  const elements = new Elements('t');
  const sync = new TableSync({
    nft,
    elements,
    table: () => table,
    prepare: () => {},
    clock,
    log: silentLog,
    metrics: new MetricsRegistry(),
  });
  elements.replace('a', [el(1)]);
  const started = sync.start(signal);
  await clock.step(10);
  await started;
  return { clock, elements, sync, nft };
}

const keys = (nft: FakeNft) =>
  nft
    .elements('t')
    .map((e) => e.key)
    .sort();

describe('TableSync', () => {
  it('writes nothing before it is started, then everything at once', async () => {
    const { nft } = await setUp(new FakeNft());
    assert.deepEqual(keys(nft), ['1']);
    assert.equal(nft.changes.length, 0, 'the load is one transaction of its own');
  });

  it('gathers changes of a moment into one transaction', async () => {
    const { nft, sync, elements, clock } = await setUp(new FakeNft());
    for (let n = 2; n < 6; n++) {
      elements.replace(`o${n}`, [el(n)]);
      sync.poke();
    }
    await clock.step(10);
    assert.equal(nft.changes.length, 1);
    assert.equal(keys(nft).length, 5);
  });

  it('keeps one transaction in flight and resolves each waiter with its own change', async () => {
    const { nft, sync, elements, clock } = await setUp(new SlowNft());
    const done: number[] = [];
    const add = (n: number) => {
      elements.replace(`o${n}`, [el(n)]);
      void sync.inForce(signal).then(() => done.push(n));
    };
    add(2);
    await clock.step(5);
    add(3);
    await clock.step(5);
    assert.deepEqual([nft.inFlight, done], [1, []]);
    nft.release.shift()!();
    await clock.step(5);
    assert.deepEqual(done, [2]);
    nft.release.shift()!();
    await clock.step(5);
    assert.deepEqual([done, nft.mostInFlight, keys(nft)], [[2, 3], 1, ['1', '2', '3']]);
  });

  it('loads the table anew after a refusal, backing off while refusals go on', async () => {
    const { nft, sync, elements, clock } = await setUp(new FakeNft());
    nft.failNext = new Error('no');
    elements.replace('b', [el(2)]);
    sync.poke();
    await clock.step(50);
    assert.deepEqual(keys(nft), ['1']);
    nft.failNext = new Error('still no');
    await clock.step(100);
    assert.deepEqual(keys(nft), ['1']);
    await clock.step(200);
    assert.deepEqual(keys(nft), ['1', '2']);
  });

  it('writes nothing any more once stopped', async () => {
    const { nft, sync, elements, clock } = await setUp(new FakeNft());
    elements.replace('b', [el(2)]);
    sync.poke();
    sync.stop();
    await clock.step(50);
    assert.deepEqual(keys(nft), ['1']);
  });
});
