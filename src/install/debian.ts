// Brings programs as Debian packages into a private folder: downloaded and verified by apt with lists and cache of
// our own, unpacked with dpkg-deb, never installed. The system's packages and services stay as they are.
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun, type Run } from '#host/process.ts';
import { isExecutable } from './programs.ts';

export interface DebianInstall {
  readonly run: Run;
  /** Everything goes below this folder: apt/ (lists, archives), root/ (unpacked), bin/ (what PATH gets). */
  readonly dir: string;
  /** One line of progress. */
  readonly say: (line: string) => void;
}

/** Programs that are static enough to be linked as they are; the others start through a wrapper that finds their libraries. */
const PLAIN = /^(containerd.*|ctr)$/;

export function isDebian(): boolean {
  return isExecutable('/usr/bin/apt-get') && isExecutable('/usr/bin/dpkg-deb');
}

/** Downloads the packages with what they depend on (and the system lacks), unpacks them, and fills bin/. May run twice. */
export async function installDebianPackages(
  packages: readonly string[],
  { run, dir, say }: DebianInstall,
): Promise<void> {
  const archives = await downloadDebianPackages(packages, { run, dir, say });
  const root = join(dir, 'root');
  mkdirSync(root, { recursive: true });
  for (const archive of archives) await mustRun(run, 'dpkg-deb', ['-x', archive, root]);
  linkPrograms(dir);
  rmSync(join(dir, 'apt', 'cache'), { recursive: true, force: true });
}

/** Paths of the .deb files of the packages and of their dependencies that the system lacks. */
export async function downloadDebianPackages(
  packages: readonly string[],
  { run, dir, say }: DebianInstall,
): Promise<string[]> {
  const lists = join(dir, 'apt', 'lists');
  const cache = join(dir, 'apt', 'cache');
  for (const folder of [lists, join(cache, 'archives', 'partial')]) mkdirSync(folder, { recursive: true });
  const options = [
    `-oDir::State::Lists=${lists}`,
    `-oDir::Cache=${cache}`,
    '-oDebug::NoLocking=true',
    '-oAPT::Sandbox::User=root',
    '-oAcquire::Retries=3',
  ];
  const env = { DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' };
  say('reading package lists');
  await mustRun(run, 'apt-get', [...options, '-qq', 'update'], { env });
  say(`downloading ${packages.join(', ')}`);
  await mustRun(
    run,
    'apt-get',
    [
      ...options,
      '-qq',
      '-y',
      '--no-install-recommends',
      '--download-only',
      '--reinstall',
      '-oAPT::Get::Allow-Remove-Essential=false',
      'install',
      ...packages,
    ],
    { env },
  );
  return readdirSync(join(cache, 'archives'))
    .filter((f) => f.endsWith('.deb'))
    .map((f) => join(cache, 'archives', f));
}

/** Every program of root/ appears in bin/. Clusters may be running by what is there: each entry is replaced whole. */
function linkPrograms(dir: string): void {
  const root = join(dir, 'root');
  const bin = join(dir, 'bin');
  mkdirSync(bin, { recursive: true });
  const libraries = libraryFolders(root).join(':');
  const linked = new Set<string>();
  for (const folder of ['usr/bin', 'bin', 'usr/sbin', 'sbin']) {
    const from = join(root, folder);
    if (!existsSync(from)) continue;
    for (const name of readdirSync(from)) {
      const target = join(from, name);
      if (linked.has(name)) continue;
      linked.add(name);
      const link = join(bin, `.${name}.new`);
      rmSync(link, { force: true });
      if (PLAIN.test(name) || libraries === '') symlinkSync(target, link);
      else {
        writeFileSync(link, `#!/bin/sh\nLD_LIBRARY_PATH='${libraries}' exec '${target}' "$@"\n`);
        chmodSync(link, 0o755);
      }
      renameSync(link, join(bin, name));
    }
  }
}

function libraryFolders(root: string): string[] {
  const folders: string[] = [];
  for (const base of ['usr/lib', 'lib']) {
    const at = join(root, base);
    if (!existsSync(at)) continue;
    for (const name of readdirSync(at)) if (name.endsWith('-linux-gnu')) folders.push(join(at, name));
  }
  return folders;
}
