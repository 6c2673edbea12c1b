import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { schemaByName } from '#schema/load.ts';
import { applyJsonPatch } from './json-patch.ts';
import { applyMergePatch, mergePatch } from './merge-patch.ts';
import { applyStrategicMergePatch } from './strategic.ts';

describe('applyJsonPatch', () => {
  it('applies operations in order and leaves the document as it is', () => {
    const document = { a: { b: [1, 2] } };
    const patched = applyJsonPatch(document, [
      { op: 'test', path: '/a/b/0', value: 1 },
      { op: 'add', path: '/a/b/-', value: 3 },
      { op: 'move', from: '/a/b/0', path: '/first' },
    ]);
    assert.deepEqual(patched, { a: { b: [2, 3] }, first: 1 });
    assert.deepEqual(document, { a: { b: [1, 2] } });
  });

  const refused: [string, unknown, number, RegExp][] = [
    ['a patch that is no list', {}, 400, /error decoding patch/],
    [
      'a failing test',
      [{ op: 'test', path: '/a', value: 2 }],
      422,
      /^the server rejected our request due to an error in our request$/,
    ],
    ['a path that is not there', [{ op: 'remove', path: '/x/y' }], 422, /rejected/],
    ['an unknown operation', [{ op: 'frobnicate', path: '/a' }], 422, /rejected/],
    ['an operation that is none', [null], 422, /rejected/],
    ['a way into the prototype', [{ op: 'add', path: '/__proto__/x', value: 1 }], 422, /rejected/],
    [
      'more than 10,000 operations',
      Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/a', value: 1 })),
      413,
      /maximum operations in a JSON patch is 10000, got 10001/,
    ],
    [
      'copies that double without end',
      [
        { op: 'add', path: '/l', value: ['x'.repeat(1000)] },
        ...Array.from({ length: 40 }, () => ({ op: 'copy', from: '/l', path: '/l/-' })),
      ],
      422,
      /rejected/,
    ],
  ];
  for (const [title, patch, code, message] of refused) {
    it(`refuses ${title}`, () => assert.throws(() => applyJsonPatch({ a: 1 }, patch), { code, message }));
  }
});

describe('mergePatch', () => {
  // The examples of RFC 7386, appendix A.
  const examples: [unknown, unknown, unknown][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [target, patch, result] of examples) {
    it(`merges ${JSON.stringify(patch)} into ${JSON.stringify(target)}`, () =>
      assert.deepEqual(mergePatch(target, patch), result));
  }

  it('keeps a member called __proto__ a member', () => {
    const merged = mergePatch({}, JSON.parse('{"__proto__":{"polluted":1}}')) as object;
    assert.equal(JSON.stringify(merged), '{"__proto__":{"polluted":1}}');
    assert.equal(({} as { polluted?: number }).polluted, undefined);
  });

  it('is refused as a patch of an object when it is none', () => {
    assert.throws(() => applyMergePatch({}, []), { code: 400 });
  });
});

