import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { forbidden, LAYERS } from './layers.ts';
import { importsOf, resolveImport, ROOT, sourceFiles } from './sources.ts';

describe('layers', () => {
  it('hold: every import goes to a later row', () => {
    const wrong: string[] = [];
    for (const file of sourceFiles('src')) {
      const folder = file.path.split('/')[1]!;
      for (const { from } of file.imports) {
        const target = resolveImport(file.path, from);
        if (target === undefined) continue;
        const [top, second] = target.split('/');
        const reason =
          top === 'test'
            ? 'the product may not need its tests'
            : top === 'generated'
              ? undefined
              : forbidden(folder, second!);
        if (reason !== undefined) wrong.push(`${file.path} imports ${from}: ${reason}`);
      }
    }
    assert.deepEqual(wrong, []);
  });

  it('have a row for every folder of src, and one only', () => {
    const rows = LAYERS.flatMap((l) => l.folders);
    assert.deepEqual(
      rows.filter((f, i) => rows.indexOf(f) !== i),
      [],
    );
    const folders = readdirSync(join(ROOT, 'src'), { withFileTypes: true })
      .filter((e) => e.isDirectory())
      .map((e) => e.name);
    assert.deepEqual(
      folders.filter((f) => !rows.includes(f)),
      [],
    );
  });

  it('are asked about with #folder across folders and relative paths inside one', () => {
    const wrong: string[] = [];
    for (const file of sourceFiles('src')) {
      const folder = file.path.split('/')[1]!;
      for (const { from } of file.imports) {
        const target = resolveImport(file.path, from);
        if (target === undefined) continue;
        const other = target.split('/')[1];
        if (from.startsWith('.') && (other !== folder || !target.startsWith('src/')))
          wrong.push(`${file.path}: ${from} leaves its folder; write #${other}/…`);
        if (from.startsWith(`#${folder}/`))
          wrong.push(`${file.path}: ${from} is its own folder; write a relative path`);
        if (!from.endsWith('.ts') && !from.endsWith('.json'))
          wrong.push(`${file.path}: ${from} lacks the file extension`);
      }
    }
    assert.deepEqual(wrong, []);
  });

  it('refuse the edges they exist to refuse', () => {
    assert.match(forbidden('scheduler', 'apiserver')!, /only at the API/);
    assert.match(forbidden('base', 'machinery')!, /four foundations/);
    assert.match(forbidden('store', 'merge')!, /neither knows/);
    assert.match(forbidden('node', 'cluster')!, /assembles/);
    assert.match(forbidden('node', 'nowhere')!, /no row/);
    assert.equal(forbidden('node', 'client'), undefined);
    assert.equal(forbidden('cli', 'base'), undefined);
  });

  it('see every form of an import', () => {
    const text = [
      "import a from 'a';",
      "import type { B } from 'b';",
      "import {\n  c,\n  type D,\n} from 'c';",
      "import 'd';",
      "export { e as f } from 'e';",
      "const g = await import('g');",
      "import { type H } from 'h';",
    ].join('\n');
    assert.deepEqual(
      importsOf(text).map((i) => [i.from, i.typeOnly, i.names.join()]),
      [
        ['a', false, 'default'],
        ['b', true, 'B'],
        ['c', false, 'c'],
        ['d', false, ''],
        ['e', false, 'e'],
        ['g', false, '*'],
        ['h', true, ''],
      ],
    );
  });
});
