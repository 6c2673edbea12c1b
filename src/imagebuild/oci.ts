// OCI image archives: layers from folders, a configuration, a manifest, an index (image layout 1.0.0), in one tar that
// `ctr images import`, docker and podman load. Same input gives the same bytes.
import { createHash } from 'node:crypto';
import {
  createReadStream,
  createWriteStream,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import tar from 'tar-stream';

export interface ImageConfig {
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly workingDir?: string;
  readonly user?: string;
  readonly exposedPorts?: readonly string[];
  readonly volumes?: readonly string[];
  readonly stopSignal?: string;
}

export interface Layer {
  /** An uncompressed tar file. */
  readonly path: string;
  readonly digest: string;
  readonly size: number;
}

/** Fixed, so that equal content has an equal digest. */
const MTIME = new Date('2026-01-01T00:00:00Z');

export interface LayerFile {
  readonly content: string | Uint8Array;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

export interface LayerEntries {
  /** A folder to take whole, owned by root. */
  readonly root?: string;
  /** Path without leading slash → file; a path ending in `/` is a folder. */
  readonly files?: Readonly<Record<string, LayerFile>>;
  /** Path → target. */
  readonly links?: Readonly<Record<string, string>>;
}

/** Writes a layer tar and returns its digest. */
export async function writeLayer(path: string, entries: LayerEntries): Promise<Layer> {
  const pack = tar.pack();
  const written = pipeline(pack, createWriteStream(path));
  if (entries.root !== undefined) await addFolder(pack, entries.root, '');
  for (const [name, file] of Object.entries(entries.files ?? {})) {
    const owner = { uid: file.uid ?? 0, gid: file.gid ?? 0, mtime: MTIME };
    if (name.endsWith('/')) await put(pack, { name, type: 'directory', mode: file.mode ?? 0o755, ...owner });
    else await put(pack, { name, mode: file.mode ?? 0o644, ...owner }, Buffer.from(file.content));
  }
  for (const [name, linkname] of Object.entries(entries.links ?? {}))
    await put(pack, { name, type: 'symlink', linkname, mode: 0o777, uid: 0, gid: 0, mtime: MTIME });
  pack.finalize();
  await written;
  return { path, ...(await digestOf(path)) };
}

function put(pack: tar.Pack, header: Partial<tar.Header> & { name: string }, body?: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error?: Error | null) => (error ? reject(error) : resolve());
    if (body === undefined) pack.entry(header, done);
    else pack.entry({ ...header, size: body.length }, body, done);
  });
}

async function addFolder(pack: tar.Pack, root: string, at: string): Promise<void> {
  for (const name of readdirSync(join(root, at)).sort()) {
    const path = join(at, name);
    const facts = lstatSync(join(root, path));
    const header = { name: path, mode: facts.mode & 0o7777, uid: 0, gid: 0, mtime: MTIME };
    if (facts.isSymbolicLink())
      await put(pack, { ...header, type: 'symlink', linkname: readlinkSync(join(root, path)) });
    else if (facts.isDirectory()) {
      await put(pack, { ...header, type: 'directory' });
      await addFolder(pack, root, path);
    } else if (facts.isFile()) {
      await new Promise<void>((resolve, reject) => {
        const entry = pack.entry({ ...header, size: facts.size }, (error) => (error ? reject(error) : resolve()));
        createReadStream(join(root, path)).on('error', reject).pipe(entry);
      });
    }
  }
}

async function digestOf(path: string): Promise<{ digest: string; size: number }> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return { digest: hash.digest('hex'), size: statSync(path).size };
}

/** Go's names for this machine's architecture. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** Writes the archive of one image under `name:tag` (a full reference: `docker.io/library/nginx:1.22`). */
export async function writeImage(
  path: string,
  reference: string,
  config: ImageConfig,
  layers: readonly Layer[],
): Promise<void> {
  const blobs = new Map<string, Buffer>();
  const add = (value: unknown, mediaType: string) => {
    const bytes = Buffer.from(JSON.stringify(value));
    const digest = createHash('sha256').update(bytes).digest('hex');
    blobs.set(digest, bytes);
    return { mediaType, digest: `sha256:${digest}`, size: bytes.length };
  };
  const configDescriptor = add(
    {
      created: MTIME.toISOString(),
      architecture: ARCHITECTURES[process.arch] ?? process.arch,
      os: 'linux',
      config: {
        Env: Object.entries({
          PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
          ...config.env,
        }).map(([k, v]) => `${k}=${v}`),
        ...(config.entrypoint === undefined ? {} : { Entrypoint: config.entrypoint }),
        ...(config.command === undefined ? {} : { Cmd: config.command }),
        ...(config.workingDir === undefined ? {} : { WorkingDir: config.workingDir }),
        ...(config.user === undefined ? {} : { User: config.user }),
        ...(config.stopSignal === undefined ? {} : { StopSignal: config.stopSignal }),
        ...(config.exposedPorts === undefined
          ? {}
          : { ExposedPorts: Object.fromEntries(config.exposedPorts.map((p) => [p, {}])) }),
        ...(config.volumes === undefined ? {} : { Volumes: Object.fromEntries(config.volumes.map((v) => [v, {}])) }),
      },
      rootfs: { type: 'layers', diff_ids: layers.map((l) => `sha256:${l.digest}`) },
      history: layers.map(() => ({ created: MTIME.toISOString(), created_by: 'coracle' })),
    },
    'application/vnd.oci.image.config.v1+json',
  );
  const manifest = add(
    {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: configDescriptor,
      layers: layers.map((l) => ({
        mediaType: 'application/vnd.oci.image.layer.v1.tar',
        digest: `sha256:${l.digest}`,
        size: l.size,
      })),
    },
    'application/vnd.oci.image.manifest.v1+json',
  );
  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      {
        ...manifest,
        annotations: {
          'io.containerd.image.name': reference,
          'org.opencontainers.image.ref.name': reference.split(':').at(-1),
        },
      },
    ],
  };

  const pack = tar.pack();
  const written = pipeline(pack, createWriteStream(path));
  const file = (name: string, body: Buffer) => put(pack, { name, mode: 0o644, mtime: MTIME }, body);
  await file('oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
  await file('index.json', Buffer.from(JSON.stringify(index)));
  for (const [digest, bytes] of blobs) await file(`blobs/sha256/${digest}`, bytes);
  for (const layer of layers) {
    await new Promise<void>((resolve, reject) => {
      const entry = pack.entry(
        { name: `blobs/sha256/${layer.digest}`, mode: 0o644, mtime: MTIME, size: layer.size },
        (error) => (error ? reject(error) : resolve()),
      );
      createReadStream(layer.path).on('error', reject).pipe(entry);
    });
  }
  pack.finalize();
  await written;
}

/** Whole content of a folder of definition files, for the cache key of an image. */
export function hashOfFolder(folder: string): string {
  const hash = createHash('sha256');
  const walk = (at: string) => {
    for (const name of readdirSync(join(folder, at)).sort()) {
      const path = join(at, name);
      if (statSync(join(folder, path)).isDirectory()) walk(path);
      else hash.update(`${path}\0`).update(readFileSync(join(folder, path)));
    }
  };
  walk('');
  return hash.digest('hex');
}

export const removeLayer = (layer: Layer): void => rmSync(layer.path, { force: true });
