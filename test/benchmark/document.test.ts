import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { circumstancesText, comparisonTable, plainTable, replaceSection } from './document.ts';

describe('replaceSection', () => {
  const document = 'before\n<!-- api -->\n\nold\n\n<!-- end of api -->\nafter\n<!-- start --><!-- end of start -->\n';
  it('changes what stands between the marks and nothing else, as often as it is done', () => {
    const once = replaceSection(document, 'api', 'new');
    assert.equal(once, document.replace('old', 'new'));
    assert.equal(replaceSection(once, 'api', 'new'), once);
  });
  it('refuses a document without the marks', () => assert.throws(() => replaceSection(document, 'pods', 'new')));
});

describe('comparisonTable', () => {
  it('has a row for each figure', () => {
    const text = comparisonTable([{ what: 'get', unit: '/s', coracle: [{ value: 200 }], reference: [{ value: 100 }] }]);
    assert.equal(text.split('\n').at(-1), '| get | 200/s | 100/s | 2.00 × |  |  |  |');
    assert.equal(text.split('\n').length, 3);
  });
});

describe('plainTable', () => {
  it('has the first value in a column of its own', () => {
    assert.match(plainTable([{ what: 'up', values: ['1 s', 'ratio 2', 'x'] }]), /\| up \| 1 s \| ratio 2, x \|$/);
  });
});

describe('circumstancesText', () => {
  it('says when, what, where and how busy the machine was', () => {
    const text = circumstancesText({
      date: '2026-01-02',
      commit: 'abc',
      machine: '2 CPUs',
      rounds: 3,
      loadBefore: 0.52,
      loadAfter: 2,
      ceiling: { perSecond: 17_714.5, cpuMicros: 29.2 },
    });
    assert.equal(
      text,
      '2026-01-02, commit abc, 2 CPUs; 3 rounds, load average 0.5 before, 2.0 at the end. Against a server that does nothing the load generator makes 17,715 requests a second, at 29 µs of its own processor time each.',
    );
  });
});
