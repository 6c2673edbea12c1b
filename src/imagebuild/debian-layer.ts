// A root file system from Debian packages: the closure of what is asked for, computed by apt against an empty system,
// downloaded, verified and unpacked. No maintainer script runs, and nothing touches the machine's own packages.
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun, type Run } from '#host/process.ts';

export interface DebianLayerOptions {
  readonly run: Run;
  /** apt's lists and the downloaded archives, shared by all builds. */
  readonly cacheDir: string;
  readonly packages: readonly string[];
  /** Packages of the closure to leave out: documentation, or heavy parts that the image does without. */
  readonly exclude: readonly string[];
  /** Packages that are left out everywhere else, wanted here. */
  readonly keep: readonly string[];
  /** Where to unpack. */
  readonly into: string;
}

const ENV = { DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' };

/** Never needed inside a container; kept out of every closure. */
const ALWAYS_EXCLUDED: readonly string[] = [
  'debconf',
  'debconf-2.0',
  'dpkg',
  'perl-base',
  'tar',
  'adduser',
  'passwd',
  'ucf',
  'sensible-utils',
  'init-system-helpers',
  'lsb-base',
  'sysvinit-utils',
  'libsystemd-shared',
  'gcc-12-base',
  'e2fsprogs',
  'mount',
  'login',
  'cdebconf',
];

/** Folders that only people and installers read. */
const REMOVED: readonly string[] = [
  'usr/share/doc',
  'usr/share/man',
  'usr/share/info',
  'usr/share/lintian',
  'usr/share/bug',
  'usr/share/locale',
  'var/lib/dpkg',
];

export async function unpackDebianLayer({
  run,
  cacheDir,
  packages,
  exclude,
  keep,
  into,
}: DebianLayerOptions): Promise<void> {
  const lists = join(cacheDir, 'lists');
  const archives = join(cacheDir, 'debs');
  const status = join(cacheDir, 'empty-status');
  mkdirSync(join(archives, 'partial'), { recursive: true });
  mkdirSync(into, { recursive: true });
  writeFileSync(status, '');
  const aptWith = (folder: string) => [
    '-qq',
    `-oDir::State::Lists=${folder}`,
    `-oDir::Cache=${join(folder, 'cache')}`,
    `-oDir::State::status=${status}`,
    '-oDebug::NoLocking=true',
    '-oAPT::Sandbox::User=root',
    '-oAcquire::Retries=3',
  ];
  // Lists and archives arrive beside the root, and are kept only when whole: apt takes a torn one for all there is.
  if (!existsSync(lists)) {
    const arriving = `${into}.lists`;
    mkdirSync(join(arriving, 'partial'), { recursive: true });
    await mustRun(run, 'apt-get', [...aptWith(arriving), 'update'], { env: ENV });
    // Somebody else's may have come in the meantime.
    if (!existsSync(lists)) renameSync(arriving, lists);
  }
  const apt = aptWith(lists);
  const planned = await mustRun(
    run,
    'apt-get',
    [...apt, '--simulate', '--no-install-recommends', '--yes', 'install', ...packages],
    { env: ENV },
  );
  const excluded = new Set([...ALWAYS_EXCLUDED.filter((p) => !keep.includes(p)), ...exclude]);
  const closure = parsePlan(planned).filter((p) => !excluded.has(p.name));
  const present = new Set(readdirSync(archives));
  const wanted = closure.filter((p) => !present.has(p.file));
  if (wanted.length > 0) {
    const arriving = `${into}.debs`;
    mkdirSync(arriving, { recursive: true });
    const download = [...apt, 'download', ...wanted.map((p) => `${p.name}=${p.version}`)];
    try {
      await mustRun(run, 'apt-get', download, { env: ENV, cwd: arriving });
    } catch (error) {
      rmSync(lists, { recursive: true }); // lists that are too old name packages that are gone: the next try reads new ones
      throw error;
    }
    for (const file of readdirSync(arriving)) renameSync(join(arriving, file), join(archives, file));
  }
  for (const p of closure) await mustRun(run, 'dpkg-deb', ['-x', join(archives, p.file), into]);
  for (const folder of REMOVED) rmSync(join(into, folder), { recursive: true, force: true });
}

interface PlannedPackage {
  readonly name: string;
  readonly version: string;
  /** The archive's file name as `apt-get download` writes it. */
  readonly file: string;
}

/** `Inst NAME (VERSION Release [ARCH])` lines of a simulated install. */
export function parsePlan(text: string): PlannedPackage[] {
  return text.split('\n').flatMap((line) => {
    const match = /^Inst (\S+) (?:\[\S+\] )?\((\S+) [^[]*\[(\S+)\]/.exec(line);
    if (match === null) return [];
    const [, name, version, architecture] = match;
    return [{ name: name!, version: version!, file: `${name}_${version!.replaceAll(':', '%3a')}_${architecture}.deb` }];
  });
}
