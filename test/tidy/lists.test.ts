// One explicit list per kind of extension: no file forgotten, no name twice, and a name finds its file.
import assert from 'node:assert/strict';
import { basename } from 'node:path';
import { describe, it } from 'node:test';
import { subresources } from '#apiserver/subresources/list.ts';
import { controllers } from '#controllers/controllers.ts';
import { builtinKinds } from '#kinds/registry.ts';
import { VOLUME_PLUGINS } from '#node/volumes/volumes.ts';
import { isTest, resolveImport, type SourceFile, sourceFiles } from './sources.ts';

interface List {
  readonly list: string;
  /** Where the rest of the list stands, and why there. */
  readonly also?: Readonly<Record<string, string>>;
  readonly folder: string;
  /** Files that nothing in the list needs → why they stand in the folder. */
  readonly besides: Readonly<Record<string, string>>;
}

const LISTS: readonly List[] = [
  { list: 'src/controllers/controllers.ts', folder: 'src/controllers', besides: {} },
  { list: 'src/apiserver/admission/plugins.ts', folder: 'src/apiserver/admission', besides: {} },
  {
    list: 'src/apiserver/subresources/list.ts',
    folder: 'src/apiserver/subresources',
    also: {
      'src/apiserver/subresources/proxy-connect.ts':
        'connect subresources (exec, log, port-forward, proxy) need the way into nodes',
      'src/cluster/cluster-access.ts': 'wires that way',
    },
    besides: { 'token.ts': 'needs the token issuer; the server adds it where it has one' },
  },
  { list: 'src/scheduler/plugins.ts', folder: 'src/scheduler/plugins', besides: {} },
  {
    list: 'src/kinds/registry.ts',
    folder: 'src/kinds',
    besides: {
      'core/node-selector.ts': 'what the scheduler asks of a pod and a node',
      'core/pod/tolerations.ts': 'what scheduler and controllers ask of a pod',
      'core/pod/template-hash.ts': 'what controllers ask of a template',
      'core/pod/resize.ts': 'rules of a subresource, which the API server serves',
    },
  },
  {
    list: 'src/node/volumes/volumes.ts',
    folder: 'src/node/volumes',
    besides: {
      'disk-reclaimer.ts': 'removes the backing files of volumes that are gone; the kubelet runs it',
      'tokens.ts': 'asks for service account tokens; handed to the projected volume',
    },
  },
  { list: 'src/cli/main.ts', folder: 'src/cli/commands', besides: {} },
];

/** Files of the folder that the list reaches through imports. */
function reached(lists: readonly string[], files: ReadonlyMap<string, SourceFile>): ReadonlySet<string> {
  const seen = new Set<string>();
  const todo = [...lists];
  for (let path = todo.pop(); path !== undefined; path = todo.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    for (const { from } of files.get(path)?.imports ?? []) {
      const target = resolveImport(path, from);
      if (target !== undefined && files.has(target)) todo.push(target);
    }
  }
  return seen;
}

const duplicates = (names: readonly string[]) => names.filter((n, i) => names.indexOf(n) !== i);

describe('lists of extensions', () => {
  for (const { list, also, folder, besides } of LISTS) {
    it(`${list} reaches every file of ${folder}`, () => {
      const files = new Map(sourceFiles('src').map((f) => [f.path, f]));
      assert.ok(files.has(list));
      const seen = reached([list, ...Object.keys(also ?? {})], files);
      const own = [...files.keys()].filter((f) => f.startsWith(`${folder}/`) && !isTest(f));
      const forgotten = own.filter((f) => !seen.has(f) && besides[f.slice(folder.length + 1)] === undefined);
      assert.deepEqual(forgotten, []);
      assert.deepEqual(
        Object.keys(besides).filter((f) => !files.has(`${folder}/${f}`) || seen.has(`${folder}/${f}`)),
        [],
      );
    });
  }

  it('name controllers once', () => assert.deepEqual(duplicates(controllers.map((c) => c.name)), []));
  it('name volumes once', () => assert.deepEqual(duplicates(VOLUME_PLUGINS.map((v) => v.field)), []));
  it('name subresources once for a resource', () =>
    assert.deepEqual(duplicates(subresources.map((s) => `${s.name} ${s.resource ?? ''}`)), []));

  it('name kinds once in a group, each in the file of its name', () => {
    const kinds = builtinKinds();
    assert.deepEqual(duplicates(kinds.map((k) => `${k.group}/${k.kind}`)), []);
    assert.deepEqual(duplicates(kinds.map((k) => `${k.group}/${k.resource}`)), []);
    const files = new Set(
      sourceFiles('src')
        .filter((f) => f.path.startsWith('src/kinds/'))
        .map((f) => basename(f.path, '.ts')),
    );
    assert.deepEqual(
      kinds.map((k) => k.kind.toLowerCase()).filter((k) => !files.has(k)),
      [],
    );
  });

  it('are no barrels: nothing but a list is re-exported', () => {
    const barrels = sourceFiles('src').filter(
      (f) => /^export \* from/m.test(f.text) || basename(f.path) === 'index.ts',
    );
    assert.deepEqual(
      barrels.map((f) => f.path),
      [],
    );
  });
});
