import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { SystemClock } from '#base/clock.ts';
import { identify } from '#host/process.ts';
import {
  ensurePart,
  failures,
  forgetFailure,
  livePart,
  recordedParts,
  recordFailure,
  recordPart,
  stopPart,
} from './parts.ts';
import { type ClusterPaths, clusterPaths } from './paths.ts';

describe('parts', () => {
  let paths: ClusterPaths;
  beforeEach(() => {
    paths = clusterPaths(mkdtempSync(join(tmpdir(), 'parts-')));
    for (const folder of [paths.run, paths.logs]) mkdirSync(folder);
  });
  afterEach(() => rmSync(paths.data, { recursive: true }));
  const me = () => identify(process.pid)!;

  it('finds a part by the record of its process', () => {
    recordPart(paths, 'server', me());
    assert.equal(livePart(paths, 'server')?.pid, process.pid);
  });

  it('takes no later process with the same pid for the part', () => {
    recordPart(paths, 'server', { ...me(), startTicks: me().startTicks + 1 });
    assert.equal(livePart(paths, 'server'), undefined);
  });

  it('takes no process of another boot for the part', () => {
    recordPart(paths, 'server', { ...me(), bootId: 'another' });
    assert.equal(livePart(paths, 'server'), undefined);
    assert.deepEqual(
      recordedParts(paths).map((p) => p.part),
      ['server'],
    );
  });

  it('starts a part once, and stops it', async () => {
    const first = ensurePart(paths, 'sleeper', 'sleep', ['60']);
    assert.equal(ensurePart(paths, 'sleeper', 'sleep', ['60']).pid, first.pid);
    await stopPart(paths, 'sleeper', 2_000, new SystemClock());
    assert.equal(livePart(paths, 'sleeper'), undefined);
    assert.deepEqual(recordedParts(paths), []);
  });

  it('counts failures in a row until the part runs', () => {
    recordFailure(paths, 'server', 'the store is torn');
    recordFailure(paths, 'server', 'the store is torn');
    assert.deepEqual(failures(paths), [{ part: 'server', message: 'the store is torn', times: 2 }]);
    forgetFailure(paths, 'server');
    assert.deepEqual(failures(paths), []);
    assert.deepEqual(recordedParts(paths), [], 'a failure is no part');
  });
});
