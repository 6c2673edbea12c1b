// Images that come with Coracle: the sandbox image, which every node needs before its first pod, and those of the examples.
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '#base/clock.ts';
import type { Run } from '#host/process.ts';
import { buildImage, imageNames } from '#imagebuild/build.ts';
import { isDebian } from '#install/debian.ts';
import type { ClusterConfig } from './config.ts';
import { listImages, loadImages } from './images.ts';
import type { ClusterPaths } from './paths.ts';
import { readDefinition } from '#imagebuild/build.ts';

export interface ExampleImagesOptions {
  readonly config: ClusterConfig;
  readonly paths: ClusterPaths;
  readonly home: string;
  readonly say: (line: string) => void;
  readonly run: Run;
  readonly clock: Clock;
}

/** The checkout, for image definitions; examples are not there in an installed program. */
const root = (): string => process.env['CORACLE_ROOT'] ?? '.';
const PAUSE = 'pause';

/** Builds what is not kept from before and loads what the nodes lack. */
export async function loadExampleImages({ config, paths, home, say, run }: ExampleImagesOptions): Promise<void> {
  if (!existsSync(join(root(), 'images'))) return;
  if (!isDebian()) {
    say('example images are built from Debian packages, and this is no Debian: skipped; load your own with coracle image load');
    return;
  }
  const known = await listImages(config, paths, run);
  const everywhere = config.nodes.filter((n) => n.power === 'on').length;
  const names = imageNames(root()).filter((name) => (known.get(readDefinition(root(), name).reference)?.length ?? 0) < everywhere);
  if (names.length === 0) return;
  const deps = buildDeps(home, run, say);
  for (const name of names) await loadImages(config, paths, [await buildImage(name, deps)], { run, say });
}

/** Archive of the sandbox image. */
export function pauseArchive(home: string, run: Run): Promise<string> {
  return buildImage(PAUSE, buildDeps(home, run, () => {}));
}

function buildDeps(home: string, run: Run, say: (line: string) => void) {
  const cacheDir = join(home, 'images');
  mkdirSync(cacheDir, { recursive: true });
  return { run, cacheDir, root: root(), say };
}

/** Whether any image was ever built here: the first build downloads packages and takes its time. */
export const hasBuiltImages = (home: string): boolean => existsSync(join(home, 'images', 'archives')) && readdirSync(join(home, 'images', 'archives')).length > 1;
