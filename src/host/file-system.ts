// A part of the file system as a dependency: what the kubelet needs of files. Small operations are synchronous on purpose (they take
// microseconds and never wait for a disk on the tmpfs and directories concerned); what can be long is a promise.
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  realpathSync,
  renameSync,
  rmdirSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { lstat, readdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';

export type FileType = 'file' | 'directory' | 'symlink' | 'socket' | 'character' | 'block' | 'other';

export interface FileFacts {
  readonly type: FileType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtimeMs: number;
  readonly inode: number;
}

export interface FilesystemFacts {
  readonly totalBytes: number;
  readonly availableBytes: number;
  readonly inodes: number;
  readonly inodesFree: number;
}

export interface DiskUsage {
  readonly bytes: number;
  readonly inodes: number;
}

/** An open file for reading at any place. */
export interface OpenFile {
  size(): number;
  /** Up to `length` bytes from `position`; empty at the end. */
  read(position: number, length: number): Uint8Array;
  close(): void;
}

export interface FileSystem {
  /** With its parents; the mode of an existing folder stays. */
  mkdir(path: string, mode?: number): void;
  write(path: string, data: string | Uint8Array, mode?: number): void;
  /** Undefined when there is no such file. */
  readText(path: string): string | undefined;
  symlink(target: string, path: string): void;
  readlink(path: string): string | undefined;
  rename(from: string, to: string): void;
  /** Names in a folder; empty when there is none. */
  list(path: string): readonly string[];
  /** Follows symlinks unless told not to; undefined when there is nothing. */
  stat(path: string, follow?: boolean): FileFacts | undefined;
  /** Undefined when a part of it does not exist. */
  realpath(path: string): string | undefined;
  chown(path: string, uid: number, gid: number): void;
  chmod(path: string, mode: number): void;
  /** Makes a sparse file of this size, or changes its size. */
  truncate(path: string, bytes: number): void;
  unlink(path: string): void;
  rmdir(path: string): void;
  /** Removes whatever is there; never fails when nothing is. */
  removeAll(path: string): Promise<void>;
  statfs(path: string): Promise<FilesystemFacts>;
  /** What a file, or a folder with all in it, takes of its disk; other disks mounted below are left out. Nothing there is nothing. */
  usage(path: string): Promise<DiskUsage>;
  /** Undefined when there is no such file. */
  open(path: string): OpenFile | undefined;
  /** Calls back when the file or folder changes; returns what ends it. */
  watch(path: string, onChange: () => void): () => void;
}

/** stat counts blocks of this size, whatever the disk's are. */
const BLOCK_BYTES = 512;

/** Folder by folder, so that one with many files does not take the thread pool for itself. */
async function usage(top: string): Promise<DiskUsage> {
  let [bytes, inodes] = [0, 0];
  /** Files of several links, which count once. */
  const seen = new Set<number>();
  let device: number | undefined;
  const left = [top];
  for (let path = left.pop(); path !== undefined; path = left.pop()) {
    try {
      const facts = await lstat(path);
      device ??= facts.dev;
      if (facts.dev !== device || (facts.nlink > 1 && !facts.isDirectory() && seen.has(facts.ino))) continue;
      if (facts.nlink > 1) seen.add(facts.ino);
      bytes += facts.blocks * BLOCK_BYTES;
      inodes += 1;
      if (facts.isDirectory()) for (const name of await readdir(path)) left.push(join(path, name));
    } catch (error) {
      if (!missing(error)) throw error; // files come and go while they are counted
    }
  }
  return { bytes, inodes };
}

function missing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function ifThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (missing(error)) return undefined;
    throw error;
  }
}

function factsOf(s: ReturnType<typeof lstatSync> & object): FileFacts {
  const type: FileType = s.isFile()
    ? 'file'
    : s.isDirectory()
      ? 'directory'
      : s.isSymbolicLink()
        ? 'symlink'
        : s.isSocket()
          ? 'socket'
          : s.isCharacterDevice()
            ? 'character'
            : s.isBlockDevice()
              ? 'block'
              : 'other';
  return {
    type,
    mode: Number(s.mode) & 0o7777,
    uid: Number(s.uid),
    gid: Number(s.gid),
    size: Number(s.size),
    mtimeMs: Number(s.mtimeMs),
    inode: Number(s.ino),
  };
}

/** The machine's own files. */
export const realFileSystem: FileSystem = {
  mkdir(path, mode = 0o755) {
    if (existsSync(path)) return;
    mkdirSync(path, { recursive: true, mode });
    chmodSync(path, mode); // the process's umask must not take bits away
  },
  write(path, data, mode = 0o644) {
    writeFileSync(path, data, { mode });
    chmodSync(path, mode);
  },
  readText: (path) => ifThere(() => readFileSync(path, 'utf8')),
  symlink: (target, path) => symlinkSync(target, path),
  readlink: (path) => ifThere(() => readlinkSync(path)),
  rename: (from, to) => renameSync(from, to),
  list: (path) => ifThere(() => readdirSync(path)) ?? [],
  stat: (path, follow = true) => ifThere(() => factsOf(follow ? statSync(path) : lstatSync(path))),
  realpath: (path) => ifThere(() => realpathSync(path)),
  chown: (path, uid, gid) => chownSync(path, uid, gid),
  chmod: (path, mode) => chmodSync(path, mode),
  truncate(path, bytes) {
    if (!existsSync(path)) writeFileSync(path, '', { mode: 0o600 });
    truncateSync(path, bytes);
  },
  unlink(path) {
    ifThere(() => unlinkSync(path));
  },
  rmdir(path) {
    ifThere(() => rmdirSync(path));
  },
  removeAll: (path) => rm(path, { recursive: true, force: true }),
  async statfs(path) {
    const s = await statfs(path);
    return { totalBytes: s.blocks * s.bsize, availableBytes: s.bavail * s.bsize, inodes: s.files, inodesFree: s.ffree };
  },
  usage,
  open(path) {
    const file = ifThere(() => openSync(path, 'r'));
    if (file === undefined) return undefined;
    return {
      size: () => fstatSync(file).size,
      read(position, length) {
        const buffer = Buffer.allocUnsafe(length);
        return buffer.subarray(0, readSync(file, buffer, 0, length, position));
      },
      close: () => closeSync(file),
    };
  },
  watch(path, onChange) {
    const watcher = watch(path, { persistent: false }, () => onChange());
    watcher.on('error', () => watcher.close());
    return () => watcher.close();
  },
};
