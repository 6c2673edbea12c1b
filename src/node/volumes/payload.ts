// Files of configMap, secret, projected and downwardAPI volumes, changed all at once: a timestamped folder is written, `..data`
// is re-pointed by rename, and every visible name is a link through `..data` (upstream's AtomicWriter).
import type { FileSystem } from '#host/file-system.ts';
import { VolumeError } from './volume.ts';

export interface PayloadFile {
  readonly data: Uint8Array;
  readonly mode: number;
}

export type Payload = ReadonlyMap<string, PayloadFile>;

export interface Ownership {
  /** Group the files belong to (fsGroup); they become group readable. */
  readonly fsGroup?: number;
  /** Owner, for tokens of pods that run as one user. */
  readonly uid?: number;
}

const DATA_LINK = '..data';

/** Writes only when something differs. `nowMs` names the folder. */
export async function writePayload(
  files: FileSystem,
  dir: string,
  payload: Payload,
  ownership: Ownership,
  nowMs: number,
): Promise<void> {
  for (const path of payload.keys()) checkPath(path);
  files.mkdir(dir, 0o755);
  const current = files.readlink(`${dir}/${DATA_LINK}`);
  if (current !== undefined && isSame(files, `${dir}/${current}`, payload)) return;

  const folder = `..${new Date(nowMs).toISOString().replaceAll(/[-:T]/g, '_').replace('Z', '')}.${Math.floor(nowMs % 1 === 0 ? nowMs : nowMs * 1000)}`;
  const target = `${dir}/${folder}`;
  await files.removeAll(target);
  files.mkdir(target, 0o755);
  own(files, target, ownership, 0o755);
  for (const [path, file] of payload) {
    const parents = path.split('/').slice(0, -1);
    for (let i = 1; i <= parents.length; i++) {
      const parent = `${target}/${parents.slice(0, i).join('/')}`;
      files.mkdir(parent, 0o755);
      own(files, parent, ownership, 0o755);
    }
    files.write(`${target}/${path}`, file.data, file.mode);
    own(files, `${target}/${path}`, ownership, file.mode);
  }
  await files.removeAll(`${dir}/${DATA_LINK}_tmp`);
  files.symlink(folder, `${dir}/${DATA_LINK}_tmp`);
  files.rename(`${dir}/${DATA_LINK}_tmp`, `${dir}/${DATA_LINK}`);

  const wanted = new Set([...payload.keys()].map((p) => p.split('/')[0]!));
  for (const name of wanted)
    if (files.readlink(`${dir}/${name}`) === undefined) files.symlink(`${DATA_LINK}/${name}`, `${dir}/${name}`);
  for (const name of files.list(dir)) {
    if (name.startsWith('..')) continue;
    if (!wanted.has(name)) files.unlink(`${dir}/${name}`);
  }
  own(files, dir, ownership, 0o755);
  if (current !== undefined && current !== folder) await files.removeAll(`${dir}/${current}`);
}

function own(files: FileSystem, path: string, ownership: Ownership, mode: number): void {
  if (ownership.uid === undefined && ownership.fsGroup === undefined) return;
  files.chown(path, ownership.uid ?? 0, ownership.fsGroup ?? 0);
  // The group may read what its owner may (volume.SetVolumeOwnership of a read-only volume).
  if (ownership.fsGroup !== undefined) files.chmod(path, mode | ((mode & 0o400) >> 3) | ((mode & 0o100) >> 3));
}

function isSame(files: FileSystem, dir: string, payload: Payload): boolean {
  const present = walk(files, dir, '');
  if (present.length !== payload.size) return false;
  return present.every((path) => {
    const wanted = payload.get(path);
    if (wanted === undefined) return false;
    const file = files.open(`${dir}/${path}`);
    if (file === undefined) return false;
    try {
      const size = file.size();
      return size === wanted.data.length && Buffer.compare(file.read(0, size), wanted.data) === 0;
    } finally {
      file.close();
    }
  });
}

function walk(files: FileSystem, dir: string, prefix: string): string[] {
  return files.list(dir).flatMap((name) => {
    const path = prefix === '' ? name : `${prefix}/${name}`;
    return files.stat(`${dir}/${name}`, false)?.type === 'directory' ? walk(files, `${dir}/${name}`, path) : [path];
  });
}

function checkPath(path: string): void {
  const parts = path.split('/');
  if (path === '' || path.startsWith('/') || parts.includes('..') || parts[0]!.startsWith('..')) {
    throw new VolumeError(`invalid path ${JSON.stringify(path)}: must be relative, without '..'`);
  }
}
