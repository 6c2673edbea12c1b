import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { itemLength, layoutOf, splice, spliceItem, splicedLength } from './splice.ts';

function spliced(json: string, apiVersion: string | undefined, revision: number): string {
  const stored = Buffer.from(json);
  const layout = layoutOf(stored);
  const out = Buffer.alloc(splicedLength(stored, layout, apiVersion, revision));
  assert.equal(splice(out, 0, stored, layout, apiVersion, revision), out.length);
  return out.toString();
}

describe('splice', () => {
  const cases: [string, string, string | undefined, string][] = [
    [
      'puts resourceVersion behind uid, as upstream',
      '{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","namespace":"b","uid":"c","generation":1},"spec":{}}',
      undefined,
      '{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","namespace":"b","uid":"c","resourceVersion":"17","generation":1},"spec":{}}',
    ],
    [
      'stands last where nothing follows',
      '{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"}}',
      undefined,
      '{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","resourceVersion":"17"}}',
    ],
    [
      'stands first where nothing comes before',
      '{"kind":"Pod","apiVersion":"v1","metadata":{"labels":{"uid":"x"}}}',
      undefined,
      '{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"17","labels":{"uid":"x"}}}',
    ],
    [
      'fills empty metadata',
      '{"kind":"Pod","apiVersion":"v1","metadata":{}}',
      undefined,
      '{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"17"}}',
    ],
    [
      'replaces apiVersion by a longer one',
      '{"kind":"Event","apiVersion":"v1","metadata":{"name":"a"}}',
      'events.k8s.io/v1',
      '{"kind":"Event","apiVersion":"events.k8s.io/v1","metadata":{"name":"a","resourceVersion":"17"}}',
    ],
    [
      'keeps the sorted order of custom resources',
      '{"apiVersion":"x.io/v1","kind":"X","metadata":{"annotations":{"a":"}\\"{"},"name":"ä","uid":"u"},"spec":1}',
      'x.io/v2',
      '{"apiVersion":"x.io/v2","kind":"X","metadata":{"annotations":{"a":"}\\"{"},"name":"ä","resourceVersion":"17","uid":"u"},"spec":1}',
    ],
    [
      'finds metadata behind other members, and apiVersion behind metadata',
      '{"kind":"X","spec":{"metadata":{"name":"no"},"l":[1,{"a":"]"}]},"metadata":{"name":"a"},"apiVersion":"v1"}',
      'v2',
      '{"kind":"X","spec":{"metadata":{"name":"no"},"l":[1,{"a":"]"}]},"metadata":{"name":"a","resourceVersion":"17"},"apiVersion":"v2"}',
    ],
  ];
  for (const [title, stored, apiVersion, expected] of cases) {
    it(title, () => assert.equal(spliced(stored, apiVersion, 17), expected));
  }

  it('refuses what is not an object with metadata', () => {
    for (const bad of ['', 'x', '{}', '{"kind":"Pod"', '{"metadata":1}'])
      assert.throws(() => layoutOf(Buffer.from(bad)), SyntaxError);
  });
});

describe('spliceItem', () => {
  const spliced = (json: string, revision = 7): string => {
    const stored = Buffer.from(json);
    const layout = layoutOf(stored);
    const out = Buffer.alloc(itemLength(stored, layout, 'v1', revision));
    assert.equal(spliceItem(out, 0, stored, layout, 'v1', revision), out.length);
    return out.toString();
  };
  it('leaves out what the list says already', () => {
    assert.equal(
      spliced('{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","labels":{}},"spec":{}}'),
      '{"metadata":{"name":"a","resourceVersion":"7","labels":{}},"spec":{}}',
    );
  });
  it('keeps it in custom resources', () => {
    assert.equal(
      spliced('{"apiVersion":"v1","kind":"Thing","metadata":{"name":"a"}}'),
      '{"apiVersion":"v1","kind":"Thing","metadata":{"name":"a","resourceVersion":"7"}}',
    );
  });
});
