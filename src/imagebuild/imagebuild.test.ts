import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import tar from 'tar-stream';
import { Readable } from 'node:stream';
import { imageNames, readDefinition } from './build.ts';
import { parsePlan } from './debian-layer.ts';
import { writeImage, writeLayer } from './oci.ts';
import { pauseProgram } from './pause.ts';

const folder = mkdtempSync(join(tmpdir(), 'coracle-imagebuild-'));
after(() => rmSync(folder, { recursive: true, force: true }));

async function entriesOf(path: string): Promise<Map<string, { header: tar.Header; body: Buffer }>> {
  const entries = new Map<string, { header: tar.Header; body: Buffer }>();
  const extract = tar.extract();
  Readable.from(readFileSync(path)).pipe(extract);
  for await (const entry of extract) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    entries.set(entry.header.name, { header: entry.header, body: Buffer.concat(chunks) });
  }
  return entries;
}

describe('writeImage', () => {
  it('writes an OCI layout whose descriptors fit the blobs, the same bytes each time', async () => {
    const write = async (name: string) => {
      const layer = await writeLayer(join(folder, `${name}.layer`), {
        files: { 'etc/': { content: '', mode: 0o755 }, 'etc/motd': { content: 'hello', mode: 0o640, uid: 5 } },
        links: { 'etc/issue': 'motd' },
      });
      const path = join(folder, `${name}.tar`);
      await writeImage(
        path,
        'docker.io/library/demo:1',
        { command: ['true'], env: { A: 'b' }, exposedPorts: ['80/tcp'] },
        [layer],
      );
      return { path, layer };
    };
    const { path, layer } = await write('one');
    const again = await write('two');
    assert.deepEqual(readFileSync(path), readFileSync(again.path));

    const entries = await entriesOf(path);
    const index = JSON.parse(entries.get('index.json')!.body.toString());
    assert.equal(index.manifests[0].annotations['io.containerd.image.name'], 'docker.io/library/demo:1');
    const blob = (digest: string) => entries.get(`blobs/${digest.replace(':', '/')}`)!.body;
    const manifest = JSON.parse(blob(index.manifests[0].digest).toString());
    const config = JSON.parse(blob(manifest.config.digest).toString());
    assert.deepEqual(config.rootfs.diff_ids, [`sha256:${layer.digest}`]);
    assert.deepEqual(config.config.Cmd, ['true']);
    assert.ok(config.config.Env.includes('A=b'));
    assert.equal(blob(manifest.layers[0].digest).length, manifest.layers[0].size);
    const files = await entriesOf(layer.path);
    assert.equal(files.get('etc/motd')!.body.toString(), 'hello');
    assert.deepEqual([files.get('etc/motd')!.header.mode, files.get('etc/motd')!.header.uid], [0o640, 5]);
    assert.equal(files.get('etc/issue')!.header.linkname, 'motd');
  });
});

describe('parsePlan', () => {
  it('reads new and upgraded packages, and writes epochs as file names have them', () => {
    const plan =
      'Inst libc6 (2.36-9 Debian:12.15/oldstable [amd64])\nInst conntrack [1.0] (1:1.4.7-1+b2 Debian:12.15/oldstable, Security:12 [amd64])\nConf libc6 (2.36-9)\n';
    assert.deepEqual(parsePlan(plan), [
      { name: 'libc6', version: '2.36-9', file: 'libc6_2.36-9_amd64.deb' },
      { name: 'conntrack', version: '1:1.4.7-1+b2', file: 'conntrack_1%3a1.4.7-1+b2_amd64.deb' },
    ]);
  });
});

describe('pauseProgram', () => {
  for (const arch of ['x64', 'arm64']) {
    it(`is a small static ELF executable for ${arch} whose segment holds its entry`, () => {
      const bytes = Buffer.from(pauseProgram(arch));
      assert.deepEqual([...bytes.subarray(0, 4)], [0x7f, 0x45, 0x4c, 0x46]);
      assert.ok(bytes.length < 512);
      const entry = Number(bytes.readBigUInt64LE(24));
      const start = Number(bytes.readBigUInt64LE(80));
      assert.ok(entry > start && entry < start + Number(bytes.readBigUInt64LE(96)));
      assert.equal(Number(bytes.readBigUInt64LE(96)), bytes.length);
    });
  }

  it('refuses other machines by name', () => assert.throws(() => pauseProgram('riscv64'), /riscv64/));
});

describe('image definitions', () => {
  const root = join(import.meta.dirname, '..', '..');
  for (const name of imageNames(root)) {
    it(`${name} carries a full reference with a tag`, () =>
      assert.match(readDefinition(root, name).reference, /^[a-z0-9.]+\/[a-z0-9/-]+:[\w.]+$/));
  }
});
