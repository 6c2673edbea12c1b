// Container logs on real files: reading them, and keeping them small.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { SteppedClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { realFileSystem } from '#host/file-system.ts';
import type { PodCache } from '../cri/pod-cache.ts';
import type { Runtime } from '../cri/runtime.ts';
import type { RuntimePod } from '../pods/runtime-pod.ts';
import { type LogOptions, LogReader } from './log-reader.ts';
import { rotateOnce } from './log-rotation.ts';

const clock = new SteppedClock();
const pod = { namespace: 'default', name: 'p', uid: 'u', sandboxes: [], containers: [] } as RuntimePod;
let root = '';
let reader: LogReader;
let path = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'logs-'));
  reader = new LogReader({ files: realFileSystem, clock, logsRoot: root });
  path = reader.path(pod, 'c', 0);
  mkdirSync(dirname(path), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const at = (secondsAgo: number) => new Date(clock.now() - secondsAgo * 1000).toISOString().replace('Z', '000000Z');
const lines = () =>
  [
    `${at(30)} stdout F one`,
    `${at(20)} stderr F two`,
    `${at(10)} stdout P thr`,
    `${at(10)} stdout F ee`,
    `${at(1)} stdout F four`,
  ].join('\n') + '\n';

async function read(options: LogOptions): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of reader.read(path, options, () => true, new AbortController().signal)) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

describe('logs', () => {
  for (const [title, options, expected] of [
    ['all of it, with divided lines joined', {}, 'one\ntwo\nthree\nfour\n'],
    ['tail', { tailLines: 1 }, 'four\n'],
    ['tail 0', { tailLines: 0 }, ''],
    ['since', { sinceSeconds: 15 }, 'three\nfour\n'],
    ['one stream', { stream: 'stderr' }, 'two\n'],
    ['a limit of bytes', { limitBytes: 5 }, 'one\nt'],
  ] as const)
    it(`show ${title}`, async () => {
      writeFileSync(path, lines());
      assert.equal(await read(options), expected);
    });

  it('show time stamps, and leave out a line cut by a crash', async () => {
    writeFileSync(path, `${at(5)} stdout F whole\n${at(4)} std`);
    assert.equal(await read({ timestamps: true }), `${at(5)} whole\n`);
  });

  it('rotation: a log over its limit is moved aside, the runtime opens a new one, and five files are kept', async () => {
    const reopened: string[] = [];
    const deps = {
      runtime: {
        reopenContainerLog: async (id: string) => {
          reopened.push(id);
          writeFileSync(path, '');
        },
      } as unknown as Runtime,
      cache: {
        all: () => [
          {
            ...pod,
            containers: [
              { id: 'run', name: 'c', state: 'running', restartCount: 0 },
              { id: 'dead', name: 'c', state: 'exited', restartCount: 0 },
            ],
          },
        ],
      } as unknown as PodCache,
      files: realFileSystem,
      clock,
      log: silentLog,
      reader,
    };
    writeFileSync(path, 'x'.repeat(100));
    await rotateOnce(deps, 100);
    assert.deepEqual([reopened, readdirSync(dirname(path))], [[], ['0.log']], 'not over the limit');
    for (let i = 0; i < 7; i++) {
      writeFileSync(path, `${i}`.repeat(101));
      await rotateOnce(deps, 100);
      await clock.step(1000);
    }
    assert.deepEqual(
      reopened,
      Array.from({ length: 7 }, () => 'run'),
    );
    const kept = readdirSync(dirname(path)).sort();
    assert.equal(kept.length, 5);
    assert.equal(realFileSystem.readText(join(dirname(path), kept.at(-1)!))![0], '6');
    assert.equal(realFileSystem.readText(join(dirname(path), kept[1]!))![0], '3');
  });

  it('follow goes on in the new file after a rotation', async () => {
    writeFileSync(path, `${at(3)} stdout F old and long enough to be longer than the new one\n`);
    const abort = new AbortController();
    const seen = reader.read(path, { follow: true }, () => false, abort.signal)[Symbol.asyncIterator]();
    assert.match(Buffer.from((await seen.next()).value!).toString(), /^old/);
    const next = seen.next();
    realFileSystem.rename(path, `${path}.1`);
    writeFileSync(path, `${at(1)} stdout F new\n`);
    await clock.step(1100);
    assert.equal(Buffer.from((await next).value!).toString(), 'new\n');
    abort.abort();
    await seen.return?.();
  });
});
