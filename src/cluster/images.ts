// Images on nodes. An archive's blobs are stored once a machine: every node's containerd gets hard links to them before
// the import, finds the content there, and only unpacks.
import { createHash, randomUUID } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  createReadStream,
  createWriteStream,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import tar from 'tar-stream';
import { CommandError, mustRun, type Run } from '#host/process.ts';
import type { ClusterConfig } from './config.ts';
import { UserError } from './errors.ts';
import { initPart } from './local-node.ts';
import { livePart } from './parts.ts';
import type { ClusterPaths } from './paths.ts';

export interface LoadDeps {
  readonly run: Run;
  readonly say: (line: string) => void;
}

const CONTENT = join('io.containerd.content.v1.content', 'blobs', 'sha256');
/** containerd's namespace of the CRI. */
const NAMESPACE = 'k8s.io';

interface RunningNode {
  readonly name: string;
  readonly ctr: (args: readonly string[]) => Promise<string>;
}

/** Nodes whose containerd runs; throws when there is none. */
function runningNodes(config: ClusterConfig, paths: ClusterPaths, run: Run): readonly RunningNode[] {
  const nodes = config.nodes.flatMap((node): RunningNode[] => {
    const init = livePart(paths, initPart(node.name));
    if (init === undefined) return [];
    // Inside the node: containerd mounts what it unpacks in its own mount namespace.
    const ctr = (args: readonly string[]) =>
      mustRun(run, 'nsenter', [
        `--target=${init.pid}`,
        '--net',
        '--mount',
        '--pid',
        '--',
        'ctr',
        '--namespace',
        NAMESPACE,
        '--address',
        '/run/containerd/containerd.sock',
        ...args,
      ]);
    return [{ name: node.name, ctr }];
  });
  if (nodes.length === 0) throw new UserError('no node is running; start the cluster with: coracle up');
  return nodes;
}

/** Imports docker or OCI archives (also gzipped) on all running nodes, and keeps them for nodes that come later. */
export async function loadImages(
  config: ClusterConfig,
  paths: ClusterPaths,
  files: readonly string[],
  { run, say }: LoadDeps,
): Promise<void> {
  const nodes = runningNodes(config, paths, run).map((n) => n.name);
  for (const file of files) {
    await importOn(nodes, await keepArchive(file, paths), config, paths, run);
    say(`${basename(file)} is on ${nodes.join(', ')}`);
  }
}

/** Like loadImages for an archive that is never written again, on some of the nodes: kept by a link instead of a copy. */
export async function loadBuiltImage(
  nodes: readonly string[],
  archive: string,
  config: ClusterConfig,
  paths: ClusterPaths,
  run: Run,
): Promise<void> {
  const folder = join(paths.images, 'archives');
  mkdirSync(folder, { recursive: true });
  const kept = join(folder, basename(archive));
  try {
    linkIfAbsent(archive, kept);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    copyFileSync(archive, kept);
  }
  await importOn(nodes, kept, config, paths, run);
}

const SANDBOX_ARCHIVE = 'sandbox.tar';

/** Keeps the sandbox image for every node that comes. */
export function keepSandboxImage(archive: string, paths: ClusterPaths): void {
  const folder = join(paths.images, 'archives');
  mkdirSync(folder, { recursive: true });
  const target = join(folder, SANDBOX_ARCHIVE);
  copyFileSync(archive, `${target}.new`);
  renameSync(`${target}.new`, target);
}

const markerOf = (node: string, paths: ClusterPaths): string => join(paths.node(node).root, 'images-given');

/** Whether a node has what was loaded before it came. */
export const hasBeenGivenImages = (node: string, paths: ClusterPaths): boolean => existsSync(markerOf(node, paths));

/** Gives a new node the sandbox image, then everything that was ever loaded. */
export async function giveImages(node: string, config: ClusterConfig, paths: ClusterPaths, run: Run): Promise<void> {
  await loadSandboxImage(node, config, paths, run);
  await loadKeptImages(node, config, paths, run);
  writeFileSync(markerOf(node, paths), '');
}

/** Without it no pod starts. */
async function loadSandboxImage(node: string, config: ClusterConfig, paths: ClusterPaths, run: Run): Promise<void> {
  await importOn([node], join(paths.images, 'archives', SANDBOX_ARCHIVE), config, paths, run);
}

/** Imports everything that was ever loaded on one node: for nodes that came later. */
async function loadKeptImages(node: string, config: ClusterConfig, paths: ClusterPaths, run: Run): Promise<void> {
  const folder = join(paths.images, 'archives');
  const age = (archive: string): number => statSync(join(folder, archive)).ctimeMs;
  const archives = readdirSync(folder).filter((f) => f.endsWith('.tar') && f !== SANDBOX_ARCHIVE);
  // Oldest first: of two archives with one name the one loaded last counts.
  for (const archive of archives.toSorted((a, b) => age(a) - age(b)))
    await importOn([node], join(folder, archive), config, paths, run);
}

/** Smaller ones are not worth leaving out of an import. */
const LARGE_BLOB_BYTES = 1 << 20;

