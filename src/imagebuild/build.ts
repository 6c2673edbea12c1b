// Builds images from their definitions (`images/NAME/image.json`): Debian packages, the Node that runs this program, TypeScript
// bundled to one file, and files beside the definition. An archive is kept under a hash of all that, and made once.
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { identify, mustRun, type Run } from '#host/process.ts';
import { unpackDebianLayer } from './debian-layer.ts';
import { hashOfFolder, type Layer, type LayerFile, removeLayer, writeImage, writeLayer } from './oci.ts';
import { pauseLayer } from './pause.ts';

/** `image.json`. Paths in the image have no leading slash; a folder may end in `:UID`, its owner. */
export interface ImageDefinition {
  readonly reference: string;
  readonly builtin?: 'pause';
  readonly packages?: readonly string[];
  readonly exclude?: readonly string[];
  /** Excluded by default, wanted here. */
  readonly keep?: readonly string[];
  readonly remove?: readonly string[];
  /** A busybox binary: every applet gets a link, but for those that `links` or `files` have. */
  readonly applets?: string;
  /** The running Node as /usr/bin/node, in a layer that images share. */
  readonly node?: boolean;
  /** Path in the image → TypeScript file beside the definition. */
  readonly bundle?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  /** Path of one of `files` → its mode in octal, where it is not the usual one. */
  readonly modes?: Readonly<Record<string, string>>;
  readonly links?: Readonly<Record<string, string>>;
  readonly folders?: readonly string[];
  readonly users?: Readonly<Record<string, number>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly workingDir?: string;
  readonly user?: string;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly stopSignal?: string;
}

export interface BuildDeps {
  readonly run: Run;
  /** Archives and downloads are kept here. */
  readonly cacheDir: string;
  /** The checkout: images/ is below it, and esbuild in its node_modules. */
  readonly root: string;
  readonly say: (line: string) => void;
}

const NODE_PACKAGES: readonly string[] = [
  'libc6',
  'libstdc++6',
  'libgcc-s1',
  'libatomic1',
  'dash',
  'coreutils',
  'libc-bin',
];
const EXECUTABLE = /\.sh$|\/bin\//;

export function imageNames(root: string): readonly string[] {
  return readdirSync(join(root, 'images')).filter((d) => existsSync(join(root, 'images', d, 'image.json')));
}

export function readDefinition(root: string, name: string): ImageDefinition {
  return JSON.parse(readFileSync(join(root, 'images', name, 'image.json'), 'utf8')) as ImageDefinition;
}

/** Path of the image's archive; built when its definition, or this Node, is not what the kept one was built from. */
export async function buildImage(name: string, deps: BuildDeps): Promise<string> {
  const folder = join(deps.root, 'images', name);
  const definition = readDefinition(deps.root, name);
  const key = `${hashOfFolder(folder).slice(0, 24)}${definition.node === true ? `-${process.version}` : ''}-${process.arch}`;
  const archive = join(deps.cacheDir, 'archives', `${name}-${key}.tar`);
  if (existsSync(archive)) return archive;
  mkdirSync(dirname(archive), { recursive: true });
  deps.say(`building image ${definition.reference}`);
  await inScratch(deps.cacheDir, async (scratch) => {
    const layers = definition.node === true ? [await nodeLayer(deps)] : [];
    const own: Layer[] = [];
    if (definition.packages !== undefined) own.push(await packagesLayer(definition, scratch, deps));
    own.push(await filesLayer(definition, folder, scratch, deps));
    // Two commands may build the same image at the same time: each a whole one, and either will do.
    const whole = join(scratch, 'image.tar');
    await writeImage(whole, definition.reference, { ...definition, exposedPorts: definition.ports ?? [] }, [
      ...layers,
      ...own,
    ]);
    own.forEach(removeLayer);
    renameSync(whole, archive);
  });
  return archive;
}

/** A build's own folder: this, its process id, and chance. */
const SCRATCH = 'build-';

