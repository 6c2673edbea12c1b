// Processes by the network namespace they are in, and the programs that hold sockets, as /proc tells.
import type { FileSystem } from '#host/file-system.ts';

export type ProcFiles = Pick<FileSystem, 'readText' | 'readlink' | 'list' | 'stat'>;

/** `net:[4026532008]` of a namespace file or of its bind mount. */
export function namespaceInode(path: string, files: ProcFiles): string | undefined {
  const inode = files.stat(path)?.inode;
  return inode === undefined ? undefined : `net:[${inode}]`;
}

/** Pids in this namespace, in order: the sandbox's own first. */
export function processesInNetns(inode: string, files: ProcFiles): readonly number[] {
  return files
    .list('/proc')
    .filter((name) => /^\d+$/.test(name) && readlink(`/proc/${name}/ns/net`, files) === inode)
    .map(Number)
    .sort((a, b) => a - b);
}

/** Pids of a pod by the name of its cgroup: for pods on the host's network, whose namespace tells nothing. */
export function processesOfPod(uid: string, files: ProcFiles): readonly number[] {
  const names = [uid, uid.replaceAll('-', '_')];
  return list('/proc', files)
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      const cgroup = readText(`/proc/${name}/cgroup`, files) ?? '';
      return names.some((n) => cgroup.includes(n));
    })
    .map(Number)
    .sort((a, b) => a - b);
}

/** Socket inode → program, of these processes. */
export function programsBySocket(pids: readonly number[], files: ProcFiles): ReadonlyMap<string, string> {
  const out = new Map<string, string>();
  for (const pid of pids) {
    const program = readText(`/proc/${pid}/comm`, files)?.trim() ?? '';
    for (const fd of list(`/proc/${pid}/fd`, files)) {
      const inode = /^socket:\[(\d+)\]$/.exec(readlink(`/proc/${pid}/fd/${fd}`, files) ?? '')?.[1];
      if (inode !== undefined && !out.has(inode)) out.set(inode, program);
    }
  }
  return out;
}

/** Processes end while they are looked at: nothing is what is found then. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

export const readText = (path: string, files: ProcFiles): string | undefined => attempt(() => files.readText(path));
const readlink = (path: string, files: ProcFiles): string | undefined => attempt(() => files.readlink(path));
const list = (path: string, files: ProcFiles): readonly string[] => attempt(() => files.list(path)) ?? [];
