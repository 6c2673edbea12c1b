import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Image } from '../cri/messages.ts';
import { imagesToRemove } from './image-gc.ts';
import { normalizeImage } from './images.ts';

const image = (id: string, size: number, pinned = false): Image => ({
  id,
  repoTags: [id],
  repoDigests: [],
  size,
  username: '',
  pinned,
});
const names = (list: readonly Image[]) => list.map((i) => i.id);

describe('imagesToRemove', () => {
  const unused = [image('new', 10), image('old', 4), image('older', 4, true), image('oldest', 4)];
  const lastUse: Record<string, number> = { new: 1_000_000, old: 300, older: 200, oldest: 100 };
  const choose = (availableBytes: number) =>
    names(imagesToRemove({ totalBytes: 100, availableBytes }, unused, (i) => lastUse[i.id]!, 1_000_100));

  it('takes none while the disk is below the high mark', () => assert.deepEqual(choose(16), []));
  it('takes the longest unused first, until the low mark', () => assert.deepEqual(choose(14), ['oldest', 'old']));
  it('leaves pinned and just used ones even on a full disk', () => assert.deepEqual(choose(0), ['oldest', 'old']));
});

describe('normalizeImage', () => {
  for (const [given, expected] of [
    ['nginx', 'docker.io/library/nginx:latest'],
    ['nginx:1', 'docker.io/library/nginx:1'],
    ['coracle/api:2', 'docker.io/coracle/api:2'],
    ['localhost:5000/a/b', 'localhost:5000/a/b:latest'],
    ['registry.example/x:1', 'registry.example/x:1'],
    ['UPPER', undefined],
    ['', undefined],
    ['a b', undefined],
  ] as const) {
    it(`makes ${expected} of ${JSON.stringify(given)}`, () => assert.equal(normalizeImage(given), expected));
  }
});
