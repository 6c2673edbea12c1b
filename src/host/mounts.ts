// Mounts, loop devices and file systems on them: what volumes need of the kernel, by the system's own programs.
import { readFileSync } from 'node:fs';
import { mustRun, type Run } from './process.ts';

export interface MountPoint {
  readonly source: string;
  readonly target: string;
  readonly type: string;
  readonly options: string;
}

export interface Mounts {
  /** Mount points of this mount namespace, oldest first. */
  list(): readonly MountPoint[];
  tmpfs(target: string, options: { readonly sizeBytes?: number; readonly mode?: string }): Promise<void>;
  bind(source: string, target: string, options?: { readonly readOnly?: boolean }): Promise<void>;
  device(source: string, target: string, type: string, options: readonly string[]): Promise<void>;
  /** Lazy, so that it never hangs; nothing happens when it is no mount point. */
  unmount(target: string): Promise<void>;
  /** The loop device over a file: the one it has, or a new one. */
  attachLoop(file: string): Promise<string>;
  detachLoop(device: string): Promise<void>;
  /** Loop device of a file, if it has one. */
  findLoop(file: string): Promise<string | undefined>;
  /** The file system on a device or in a file; undefined when there is none. */
  probe(device: string): Promise<string | undefined>;
  format(device: string, type: string): Promise<void>;
}

export class KernelMounts implements Mounts {
  readonly #run: Run;

  constructor(run: Run) {
    this.#run = run;
  }

  list(): readonly MountPoint[] {
    return parseMounts(readFileSync('/proc/self/mounts', 'utf8'));
  }

  async tmpfs(target: string, options: { readonly sizeBytes?: number; readonly mode?: string }): Promise<void> {
    const words = [
      ...(options.sizeBytes === undefined ? [] : [`size=${options.sizeBytes}`]),
      ...(options.mode === undefined ? [] : [`mode=${options.mode}`]),
    ];
    await mustRun(this.#run, 'mount', [
      '-t',
      'tmpfs',
      ...(words.length === 0 ? [] : ['-o', words.join(',')]),
      'tmpfs',
      target,
    ]);
  }

  async bind(source: string, target: string, options: { readonly readOnly?: boolean } = {}): Promise<void> {
    await mustRun(this.#run, 'mount', ['--bind', source, target]);
    if (options.readOnly === true) await mustRun(this.#run, 'mount', ['-o', 'remount,bind,ro', target]);
  }

  async device(source: string, target: string, type: string, options: readonly string[]): Promise<void> {
    await mustRun(this.#run, 'mount', [
      '-t',
      type,
      ...(options.length === 0 ? [] : ['-o', options.join(',')]),
      source,
      target,
    ]);
  }

  async unmount(target: string): Promise<void> {
    if (!this.list().some((m) => m.target === target)) return;
    const result = await this.#run('umount', [target]);
    if (result.code !== 0) await mustRun(this.#run, 'umount', ['-l', target]);
  }

  async attachLoop(file: string): Promise<string> {
    return (await this.findLoop(file)) ?? (await mustRun(this.#run, 'losetup', ['-f', '--show', file])).trim();
  }

  async detachLoop(device: string): Promise<void> {
    await mustRun(this.#run, 'losetup', ['-d', device]);
  }

  async findLoop(file: string): Promise<string | undefined> {
    const out = await mustRun(this.#run, 'losetup', ['-n', '-O', 'NAME', '-j', file]);
    const name = out.trim().split('\n')[0];
    return name === undefined || name === '' ? undefined : name.split(':')[0];
  }

  async probe(device: string): Promise<string | undefined> {
    const result = await this.#run('blkid', ['-p', '-o', 'value', '-s', 'TYPE', device]);
    const type = result.stdout.trim();
    return result.code === 0 && type !== '' ? type : undefined;
  }

  async format(device: string, type: string): Promise<void> {
    // Lazy initialisation keeps a thin file thin; mkfs.xfs writes little by itself.
    const args =
      type === 'xfs'
        ? ['-q', '-f', device]
        : ['-q', '-F', '-m', '0', '-E', 'lazy_itable_init=1,lazy_journal_init=1,nodiscard', device];
    await mustRun(this.#run, `mkfs.${type}`, args);
  }
}

/** Lines of /proc/self/mounts, whose blanks are octal escapes. */
export function parseMounts(text: string): MountPoint[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [source, target, type, options] = line
        .split(' ')
        .map((word) =>
          word.replaceAll(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
        );
      return { source: source!, target: target!, type: type!, options: options! };
    });
}

/** Remembers what is mounted: for hollow nodes and tests. */
export class FakeMounts implements Mounts {
  readonly mounted: MountPoint[] = [];
  /** File → its loop device. */
  readonly loops = new Map<string, string>();
  /** Device → its file system. */
  readonly formatted = new Map<string, string>();

  list(): readonly MountPoint[] {
    return [...this.mounted];
  }

  async tmpfs(target: string, options: { readonly sizeBytes?: number }): Promise<void> {
    this.mounted.push({
      source: 'tmpfs',
      target,
      type: 'tmpfs',
      options: options.sizeBytes === undefined ? 'rw' : `rw,size=${options.sizeBytes}`,
    });
  }

  async bind(source: string, target: string, options: { readonly readOnly?: boolean } = {}): Promise<void> {
    this.mounted.push({ source, target, type: 'bind', options: options.readOnly === true ? 'ro' : 'rw' });
  }

  async device(source: string, target: string, type: string, options: readonly string[]): Promise<void> {
    this.mounted.push({ source, target, type, options: options.join(',') });
  }

  async unmount(target: string): Promise<void> {
    const at = this.mounted.findLastIndex((m) => m.target === target);
    if (at >= 0) this.mounted.splice(at, 1);
  }

  async attachLoop(file: string): Promise<string> {
    const device = this.loops.get(file) ?? `/dev/loop${this.loops.size}`;
    this.loops.set(file, device);
    return device;
  }

  async detachLoop(device: string): Promise<void> {
    for (const [file, loop] of this.loops) if (loop === device) this.loops.delete(file);
  }

  async findLoop(file: string): Promise<string | undefined> {
    return this.loops.get(file);
  }

  async probe(device: string): Promise<string | undefined> {
    return this.formatted.get(device);
  }

  async format(device: string, type: string): Promise<void> {
    this.formatted.set(device, type);
  }
}