describe('applyStrategicMergePatch', () => {
  const pod = schemaByName('io.k8s.api.core.v1.Pod');
  const deployment = schemaByName('io.k8s.api.apps.v1.Deployment');
  const containers = (...list: object[]) => ({ spec: { containers: list } });

  const cases: [string, object, object, object][] = [
    [
      'merges containers by name, keeping their order',
      containers({ name: 'a', image: '1' }, { name: 'b', image: '1', tty: true }),
      containers({ name: 'b', image: '2' }),
      containers({ name: 'a', image: '1' }, { name: 'b', image: '2', tty: true }),
    ],
    [
      'puts a new element in front, as upstream does without an order',
      containers({ name: 'a' }, { name: 'b' }),
      containers({ name: 'c' }),
      containers({ name: 'c' }, { name: 'a' }, { name: 'b' }),
    ],
    [
      'obeys $setElementOrder',
      containers({ name: 'a' }, { name: 'b' }),
      {
        spec: {
          '$setElementOrder/containers': [{ name: 'b' }, { name: 'c' }, { name: 'a' }],
          containers: [{ name: 'c', image: 'x' }],
        },
      },
      containers({ name: 'b' }, { name: 'c', image: 'x' }, { name: 'a' }),
    ],
    [
      'orders without a change, and keeps elements only the server has beside their neighbours',
      containers({ name: 'a' }, { name: 'injected' }, { name: 'b' }),
      { spec: { '$setElementOrder/containers': [{ name: 'a' }, { name: 'b' }] } },
      containers({ name: 'a' }, { name: 'injected' }, { name: 'b' }),
    ],
    [
      'deletes an element by $patch: delete',
      containers({ name: 'a' }, { name: 'b' }),
      containers({ name: 'a', $patch: 'delete' }),
      containers({ name: 'b' }),
    ],
    [
      'replaces a list by $patch: replace',
      containers({ name: 'a' }, { name: 'b' }),
      containers({ name: 'c' }, { $patch: 'replace' }),
      containers({ name: 'c' }),
    ],
    [
      'replaces a map by $patch: replace',
      { metadata: { labels: { a: '1' } } },
      { metadata: { labels: { $patch: 'replace', b: '2' } } },
      { metadata: { labels: { b: '2' } } },
    ],
    [
      'empties a map by $patch: delete',
      { metadata: { labels: { a: '1' } } },
      { metadata: { labels: { $patch: 'delete' } } },
      { metadata: { labels: {} } },
    ],
    [
      'deletes by null',
      { metadata: { labels: { a: '1', b: '2' } } },
      { metadata: { labels: { a: null, c: null } } },
      { metadata: { labels: { b: '2' } } },
    ],
    [
      'adds scalars to a merged list once',
      { metadata: { finalizers: ['a', 'b'] } },
      { metadata: { finalizers: ['b', 'c'] } },
      { metadata: { finalizers: ['a', 'b', 'c'] } },
    ],
    [
      'removes scalars by $deleteFromPrimitiveList',
      { metadata: { finalizers: ['a', 'b', 'c'] } },
      { metadata: { '$deleteFromPrimitiveList/finalizers': ['b'], '$setElementOrder/finalizers': ['c', 'a'] } },
      { metadata: { finalizers: ['c', 'a'] } },
    ],
    [
      'replaces a list that is atomic',
      containers({ name: 'a', command: ['x', 'y'] }),
      containers({ name: 'a', command: ['z'] }),
      containers({ name: 'a', command: ['z'] }),
    ],
    [
      'keeps only the keys that $retainKeys names',
      { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } },
      { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } },
      { spec: { strategy: { type: 'Recreate' } } },
    ],
    [
      'drops directives and nulls from what it takes whole',
      {},
      {
        spec: {
          containers: [
            { name: 'a', image: null },
            { name: 'b', $patch: 'delete' },
          ],
          '$setElementOrder/containers': [{ name: 'a' }],
        },
      },
      containers({ name: 'a' }),
    ],
    [
      'merges deep lists of merged elements',
      containers({
        name: 'a',
        env: [
          { name: 'X', value: '1' },
          { name: 'Y', value: '1' },
        ],
      }),
      containers({ name: 'a', env: [{ name: 'Y', value: '2' }] }),
      containers({
        name: 'a',
        env: [
          { name: 'X', value: '1' },
          { name: 'Y', value: '2' },
        ],
      }),
    ],
  ];
  for (const [title, original, patch, expected] of cases) {
    it(title, () => {
      const before = structuredClone(original);
      assert.deepEqual(
        applyStrategicMergePatch(original, patch, title.includes('retainKeys') ? deployment : pod),
        expected,
      );
      assert.deepEqual(original, before);
    });
  }

  const refused: [string, object, object, number, RegExp][] = [
    [
      'a patch that is no object',
      {},
      [],
      400,
      /cannot unmarshal array into Go value of type map\[string\]interface {}$/,
    ],
    ['an unknown directive', { metadata: {} }, { metadata: { $patch: 'frobnicate' } }, 422, /rejected/],
    [
      'an element without its merge key',
      containers({ name: 'a' }),
      containers({ image: 'x' }),
      500,
      /does not contain declared merge key: name/,
    ],
    ['a bad $retainKeys', { spec: {} }, { spec: { $retainKeys: 'x' } }, 400, /invalid patch format of retainKeys/],
    [
      'elements in another order than they set',
      containers({ name: 'a' }),
      {
        spec: {
          '$setElementOrder/containers': [{ name: 'a' }, { name: 'b' }],
          containers: [{ name: 'b' }, { name: 'a' }],
        },
      },
      400,
      /doesn't match \$setElementOrder list/,
    ],
  ];
  for (const [title, original, patch, code, message] of refused) {
    it(`refuses ${title}`, () =>
      assert.throws(() => applyStrategicMergePatch(original, patch, pod), { code, message }));
  }
});
