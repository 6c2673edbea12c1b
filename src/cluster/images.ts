// Images on nodes. An archive's blobs are stored once a machine: every node's containerd gets hard links to them before
// the import, finds the content there, and only unpacks.
import { createHash, randomUUID } from 'node:crypto';
import { closeSync, copyFileSync, createReadStream, createWriteStream, existsSync, linkSync, mkdirSync, openSync, readdirSync, readSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
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
      mustRun(run, 'nsenter', [`--target=${init.pid}`, '--net', '--mount', '--pid', '--', 'ctr', '--namespace', NAMESPACE, '--address', '/run/containerd/containerd.sock', ...args]);
    return [{ name: node.name, ctr }];
  });
  if (nodes.length === 0) throw new UserError('no node is running; start the cluster with: coracle up');
  return nodes;
}

/** Imports docker or OCI archives (also gzipped) on all running nodes, and keeps them for nodes that come later. */
export async function loadImages(config: ClusterConfig, paths: ClusterPaths, files: readonly string[], { run, say }: LoadDeps): Promise<void> {
  const nodes = runningNodes(config, paths, run);
  for (const file of files) {
    const kept = await keepArchive(file, paths);
    await importOn(nodes.map((n) => n.name), kept, config, paths, run);
    say(`${file.split('/').at(-1)} is on ${nodes.map((n) => n.name).join(', ')}`);
  }
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

/** Without it no pod starts. */
export async function loadSandboxImage(node: string, config: ClusterConfig, paths: ClusterPaths, run: Run): Promise<void> {
  await importOn([node], join(paths.images, 'archives', SANDBOX_ARCHIVE), config, paths, run);
}

/** Imports everything that was ever loaded on one node: for nodes that came later. */
export async function loadKeptImages(node: string, config: ClusterConfig, paths: ClusterPaths, run: Run): Promise<void> {
  const folder = join(paths.images, 'archives');
  for (const archive of readdirSync(folder).filter((f) => f.endsWith('.tar') && f !== SANDBOX_ARCHIVE)) await importOn([node], join(folder, archive), config, paths, run);
}

async function importOn(names: readonly string[], archive: string, config: ClusterConfig, paths: ClusterPaths, run: Run): Promise<void> {
  const blobs = await keepBlobs(archive, paths);
  const importOne = async (node: RunningNode) => {
    const content = join(paths.node(node.name).containerd, CONTENT);
    mkdirSync(content, { recursive: true });
    for (const blob of blobs) {
      const target = join(content, blob);
      linkIfAbsent(join(paths.images, 'blobs', blob), target);
    }
    try {
      await node.ctr(['images', 'import', '--snapshotter', 'overlayfs', archive]);
    } catch (error) {
      if (error instanceof CommandError) throw new UserError(`${archive.split('/').at(-1)} could not be imported on ${node.name}: ${error.result.stderr.trim().split('\n').at(-1)}. Give archives made by docker save, or OCI archives`);
      throw error;
    }
  };
  await Promise.all(runningNodes(config, paths, run).filter((n) => names.includes(n.name)).map(importOne));
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
    const match = /^(?:\.\/)?blobs\/sha256\/([0-9a-f]{64})$/.exec(entry.header.name);
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
export async function listImages(config: ClusterConfig, paths: ClusterPaths, run: Run): Promise<ReadonlyMap<string, readonly string[]>> {
  const images = new Map<string, string[]>();
  for (const node of runningNodes(config, paths, run)) {
    const listed = await node.ctr(['images', 'list', '--quiet']);
    for (const name of listed.split('\n').filter((n) => n !== '' && !n.startsWith('sha256:'))) images.getOrInsertComputed(name, () => []).push(node.name);
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