/** A folder that is gone afterwards, however it ends. */
async function inScratch<T>(cacheDir: string, work: (scratch: string) => Promise<T>): Promise<T> {
  removeAbandoned(cacheDir);
  const scratch = mkdtempSync(join(cacheDir, `${SCRATCH}${process.pid}-`));
  try {
    return await work(scratch);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Folders of builds that were interrupted: their process is gone. */
function removeAbandoned(cacheDir: string): void {
  for (const folder of readdirSync(cacheDir)) {
    if (!folder.startsWith(SCRATCH)) continue;
    const pid = Number.parseInt(folder.slice(SCRATCH.length), 10);
    if (Number.isNaN(pid) || identify(pid) === undefined)
      rmSync(join(cacheDir, folder), { recursive: true, force: true });
  }
}

async function packagesLayer(definition: ImageDefinition, scratch: string, deps: BuildDeps): Promise<Layer> {
  const root = join(scratch, 'root');
  await unpackDebianLayer({
    run: deps.run,
    cacheDir: deps.cacheDir,
    packages: definition.packages!,
    exclude: definition.exclude ?? [],
    keep: definition.keep ?? [],
    into: root,
  });
  for (const path of definition.remove ?? []) rmSync(join(root, path), { recursive: true, force: true });
  return writeLayer(join(scratch, 'packages.tar'), { root });
}

/** Node and the libraries it needs: made once for all images that want it. */
async function nodeLayer(deps: BuildDeps): Promise<Layer> {
  const path = join(deps.cacheDir, `node-${process.version}-${process.arch}.layer.tar`);
  const known = `${path}.json`;
  if (existsSync(known)) return JSON.parse(readFileSync(known, 'utf8')) as Layer;
  return inScratch(deps.cacheDir, async (scratch) => {
    const root = join(scratch, 'root');
    await unpackDebianLayer({
      run: deps.run,
      cacheDir: deps.cacheDir,
      packages: NODE_PACKAGES,
      exclude: [],
      keep: [],
      into: root,
    });
    mkdirSync(join(root, 'usr', 'bin'), { recursive: true });
    copyFileSync(process.execPath, join(root, 'usr', 'bin', 'node'));
    chmodSync(join(root, 'usr', 'bin', 'node'), 0o755);
    const layer = { ...(await writeLayer(join(scratch, 'layer.tar'), { root })), path };
    renameSync(join(scratch, 'layer.tar'), path);
    writeFileSync(known, JSON.stringify(layer));
    return layer;
  });
}

async function filesLayer(
  definition: ImageDefinition,
  folder: string,
  scratch: string,
  deps: BuildDeps,
): Promise<Layer> {
  const files: Record<string, LayerFile> = definition.builtin === 'pause' ? { ...pauseLayer().files } : {};
  const links: Record<string, string> = { ...definition.links };
  if (definition.builtin === undefined) Object.assign(files, accounts(definition.users ?? {}));
  for (const entry of definition.folders ?? []) {
    const [path, owner] = entry.split(':');
    files[`${path}/`] = {
      content: '',
      mode: path === 'tmp' ? 0o1777 : 0o755,
      ...(owner === undefined ? {} : { uid: Number(owner), gid: Number(owner) }),
    };
  }
  for (const [path, source] of Object.entries(definition.files ?? {})) {
    const mode = definition.modes?.[path];
    files[path] = {
      content: readFileSync(join(folder, source)),
      mode: mode === undefined ? (EXECUTABLE.test(path) ? 0o755 : 0o644) : Number.parseInt(mode, 8),
    };
  }
  for (const [path, source] of Object.entries(definition.bundle ?? {})) {
    const out = join(scratch, 'bundle.mjs');
    await mustRun(
      deps.run,
      join(deps.root, 'node_modules', '.bin', 'esbuild'),
      [
        join(folder, source),
        '--bundle',
        '--platform=node',
        '--format=esm',
        `--outfile=${out}`,
        '--log-level=error',
        "--banner:js=import{createRequire}from'node:module';const require=createRequire(import.meta.url);",
        '--external:pg-native',
      ],
      { cwd: deps.root },
    );
    files[path] = { content: readFileSync(out) };
  }
  if (definition.applets !== undefined) {
    const binary = join(scratch, 'root', definition.applets);
    for (const applet of (await mustRun(deps.run, binary, ['--list'])).split('\n'))
      if (applet !== '' && applet !== 'busybox' && files[`bin/${applet}`] === undefined)
        links[`bin/${applet}`] ??= 'busybox';
  }
  return writeLayer(join(scratch, 'files.tar'), { files, links });
}

function accounts(users: Readonly<Record<string, number>>): Record<string, LayerFile> {
  const rows = Object.entries({ root: 0, nobody: 65_534, ...users });
  return {
    'etc/passwd': { content: rows.map(([name, id]) => `${name}:x:${id}:${id}:${name}:/:/bin/sh\n`).join('') },
    'etc/group': { content: rows.map(([name, id]) => `${name === 'nobody' ? 'nogroup' : name}:x:${id}:\n`).join('') },
    'etc/nsswitch.conf': { content: 'hosts: files dns\n' },
  };
}
