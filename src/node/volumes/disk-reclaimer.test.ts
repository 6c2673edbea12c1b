import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync, existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { PersistentVolume } from '#generated/api/core-v1.ts';
import { persistentvolumes } from '#generated/resources.ts';
import { SteppedClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { SeededRandom } from '#base/random.ts';
import { createInformers } from '#client/informers.ts';
import { createClient } from '#client/rest-client.ts';
import { TestApi } from '#client/testing.ts';
import { realFileSystem } from '#host/file-system.ts';
import { FakeMounts } from '#host/mounts.ts';
import { createDiskReclaimer } from './disk-reclaimer.ts';
import { BACKING_FILE_FINALIZER, DISK_DRIVER } from './disk.ts';

describe('createDiskReclaimer', () => {
  it('removes the backing file of a deleted volume once nothing mounts it, keeps it under Retain and of others', async (t) => {
    const volumesDir = mkdtempSync(join(tmpdir(), 'reclaim-'));
    t.after(() => rmSync(volumesDir, { recursive: true, force: true }));
    const api = new TestApi();
    const clock = new SteppedClock();
    const client = createClient({
      transport: { request: (r) => api.exchange(r as never), close: async () => {} },
      clock,
      userAgent: 'test',
      freeze: true,
    });
    const informers = createInformers({ client, clock, random: new SeededRandom(1), log: silentLog });
    const mounts = new FakeMounts();
    const reclaimer = createDiskReclaimer({
      client,
      informers,
      files: realFileSystem,
      mounts,
      clock,
      log: silentLog,
      volumesDir,
    });
    const signal = new AbortController().signal;
    await Promise.all([informers.start(signal), reclaimer.start(signal)]);
    mkdirSync(volumesDir, { recursive: true });

    const put = (name: string, policy: string, deleted: boolean) =>
      api.put(persistentvolumes, {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: {
          name,
          finalizers: [BACKING_FILE_FINALIZER],
          ...(deleted ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
        },
        spec: { persistentVolumeReclaimPolicy: policy, csi: { driver: DISK_DRIVER, volumeHandle: name } },
      } as PersistentVolume);
    const file = (name: string) => readdirSync(volumesDir).some((f) => f.startsWith(name));
    for (const name of ['gone', 'kept', 'alive', 'busy']) writeFileSync(join(volumesDir, `${name}.img`), '');
    mounts.loops.set(join(volumesDir, 'busy.img'), '/dev/loop9');
    put('gone', 'Delete', true);
    put('kept', 'Retain', true);
    put('alive', 'Delete', false);
    put('busy', 'Delete', true);
    await clock.step(500);
    assert.deepEqual(['gone', 'kept', 'alive', 'busy'].map(file), [false, true, true, true]);
    const finalizers = (name: string) => api.find(persistentvolumes, name)?.metadata.finalizers ?? [];
    assert.deepEqual([finalizers('gone'), finalizers('kept')], [[], []]);
    assert.deepEqual(finalizers('busy'), [BACKING_FILE_FINALIZER]);
    mounts.loops.clear();
    await clock.step(2500);
    assert.ok(!existsSync(join(volumesDir, 'busy.img')));
    assert.deepEqual(finalizers('busy'), []);
    await reclaimer.stop();
    await informers.stop();
  });
});
