import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { schemaByName } from '#schema/load.ts';
import { typeErrors } from './check-typed.ts';
import { decodeFieldSet } from './field-set.ts';
import { formatPath, pathsOf } from './field-paths.ts';
import { jsonEqual } from './json.ts';
import { mergeConfiguration, removeItems } from './structured-merge.ts';

const pod = schemaByName('io.k8s.api.core.v1.Pod');
const spec = (spec: unknown) => ({ spec });

/** Pods with keyed lists, sets, maps, atomic lists and structs. */
const text = fc.constantFrom('a', 'b', 'c', 'd');
const map = fc.dictionary(text, text, { maxKeys: 3 });
const containers = fc.uniqueArray(
  fc.record({ name: text, image: text, command: fc.array(text, { maxLength: 2 }) }, { requiredKeys: ['name'] }),
  { selector: (c) => c.name, maxLength: 4 },
);
const pods = fc.record(
  {
    metadata: fc.record({ labels: map, finalizers: fc.uniqueArray(text, { maxLength: 4 }) }, { requiredKeys: [] }),
    spec: fc.record(
      { containers, nodeSelector: map, nodeName: fc.option(text), tolerations: fc.constant([]) },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
);

describe('mergeConfiguration', () => {
  const cases: [string, unknown, unknown, unknown][] = [
    [
      'null over a map keeps the map',
      spec({ securityContext: { runAsUser: 1 } }),
      spec({ securityContext: null }),
      spec({ securityContext: { runAsUser: 1 } }),
    ],
    ['null over a scalar is null', spec({ nodeName: 'n' }), spec({ nodeName: null }), spec({ nodeName: null })],
    ['null over nothing is null', {}, spec({ securityContext: null }), spec({ securityContext: null })],
    [
      'an empty list over a keyed one keeps its items',
      spec({ containers: [{ name: 'a' }] }),
      spec({ containers: [] }),
      spec({ containers: [{ name: 'a' }] }),
    ],
    [
      'an empty list over an atomic one empties it',
      spec({ tolerations: [{ key: 'a' }] }),
      spec({ tolerations: [] }),
      spec({ tolerations: [] }),
    ],
    [
      'atomic maps are replaced',
      spec({ nodeSelector: { a: '1' } }),
      spec({ nodeSelector: { b: '1' } }),
      spec({ nodeSelector: { b: '1' } }),
    ],
    [
      'a new item stands before the shared one that follows it',
      spec({ containers: [{ name: 'a' }, { name: 'z' }, { name: 'b' }] }),
      spec({ containers: [{ name: 'n' }, { name: 'b', image: 'i' }] }),
      spec({ containers: [{ name: 'a' }, { name: 'z' }, { name: 'n' }, { name: 'b', image: 'i' }] }),
    ],
    [
      'shared items in another order take the order of the configuration',
      spec({ containers: [{ name: 'a' }, { name: 'b' }, { name: 'c' }] }),
      spec({ containers: [{ name: 'c' }, { name: 'a' }] }),
      spec({ containers: [{ name: 'b' }, { name: 'c' }, { name: 'a' }] }),
    ],
    [
      'items that stand there several times are replaced by the one applied',
      spec({ containers: [{ name: 'a', image: '1' }, { name: 'a', image: '2' }, { name: 'b' }] }),
      spec({ containers: [{ name: 'a', tty: true }] }),
      spec({ containers: [{ name: 'a', tty: true }, { name: 'b' }] }),
    ],
    [
      '`__proto__` is a key like others',
      {},
      JSON.parse('{"metadata":{"labels":{"__proto__":"x"}}}'),
      JSON.parse('{"metadata":{"labels":{"__proto__":"x"}}}'),
    ],
  ];
  for (const [name, live, configuration, expected] of cases)
    it(name, () => assert.deepEqual(mergeConfiguration(live, configuration, pod), expected));

  it('fits the schema, and changes nothing the second time', () => {
    fc.assert(
      fc.property(pods, pods, (live, configuration) => {
        const merged = mergeConfiguration(live, configuration, pod);
        assert.ok(jsonEqual(mergeConfiguration(merged, configuration, pod), merged));
        assert.equal(typeErrors(merged, pod), undefined);
      }),
      { seed: 1 },
    );
  });

  it('changes neither of the two', () => {
    fc.assert(
      fc.property(pods, pods, (live, configuration) => {
        const before = JSON.stringify([live, configuration]);
        removeItems(mergeConfiguration(live, configuration, pod), pathsOf(configuration, pod), pod);
        assert.equal(JSON.stringify([live, configuration]), before);
      }),
      { seed: 2 },
    );
  });
});

describe('removeItems', () => {
  const cases: [string, unknown, object, unknown][] = [
    [
      'a member of a map',
      { metadata: { labels: { a: '1', b: '1' } } },
      { 'f:metadata': { 'f:labels': { 'f:a': {} } } },
      { metadata: { labels: { b: '1' } } },
    ],
    [
      'the last member leaves null',
      { metadata: { labels: { a: '1' } } },
      { 'f:metadata': { 'f:labels': { 'f:a': {} } } },
      { metadata: { labels: null } },
    ],
    [
      'an item with all that is in it',
      spec({ containers: [{ name: 'a', image: 'i' }, { name: 'b' }] }),
      { 'f:spec': { 'f:containers': { 'k:{"name":"a"}': { '.': {}, 'f:name': {} } } } },
      spec({ containers: [{ name: 'b' }] }),
    ],
    [
      'a member of a set',
      { metadata: { finalizers: ['a', 'b'] } },
      { 'f:metadata': { 'f:finalizers': { 'v:"a"': {} } } },
      { metadata: { finalizers: ['b'] } },
    ],
  ];
  for (const [name, value, items, expected] of cases)
    it(name, () => assert.deepEqual(removeItems(value, decodeFieldSet(items), pod), expected));
});

describe('formatPath', () => {
  it('writes paths as upstream does', () => {
    assert.equal(
      formatPath(['f:a', 'k:{"containerPort":80,"protocol":"TCP"}', 'f:b', 'v:"x"', 'v:3', 'i:0']),
      '.a[containerPort=80,protocol="TCP"].b[="x"][=3][0]',
    );
  });
});
