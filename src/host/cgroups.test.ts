// Against a tree of plain files as the kernel of version 2 shows it; the kernel makes the files of a new group, here they stand before.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createCgroups } from './cgroups.ts';

const FILES = ['cgroup.subtree_control', 'cpu.weight', 'cpu.max', 'memory.max', 'pids.max'];
let mount = '';

/** A group with the files the kernel gives it. */
function group(path: string): void {
  const dir = join(mount, path);
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'cgroup.controllers'), 'cpuset cpu io memory hugetlb pids rdma\n');
  for (const file of FILES) writeFileSync(join(dir, file), '');
}
const text = (path: string) => readFileSync(join(mount, path), 'utf8').trim();

describe('control groups of version 2', () => {
  beforeEach(() => {
    mount = mkdtempSync(join(tmpdir(), 'cgroups-'));
    group('.');
  });
  afterEach(() => rmSync(mount, { recursive: true, force: true }));

  it('are recognised by their controllers file', () => {
    assert.equal(createCgroups(mount).version, 2);
    rmSync(join(mount, 'cgroup.controllers'));
    assert.equal(createCgroups(mount).version, 1);
  });

  it('hand the controllers down on the way, and have weight, quota and limits in the words of the kernel', () => {
    group('kubepods');
    group('kubepods/podu');
    createCgroups(mount).create('/kubepods/podu', {
      cpuShares: 1024,
      cpuQuota: 50_000,
      memoryLimitBytes: 64 * 1024 ** 2,
      pidsMax: 100,
    });
    assert.equal(text('cgroup.subtree_control'), '+cpuset +cpu +io +memory +pids');
    assert.equal(text('kubepods/cgroup.subtree_control'), '+cpuset +cpu +io +memory +pids');
    assert.equal(text('kubepods/podu/cgroup.subtree_control'), '');
    assert.deepEqual(
      FILES.slice(1).map((f) => text(`kubepods/podu/${f}`)),
      ['39', '50000 100000', String(64 * 1024 ** 2), '100'],
    );
  });

  it('turn shares into weights from end to end, and “none” into max', () => {
    group('a');
    const cgroups = createCgroups(mount);
    for (const [shares, weight] of [
      [2, '1'],
      [262_144, '10000'],
    ] as const) {
      cgroups.create('/a', { cpuShares: shares });
      assert.equal(text('a/cpu.weight'), weight);
    }
    cgroups.create('/a', { cpuQuota: -1, memoryLimitBytes: -1, pidsMax: -1 });
    assert.deepEqual(
      ['cpu.max', 'memory.max', 'pids.max'].map((f) => text(`a/${f}`)),
      ['max 100000', 'max', 'max'],
    );
  });

  it('tell what a group uses: the working set is without file pages that can go', () => {
    group('a');
    writeFileSync(join(mount, 'a/memory.current'), '1000\n');
    writeFileSync(join(mount, 'a/memory.stat'), 'anon 600\ninactive_file 300\n');
    writeFileSync(join(mount, 'a/cpu.stat'), 'usage_usec 5\nuser_usec 3\n');
    assert.deepEqual(createCgroups(mount).usage('/a'), { memoryBytes: 1000, workingSetBytes: 700, cpuNanos: 5000 });
  });

  it('go with what is below them; one that is not there is gone already', () => {
    mkdirSync(join(mount, 'a/b/c'), { recursive: true });
    const cgroups = createCgroups(mount);
    assert.deepEqual(cgroups.children('/a'), ['b']);
    assert.equal(cgroups.remove('/a'), true);
    assert.equal(cgroups.exists('/a'), false);
    assert.equal(cgroups.remove('/a'), true);
  });
});

describe('control groups of version 1, also beside a version 2 without controllers', () => {
  beforeEach(() => {
    mount = mkdtempSync(join(tmpdir(), 'cgroups-'));
  });
  afterEach(() => rmSync(mount, { recursive: true, force: true }));

  it('tell what a group and those below it use', () => {
    for (const dir of ['memory/a', 'cpuacct/a', 'unified']) mkdirSync(join(mount, dir), { recursive: true });
    writeFileSync(join(mount, 'memory/a/memory.usage_in_bytes'), '1000\n');
    writeFileSync(join(mount, 'memory/a/memory.stat'), 'inactive_file 1\ntotal_inactive_file 300\n');
    writeFileSync(join(mount, 'cpuacct/a/cpuacct.usage'), '5000\n');
    assert.deepEqual(createCgroups(mount).usage('/a'), { memoryBytes: 1000, workingSetBytes: 700, cpuNanos: 5000 });
  });
});
