// hostPath: a place of the node itself, checked against its declared type.
import type { FileSystem, FileType } from '#host/file-system.ts';
import { VolumeError, type VolumePlugin } from './volume.ts';

const WANTED: Readonly<Record<string, { readonly type: FileType; readonly words: string }>> = {
  Directory: { type: 'directory', words: 'is not a directory' },
  File: { type: 'file', words: 'is not a file' },
  Socket: { type: 'socket', words: 'is not a socket' },
  CharDevice: { type: 'character', words: 'is not a character device' },
  BlockDevice: { type: 'block', words: 'is not a block device' },
};

export const hostPath: VolumePlugin = {
  field: 'hostPath',
  folder: 'kubernetes.io~host-path',
  async setUp({ volume }, { files }) {
    const { path, type = '' } = volume.hostPath!;
    ensureHostPath(files, path, type);
    return { path, readOnly: false };
  },
  // The node's own files are not the volume's to remove.
  tearDown: async () => {},
};

export function ensureHostPath(files: FileSystem, path: string, type: string): void {
  if (path.split('/').includes('..')) throw new VolumeError(`hostPath ${path}: must not contain '..'`);
  if (type === '') {
    // The runtime bind-mounts it; upstream lets it make a folder.
    if (files.stat(path) === undefined) files.mkdir(path, 0o755);
    return;
  }
  const kind = type.replace('OrCreate', '');
  if (type === 'DirectoryOrCreate' && files.stat(path) === undefined) files.mkdir(path, 0o755);
  if (type === 'FileOrCreate' && files.stat(path) === undefined) files.write(path, '', 0o644);
  const wanted = WANTED[kind];
  if (wanted === undefined) throw new VolumeError(`hostPath type ${JSON.stringify(type)} is unknown`);
  if (files.stat(path)?.type !== wanted.type)
    throw new VolumeError(`hostPath type check failed: ${path} ${wanted.words}`);
}