async function importOn(
  names: readonly string[],
  archive: string,
  config: ClusterConfig,
  paths: ClusterPaths,
  run: Run,
): Promise<void> {
  const blobs = await keepBlobs(archive, paths);
  const nodes = runningNodes(config, paths, run).filter((n) => names.includes(n.name));
  const known = await Promise.all(nodes.map(knownBlobs));
  const needless = blobs.filter(
    (b) => statSync(join(paths.images, 'blobs', b)).size >= LARGE_BLOB_BYTES && known.every((k) => k.has(b)),
  );
  const importOne = async (node: RunningNode, file: string) => {
    const content = join(paths.node(node.name).containerd, CONTENT);
    mkdirSync(content, { recursive: true });
    for (const blob of blobs) linkIfAbsent(join(paths.images, 'blobs', blob), join(content, blob));
    await node.ctr(['images', 'import', '--snapshotter', 'overlayfs', file]);
  };
  const importWhole = async (node: RunningNode) => {
    try {
      await importOne(node, archive);
    } catch (error) {
      if (error instanceof CommandError)
        throw new UserError(
          `${basename(archive)} could not be imported on ${node.name}: ${error.result.stderr.trim().split('\n').at(-1)}. Give archives made by docker save, or OCI archives`,
        );
      throw error;
    }
  };
  if (needless.length === 0) {
    await Promise.all(nodes.map(importWhole));
    return;
  }
  // Layers that every node has, such as one that images share, are left out of what is sent.
  const slim = join(paths.images, `slim-${randomUUID()}`);
  try {
    await copyWithout(archive, new Set(needless), slim);
    await Promise.all(nodes.map((node) => importOne(node, slim).catch(() => importWhole(node))));
  } finally {
    rmSync(slim, { force: true });
  }
}

async function knownBlobs(node: RunningNode): Promise<ReadonlySet<string>> {
  const listed = await node.ctr(['content', 'ls', '--quiet']);
  return new Set(listed.split('\n').map((line) => line.replace(/^sha256:/, '')));
}

const BLOB = /^(?:\.\/)?blobs\/sha256\/([0-9a-f]{64})$/;

async function copyWithout(archive: string, blobs: ReadonlySet<string>, into: string): Promise<void> {
  const pack = tar.pack();
  const writing = pipeline(pack, createWriteStream(into));
  const extract = tar.extract();
  const reading = pipeline(createReadStream(archive), extract);
  reading.catch(() => undefined); // reported below, when the entries end
  for await (const entry of extract) {
    if (blobs.has(BLOB.exec(entry.header.name)?.[1] ?? '')) entry.resume();
    else await pipeline(entry, pack.entry(entry.header));
  }
  await reading;
  pack.finalize();
  await writing;
}

function linkIfAbsent(source: string, target: string): void {
  try {
    linkSync(source, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** A copy under its own digest, unpacked from gzip, in the cluster's folder. */
async function keepArchive(file: string, paths: ClusterPaths): Promise<string> {
  const folder = join(paths.images, 'archives');
  mkdirSync(folder, { recursive: true });
  const temporary = join(folder, `incoming-${randomUUID()}`);
  const gzipped = isGzip(file);
  const hash = createHash('sha256');
  const source = createReadStream(file);
  const counted = async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      hash.update(chunk);
      yield chunk;
    }
  };
  if (gzipped) await pipeline(source, createGunzip(), counted, createWriteStream(temporary));
  else await pipeline(source, counted, createWriteStream(temporary));
  const kept = join(folder, `${hash.digest('hex').slice(0, 32)}.tar`);
  renameSync(temporary, kept);
  return kept;
}

function isGzip(file: string): boolean {
  const head = Buffer.alloc(2);
  const handle = openSync(file, 'r');
  try {
    return readSync(handle, head, 0, 2, 0) === 2 && head.equals(Buffer.from([0x1f, 0x8b]));
  } finally {
    closeSync(handle);
  }
}

/** Extracts the blobs of an OCI archive into the shared folder; their names. Docker's older layout has none by digest. */
async function keepBlobs(archive: string, paths: ClusterPaths): Promise<readonly string[]> {
  const folder = join(paths.images, 'blobs');
  mkdirSync(folder, { recursive: true });
  const names: string[] = [];
  const extract = tar.extract();
  const reading = pipeline(createReadStream(archive), extract);
  reading.catch(() => undefined); // reported below, when the entries end
  for await (const entry of extract) {
    const match = BLOB.exec(entry.header.name);
    const target = match === null ? undefined : join(folder, match[1]!);
    if (match !== null) names.push(match[1]!);
    if (target === undefined || existsSync(target)) {
      entry.resume();
      continue;
    }
    mkdirSync(dirname(target), { recursive: true });
    // Several nodes may be given the same archive at once.
    const incoming = `${target}.${randomUUID()}`;
    const hash = createHash('sha256');
    await pipeline(
      entry,
      async function* (chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          hash.update(chunk);
          yield chunk;
        }
      },
      createWriteStream(incoming),
    );
    if (hash.digest('hex') !== match![1]) {
      rmSync(incoming);
      throw new UserError(`${archive} is damaged: the blob ${match![1]} has another digest`);
    }
    renameSync(incoming, target);
  }
  await reading;
  return names;
}

/** Image name → nodes that have it. */
export async function listImages(
  config: ClusterConfig,
  paths: ClusterPaths,
  run: Run,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const images = new Map<string, string[]>();
  for (const node of runningNodes(config, paths, run)) {
    const listed = await node.ctr(['images', 'list', '--quiet']);
    for (const name of listed.split('\n').filter((n) => n !== '' && !n.startsWith('sha256:')))
      images.getOrInsertComputed(name, () => []).push(node.name);
  }
  return new Map([...images].toSorted(([a], [b]) => a.localeCompare(b)));
}

export async function removeImage(config: ClusterConfig, paths: ClusterPaths, image: string, run: Run): Promise<void> {
  const known = await listImages(config, paths, run);
  const full = [image, `docker.io/library/${image}`, `docker.io/${image}`].find((n) => known.has(n));
  if (full === undefined) throw new UserError(`no node has an image ${image}; see: coracle image list`);
  for (const node of runningNodes(config, paths, run)) {
    if (known.get(full)!.includes(node.name)) await node.ctr(['images', 'remove', '--sync', full]);
  }
}
