// The images the suite's tests run, built here under the names and tags it asks for: from Debian packages, from agnhost as
// `npm run reference` built it, and from own code. What they stand for is a self-check; a certified run takes the genuine ones.
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { coracleHome } from '#cluster/paths.ts';
import { run } from '#host/process.ts';
import { buildImage } from '#imagebuild/build.ts';
import { createAuthority } from '#pki/certificates.ts';
import { findPrograms, ReferenceMissingError } from '../reference/folder.ts';

const DEFINITIONS = join(import.meta.dirname, 'images');
const ROOT = join(import.meta.dirname, '..', '..');
/** Files that are made and not kept in the repository: name → maker. */
const MADE: Readonly<Record<string, (path: string) => void>> = {
  agnhost: (path) => copyFileSync(findPrograms(['agnhost']).agnhost, path),
  etcd: (path) => copyFileSync(findPrograms(['etcd']).etcd, path),
  etcdctl: (path) => copyFileSync(findPrograms(['etcdctl']).etcdctl, path),
  'sample-apiserver': (path) => copyFileSync(findPrograms(['sample-apiserver'])['sample-apiserver'], path),
  nnp: (path) => compile('nonewprivs/nnp.go', path),
  sh: (path) => compile('busybox/sh.go', path),
};

export interface WantedImage {
  /** Folder below images/. */
  readonly definition: string;
  readonly reference: string;
}

/** Of what `e2e.test --list-images` prints, the images that there are definitions for; every tag of one is built. */
export function wantedImages(listed: string, definitions: readonly string[]): readonly WantedImage[] {
  return listed
    .split('\n')
    .map((line) => line.trim())
    .flatMap((reference) => {
      const name = /\/([^/:]+):[^/:]+$/.exec(reference)?.[1];
      // Images behind a login are for tests of that login.
      if (name === undefined || !definitions.includes(name) || reference.includes('authenticated')) return [];
      return [{ definition: name, reference }];
    });
}

/** Archives for `coracle image load`; what has not changed since the last time is not built again. */
export async function buildImages(say: (line: string) => void): Promise<readonly string[]> {
  const cacheDir = join(coracleHome(process.env, process.getuid?.() === 0), 'images');
  const staged = join(ROOT, '.cache', 'conformance', 'images');
  mkdirSync(cacheDir, { recursive: true });
  const listed = execFileSync(findPrograms(['e2e.test'])['e2e.test'], ['--list-images'], { encoding: 'utf8' });
  const archives: string[] = [];
  for (const { definition, reference } of wantedImages(listed, readdirSync(DEFINITIONS))) {
    try {
      const name = stage(staged, definition, reference);
      await addCertificate(join(staged, 'images', name));
      archives.push(await buildImage(name, { run, cacheDir, root: staged, say }));
    } catch (error) {
      if (!(error instanceof ReferenceMissingError)) throw error;
      // Few tests run it; they will say that it is not there.
      say(`no image ${reference}: ${error.message}`);
    }
  }
  return archives;
}

interface StagedImage {
  readonly files?: Readonly<Record<string, string>>;
  /** Takes the definition of one of the images that Coracle brings. */
  readonly like?: string;
}

const readImage = (folder: string): StagedImage =>
  JSON.parse(readFileSync(join(folder, 'image.json'), 'utf8')) as StagedImage;

/** A folder with the definition under one name, and the files that it takes from elsewhere. */
function stage(staged: string, definition: string, reference: string): string {
  const name = reference.split('/').at(-1)!.replace(':', '-');
  const folder = join(staged, 'images', name);
  const { like } = readImage(join(DEFINITIONS, definition));
  const source = like === undefined ? join(DEFINITIONS, definition) : join(ROOT, 'images', like);
  mkdirSync(folder, { recursive: true });
  for (const file of readdirSync(source)) cpSync(join(source, file), join(folder, file));
  const image = readImage(source);
  for (const file of Object.values(image.files ?? {})) {
    const make = MADE[file];
    if (make === undefined) continue;
    rmSync(join(folder, file), { force: true });
    make(join(folder, file));
  }
  // Otherwise images that differ in their tag alone would be one image with two names, and an update of a pod no update.
  writeFileSync(join(folder, 'image.json'), JSON.stringify({ ...image, reference, env: { IMAGE: reference } }));
  return name;
}

/** agnhost serves TLS with these. Made once: another one would be another image. */
async function addCertificate(folder: string): Promise<void> {
  const certificate = join(folder, 'localhost.crt');
  if (!readFileSync(join(folder, 'image.json'), 'utf8').includes('localhost.crt') || existsSync(certificate)) return;
  const pair = await createAuthority('localhost', Date.now());
  writeFileSync(join(folder, 'localhost.key'), pair.key);
  writeFileSync(certificate, pair.certificate);
}

function compile(source: string, path: string): void {
  const env = { ...process.env, CGO_ENABLED: '0', GO111MODULE: 'off' };
  const args = ['build', '-trimpath', '-buildvcs=false', '-ldflags=-s -w', '-o', path, join(DEFINITIONS, source)];
  const { status, stderr } = spawnSync('go', args, { env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`go build of ${source} failed: ${stderr}`);
}
