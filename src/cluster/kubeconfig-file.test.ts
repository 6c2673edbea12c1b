import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { load } from 'js-yaml';
import { makeKubeconfig } from '#pki/kubeconfig.ts';
import { addEntry, contextName, removeEntry, userKubeconfigPath, writeKubeconfig } from './kubeconfig-file.ts';

interface File {
  readonly contexts: { name: string }[];
  readonly clusters: { name: string; cluster: { server: string } }[];
  readonly users: { name: string }[];
  readonly 'current-context': string;
  readonly preferences?: unknown;
}

const config = (name: string, port = 6443) =>
  makeKubeconfig({
    context: contextName(name),
    cluster: { server: `https://127.0.0.1:${port}`, certificateAuthority: 'CA' },
    user: { certificate: 'CERT', key: 'KEY' },
  });

describe('the entry in the user’s kubeconfig', () => {
  let folder = '';
  let file = '';
  const read = () => load(readFileSync(file, 'utf8')) as File;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kubeconfig-'));
    file = join(folder, 'sub', 'config');
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const given = (text: string) => {
    file = join(folder, 'config');
    writeFileSync(file, text);
  };
  const WORK =
    'apiVersion: v1\nkind: Config\npreferences: {colors: true}\nclusters: [{name: work, cluster: {server: "https://w"}}]\nusers: [{name: me, user: {}}]\ncontexts: [{name: work, context: {cluster: work, user: me}}]\ncurrent-context: work\n';

  it('makes the file, for its owner alone, and becomes the current context', () => {
    assert.deepEqual(addEntry(file, config('local'), '/data'), { previous: undefined });
    assert.equal(read()['current-context'], 'coracle-local');
    assert.equal(statSync(file).mode & 0o777, 0o600);
  });

  it('keeps what others wrote, and tells the context that was current', () => {
    given(WORK);
    assert.deepEqual(addEntry(file, config('local'), '/data'), { previous: 'work' });
    assert.deepEqual(
      read().contexts.map((c) => c.name),
      ['work', 'coracle-local'],
    );
    assert.deepEqual(read().preferences, { colors: true });
  });

  it('is renewed in place, and its own context is no previous one', () => {
    given(WORK);
    addEntry(file, config('local', 1), '/data');
    assert.deepEqual(addEntry(file, config('local', 2), '/data'), { previous: undefined });
    assert.deepEqual(
      read().clusters.map((c) => c.cluster.server),
      ['https://w', 'https://127.0.0.1:2'],
    );
  });

  it('never overwrites a foreign one of its name', () => {
    given(WORK.replaceAll('work', 'coracle-local'));
    const before = readFileSync(file, 'utf8');
    assert.throws(
      () => addEntry(file, config('local'), '/data'),
      /already has an entry coracle-local that is not this cluster's; it was left alone/,
    );
    assert.equal(readFileSync(file, 'utf8'), before);
  });

  it('never takes over the entry of a cluster with other data', () => {
    addEntry(file, config('local'), '/data');
    assert.throws(() => addEntry(file, config('local'), '/other'), /not this cluster's/);
  });

  it('goes, and the previous context is back', () => {
    given(WORK);
    addEntry(file, config('local'), '/data');
    removeEntry(file, 'coracle-local', '/data', 'work');
    assert.deepEqual(read(), load(WORK));
  });

  it('goes without touching a context that the user chose since', () => {
    given(WORK);
    addEntry(file, config('local'), '/data');
    writeFileSync(file, readFileSync(file, 'utf8').replace('current-context: coracle-local', 'current-context: me'));
    removeEntry(file, 'coracle-local', '/data', 'work');
    assert.equal(read()['current-context'], 'me');
  });

  it('leaves no current context when the previous one is gone', () => {
    addEntry(file, config('local'), '/data');
    removeEntry(file, 'coracle-local', '/data', 'work');
    assert.equal(read()['current-context'], '');
  });

  it('is left when it belongs to other data, and a missing file is no error', () => {
    removeEntry(file, 'coracle-local', '/data', undefined);
    assert.equal(existsSync(file), false);
    addEntry(file, config('local'), '/data');
    removeEntry(file, 'coracle-local', '/other', undefined);
    assert.equal(read().contexts.length, 1);
  });

  it('goes through a symbolic link, which stays one', () => {
    given(WORK);
    const link = join(folder, 'link');
    symlinkSync(file, link);
    addEntry(link, config('local'), '/data');
    assert.equal(read().contexts.length, 2);
  });

  it('leaves a file alone that is no YAML', () => {
    given('a: [b');
    assert.throws(() => addEntry(file, config('local'), '/data'), /is not valid YAML; it was left alone/);
    assert.equal(readFileSync(file, 'utf8'), 'a: [b');
  });
});

describe('userKubeconfigPath', () => {
  it('is the first of KUBECONFIG, else the one in the home', () => {
    assert.equal(userKubeconfigPath({ KUBECONFIG: ':/a:/b' }), '/a');
    assert.match(userKubeconfigPath({}), /\.kube\/config$/);
  });
});

describe('writeKubeconfig', () => {
  it('writes for the owner alone', () => {
    const folder = mkdtempSync(join(tmpdir(), 'kubeconfig-'));
    writeKubeconfig(join(folder, 'kubeconfig'), config('local'));
    assert.equal(statSync(join(folder, 'kubeconfig')).mode & 0o777, 0o600);
    rmSync(folder, { recursive: true });
  });
});
