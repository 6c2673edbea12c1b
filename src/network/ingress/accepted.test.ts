import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { acceptedOf } from './accepted.ts';

describe('acceptedOf', () => {
  const find = async (bad: readonly number[]) => {
    let asked = 0;
    const all = Array.from({ length: 64 }, (_, i) => i);
    const { accepted, refused } = await acceptedOf(all, async (items) => {
      asked++;
      return items.some((i) => bad.includes(i)) ? 'no' : undefined;
    });
    return { accepted: accepted.length, refused: refused.map((r) => r.item), asked };
  };
  it('takes all that are good', async () => assert.deepEqual(await find([]), { accepted: 64, refused: [], asked: 1 }));
  it('finds the one that is bad with few questions', async () => {
    const { accepted, refused, asked } = await find([37]);
    assert.deepEqual([accepted, refused], [63, [37]]);
    assert.ok(asked <= 13, `${asked} questions`);
  });
  it('finds several', async () => assert.deepEqual((await find([0, 31, 63])).refused, [0, 31, 63]));
});
