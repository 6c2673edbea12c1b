import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assignSlots, slotCommands, slotsFor } from './ingress-slots.ts';

const target = (n: number) => ({ ip: `10.0.0.${n}`, port: 80 });
const shown = (slots: ReturnType<typeof assignSlots>): string => slots.map((s) => s?.ip.split('.')[3] ?? '-').join('');

describe('assignSlots', () => {
  it('leaves room for a rolling update', () => {
    assert.deepEqual([0, 1, 2, 3, 6, 7, 100].map(slotsFor), [4, 4, 4, 8, 8, 16, 128]);
    assert.equal(shown(assignSlots(undefined, [target(1), target(2)])), '12--');
  });
  it('leaves endpoints where they are', () => {
    const before = assignSlots(undefined, [target(1), target(2)]);
    assert.equal(shown(assignSlots(before, [target(2), target(3)])), '-23-');
  });
  it('puts newcomers into slots that nobody just left, when there are any', () => {
    const before = assignSlots(undefined, [target(1), target(2), target(3)].slice(0, 2));
    assert.equal(shown(assignSlots(before, [target(3), target(4), target(5), target(6)])), '5634');
  });
  it('grows by itself, and does not shrink', () => {
    const before = assignSlots(undefined, [target(1)]);
    const grown = assignSlots(before, [1, 2, 3, 4, 5].map(target));
    assert.equal(grown.length, 8);
    assert.equal(shown(grown).slice(0, 1), '1');
    assert.equal(assignSlots(grown, [target(9)]).length, 8);
  });
});

describe('slotCommands', () => {
  it('lets newcomers in before it lets others go, and says nothing of those who stay', () => {
    const before = assignSlots(undefined, [target(1), target(2)]);
    const after = assignSlots(before, [target(2), target(3)]);
    assert.deepEqual(slotCommands('b', before, after), [
      'set server b/s3 addr 10.0.0.3 port 80',
      'set server b/s3 state ready',
      'set server b/s1 state maint',
    ]);
    assert.deepEqual(slotCommands('b', after, after), []);
  });
});
