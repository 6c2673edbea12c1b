import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Elements } from './elements.ts';

const el = (key: string, value = '1') => ({ set: 's', key, value });

describe('Elements', () => {
  it('tells only differences', () => {
    const elements = new Elements('t');
    elements.replace('a', [el('x'), el('y')]);
    assert.deepEqual(elements.take(), { table: 't', remove: [], add: [el('x'), el('y')] });
    elements.replace('a', [el('x'), el('y', '2')]);
    assert.deepEqual(elements.take(), { table: 't', remove: [el('y')], add: [el('y', '2')] });
    elements.replace('a', [el('x'), el('y', '2')]);
    assert.equal(elements.pending, false);
  });

  it('lets the first owner win until it lets go', () => {
    const elements = new Elements('t');
    elements.replace('older', [el('x', '1')]);
    elements.replace('newer', [el('x', '2')]);
    assert.deepEqual(elements.take().add, [el('x', '1')]);
    elements.replace('older', []);
    assert.deepEqual(elements.take(), { table: 't', remove: [el('x', '1')], add: [el('x', '2')] });
  });

  it('says nothing of what came and went in between', () => {
    const elements = new Elements('t');
    elements.replace('a', [el('x')]);
    elements.replace('a', []);
    assert.deepEqual(elements.take(), { table: 't', remove: [], add: [] });
    assert.equal(elements.size, 0);
  });

  it('keeps a kernel that applies every transaction equal to what is wanted', () => {
    const owner = fc.constantFrom('a', 'b', 'c');
    const list = fc.uniqueArray(fc.record({ key: fc.constantFrom('x', 'y', 'z'), value: fc.constantFrom('1', '2') }), {
      selector: (e) => e.key,
    });
    fc.assert(
      fc.property(fc.array(fc.record({ owner, list, flush: fc.boolean() })), (steps) => {
        const elements = new Elements('t');
        const kernel = new Map<string, string>();
        const flush = () => {
          const { remove, add } = elements.take();
          for (const e of remove) {
            assert.equal(kernel.get(e.key), e.value);
            kernel.delete(e.key);
          }
          for (const e of add) {
            assert.equal(kernel.has(e.key), false);
            kernel.set(e.key, e.value);
          }
        };
        for (const step of steps) {
          elements.replace(
            step.owner,
            step.list.map((e) => el(e.key, e.value)),
          );
          if (step.flush) flush();
        }
        flush();
        assert.deepEqual(new Map(elements.all().map((e) => [e.key, e.value])), kernel);
      }),
    );
  });
});
