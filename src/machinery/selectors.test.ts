import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  formatFieldSelector,
  formatLabelMatcher,
  formatLabelSelector,
  matcherOf,
  matchesFields,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
  SelectorError,
} from './selectors.ts';

describe('parseLabelSelector', () => {
  const table: readonly (readonly [string, Record<string, string>, boolean])[] = [
    ['', { a: '1' }, true],
    ['a=1', { a: '1' }, true],
    ['a==1', { a: '2' }, false],
    ['a!=1', {}, true],
    ['a', { a: '' }, true],
    ['!a', { a: '' }, false],
    ['! a', {}, true],
    ['a in (1,2)', { a: '2' }, true],
    ['a in (1, 2),b', { a: '2' }, false],
    ['a notin (1)', {}, true],
    ['a in ()', { a: '' }, true],
    ['a=', { a: '' }, true],
    ['a=,b=1', { a: '', b: '1' }, true],
    ['a>5', { a: '6' }, true],
    ['a<5', { a: '6' }, false],
    ['in in (in)', { in: 'in' }, true],
    ['example.com/role=db', { 'example.com/role': 'db' }, true],
    ['constructor', {}, false],
  ];
  for (const [text, labels, want] of table) {
    it(`${JSON.stringify(text)} ${want ? 'matches' : 'does not match'} ${JSON.stringify(labels)}`, () =>
      assert.equal(matchesLabels(parseLabelSelector(text), labels), want));
  }

  const bad: readonly (readonly [string, RegExp])[] = [
    ['a=b=c', /unable to parse requirement: found '=', expected: ',' or 'end of string'/],
    [',', /found ',', expected: !, identifier, or 'end of string'/],
    ['a,', /found '', expected: identifier after ','/],
    ['a in 1', /found '1' expected: '\('/],
    ['a>x', /for 'Gt', 'Lt' operators, the value must be an integer/],
    ['-a=1', /name part must consist of alphanumeric/],
    ['a=b!', /expected/],
  ];
  for (const [text, message] of bad) {
    it(`refuses ${JSON.stringify(text)}`, () =>
      assert.throws(
        () => parseLabelSelector(text),
        (e) => e instanceof SelectorError && message.test(e.message),
      ));
  }

  it('is written back sorted by key', () => {
    assert.equal(formatLabelMatcher(parseLabelSelector('b,a in (y,x),!c,d!=1')), 'a in (x,y),b,!c,d!=1');
  });
});

describe('matcherOf', () => {
  it('selects nothing without selector and everything with an empty one', () => {
    assert.equal(matchesLabels(matcherOf(undefined), {}), false);
    assert.equal(matchesLabels(matcherOf({}), {}), true);
  });
  it('needs all of labels and expressions', () => {
    const matcher = matcherOf({ matchLabels: { a: '1' }, matchExpressions: [{ key: 'b', operator: 'DoesNotExist' }] });
    assert.equal(matchesLabels(matcher, { a: '1' }), true);
    assert.equal(matchesLabels(matcher, { a: '1', b: '' }), false);
  });
});

describe('formatLabelSelector', () => {
  it('writes labels as pairs', () => assert.equal(formatLabelSelector({ matchLabels: { b: '2', a: '1' } }), 'a=1,b=2'));
  it('writes <none> for nothing', () => assert.equal(formatLabelSelector(undefined), '<none>'));
});

describe('parseFieldSelector', () => {
  it('reads equalities and inequalities, escapes included', () => {
    const parsed = parseFieldSelector('spec.nodeName=n1,status.phase!=Failed,a==x\\,y');
    assert.deepEqual(
      parsed.map((r) => [r.field, r.operator, r.value]),
      [
        ['spec.nodeName', '=', 'n1'],
        ['status.phase', '!=', 'Failed'],
        ['a', '=', 'x,y'],
      ],
    );
    assert.equal(formatFieldSelector(parsed), 'spec.nodeName=n1,status.phase!=Failed,a=x\\,y');
  });
  it('refuses what has no operator', () =>
    assert.throws(() => parseFieldSelector('foo'), /invalid selector: 'foo'; can't understand 'foo'/));
  it('matches by what is read', () => {
    assert.equal(
      matchesFields(parseFieldSelector('a=1,b!=2'), (f) => (f === 'a' ? '1' : '')),
      true,
    );
    assert.equal(
      matchesFields(parseFieldSelector('a=1'), () => ''),
      false,
    );
  });
});
