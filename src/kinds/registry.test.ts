import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { servedResources } from '#generated/served.ts';
import { builtinKinds } from './registry.ts';

describe('builtinKinds', () => {
  it('has every resource of the API description once', () => {
    const have = builtinKinds().map((k) => `${k.group}/${k.resource}`);
    const want = [...new Set(servedResources.map((r) => `${r.group}/${r.resource}`))];
    assert.deepEqual(have.toSorted(), want.toSorted());
  });

  it('gives every version a schema and as many cells as columns', () => {
    for (const kind of builtinKinds()) {
      for (const version of kind.versions) assert.ok(version.schema.type === 'object', kind.resource);
      const cells = kind.table.cells({ metadata: { name: 'x' } }, 0);
      assert.equal(cells.length, kind.table.columns.length, kind.resource);
    }
  });

  it('keeps no two kinds but the events in one key space', () => {
    const prefixes = builtinKinds()
      .filter((k) => k.verbs.includes('get'))
      .map((k) => k.storagePrefix);
    assert.deepEqual(
      prefixes.filter((p, i) => prefixes.indexOf(p) !== i),
      ['events'],
    );
  });
});
