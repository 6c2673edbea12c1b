// Removes images nobody uses when the disk they are on gets full: from a high mark down to a low one, longest unused first.
import { type Clock, sleep } from '#base/clock.ts';
import type { Log } from '#base/log.ts';
import type { FileSystem, FilesystemFacts } from '#host/file-system.ts';
import type { Image } from '../cri/messages.ts';
import type { Runtime } from '../cri/runtime.ts';

/** Used shares of the disk. */
export interface ImageGcMarks {
  readonly high: number;
  readonly low: number;
}

/** Upstream's. */
export const DEFAULT_IMAGE_GC: ImageGcMarks = { high: 0.85, low: 0.8 };
const CHECK_MS = 5 * 60_000;
/** Younger ones are left alone: a pod may be about to use them. */
const MIN_AGE_MS = 2 * 60_000;

export interface ImageGcDeps {
  readonly runtime: Runtime;
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly log: Log;
  /** Image name → when a container last asked for it. */
  readonly lastUsedMs: ReadonlyMap<string, number>;
  readonly marks: ImageGcMarks;
}

export async function collectImages(deps: ImageGcDeps, signal: AbortSignal): Promise<void> {
  const firstSeenMs = new Map<string, number>();
  while (!signal.aborted) {
    try {
      await sleep(deps.clock, CHECK_MS, signal);
      await collectOnce(deps, firstSeenMs);
    } catch (error) {
      if (!signal.aborted) deps.log.warn('images were not collected', { error });
    }
  }
}

/** For a node whose disk is short: all that no container uses, but for pinned ones and those just brought. */
export async function removeUnusedImages(deps: Omit<ImageGcDeps, 'files' | 'marks'>): Promise<void> {
  const { runtime, clock, log, lastUsedMs } = deps;
  for (const image of await unusedOf(await runtime.listImages(), runtime)) {
    const lastUseMs = Math.max(0, ...image.repoTags.map((t) => lastUsedMs.get(t) ?? 0));
    if (image.pinned || clock.now() - lastUseMs < MIN_AGE_MS) continue;
    log.info('removing an unused image: the disk is short', {
      image: image.repoTags[0] ?? image.id,
      bytes: image.size,
    });
    await runtime.removeImage(image.id);
  }
}

async function unusedOf(images: readonly Image[], runtime: Runtime): Promise<readonly Image[]> {
  const used = new Set((await runtime.listContainers()).flatMap((c) => [c.imageRef, c.image.image]));
  return images.filter((i) => !used.has(i.id) && !i.repoTags.some((t) => used.has(t)));
}

async function collectOnce(deps: ImageGcDeps, firstSeenMs: Map<string, number>): Promise<void> {
  const { runtime, files, clock, log } = deps;
  const images = await runtime.listImages();
  for (const image of images) if (!firstSeenMs.has(image.id)) firstSeenMs.set(image.id, clock.now());
  const [place] = await runtime.imageFsInfo();
  if (place === undefined || place.mountpoint === '') return;
  const unused = await unusedOf(images, runtime);
  const disk = await files.statfs(place.mountpoint);
  const lastUse = (image: Image) =>
    Math.max(firstSeenMs.get(image.id) ?? 0, ...image.repoTags.map((t) => deps.lastUsedMs.get(t) ?? 0));
  for (const image of imagesToRemove(disk, unused, lastUse, clock.now(), deps.marks)) {
    log.info('removing an unused image', { image: image.repoTags[0] ?? image.id, bytes: image.size });
    await runtime.removeImage(image.id);
    firstSeenMs.delete(image.id);
  }
}

/** Enough of the longest unused ones to get below the low mark; none below the high mark. Pinned ones stay. */
export function imagesToRemove(
  disk: Pick<FilesystemFacts, 'totalBytes' | 'availableBytes'>,
  unused: readonly Image[],
  lastUseMs: (image: Image) => number,
  nowMs: number,
  marks = DEFAULT_IMAGE_GC,
): readonly Image[] {
  const usedBytes = disk.totalBytes - disk.availableBytes;
  if (usedBytes < disk.totalBytes * marks.high) return [];
  let toFree = usedBytes - disk.totalBytes * marks.low;
  const out: Image[] = [];
  for (const image of unused.toSorted((a, b) => lastUseMs(a) - lastUseMs(b))) {
    if (toFree <= 0) break;
    if (image.pinned || nowMs - lastUseMs(image) < MIN_AGE_MS) continue;
    out.push(image);
    toFree -= image.size;
  }
  return out;
}
