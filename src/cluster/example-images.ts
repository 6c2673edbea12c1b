// Images that come with Coracle: the sandbox image, which every node needs before its first pod, and those of the examples.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, sleep } from '#base/clock.ts';
import type { Run } from '#host/process.ts';
import { buildImage, imageNames, readDefinition } from '#imagebuild/build.ts';
import { isDebian } from '#install/debian.ts';
import type { ClusterConfig } from './config.ts';
import { hasBeenGivenImages, listImages, loadBuiltImage } from './images.ts';
import type { ClusterPaths } from './paths.ts';

export interface ExampleImagesOptions {
  readonly home: string;
  readonly say: (line: string) => void;
  readonly run: Run;
}

/** Image reference → its archive. */
export type BuiltImages = ReadonlyMap<string, string>;

/** The checkout, for image definitions; examples are not there in an installed program. */
const root = (): string => process.env['CORACLE_ROOT'] ?? '.';
const PAUSE = 'pause';

/** Builds what is not kept from before; beside the start of the cluster, since it needs none. */
export async function buildExampleImages({ home, say, run }: ExampleImagesOptions): Promise<BuiltImages> {
  const built = new Map<string, string>();
  if (!existsSync(join(root(), 'images'))) return built;
  if (!isDebian()) {
    say(
      'example images are built from Debian packages, and this is no Debian: skipped; load your own with coracle image load',
    );
    return built;
  }
  const deps = buildDeps(home, run, say);
  for (const name of imageNames(root())) {
    if (name !== PAUSE) built.set(readDefinition(root(), name).reference, await buildImage(name, deps));
  }
  return built;
}

/** How long the supervisor may take to give new nodes what was loaded before. */
const GIVING_TIMEOUT_MS = 120_000;

/** Loads each image on the nodes that lack it. */
export async function loadExampleImages(
  images: BuiltImages,
  config: ClusterConfig,
  paths: ClusterPaths,
  { say, run, clock }: Pick<ExampleImagesOptions, 'say' | 'run'> & { readonly clock: Clock },
): Promise<void> {
  const nodes = config.nodes.filter((n) => n.power === 'on').map((n) => n.name);
  for (
    const end = clock.monotonic() + GIVING_TIMEOUT_MS;
    clock.monotonic() < end && !nodes.every((n) => hasBeenGivenImages(n, paths));
  )
    await sleep(clock, 100);
  const known = await listImages(config, paths, run);
  for (const [reference, archive] of images) {
    const lacking = nodes.filter((n) => known.get(reference)?.includes(n) !== true);
    if (lacking.length === 0) continue;
    await loadBuiltImage(lacking, archive, config, paths, run);
    say(`image ${reference} is on ${lacking.join(', ')}`);
  }
}

/** Archive of the sandbox image. */
export function pauseArchive(home: string, run: Run): Promise<string> {
  return buildImage(
    PAUSE,
    buildDeps(home, run, () => {}),
  );
}

function buildDeps(home: string, run: Run, say: (line: string) => void) {
  const cacheDir = join(home, 'images');
  mkdirSync(cacheDir, { recursive: true });
  return { run, cacheDir, root: root(), say };
}
