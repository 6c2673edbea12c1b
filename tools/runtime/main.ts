// Builds containerd, runc and the CNI plugins from their Go modules into a folder for `up --runtime-dir`: newer ones than a stable
// distribution has, for what needs them (user namespaces). Three to five minutes; what is there already stays.
//
//     npm run runtime [-- DIR]
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DEFAULT_DIR } from './folder.ts';

const CONTAINERD = 'v2.4.2';
const RUNC = 'v1.5.2';
const CNI_PLUGINS = 'v1.9.1';

interface Build {
  /** Folder below DIR, laid out as Debian's packages are: what `up --runtime-dir` looks through. */
  readonly folder: string;
  readonly packages: readonly string[];
  readonly version: string;
  readonly tags: string;
  readonly linkerFlags: string;
  readonly usesC: boolean;
}

const BUILDS: readonly Build[] = [
  {
    folder: 'usr/bin',
    packages: ['github.com/opencontainers/runc'],
    version: RUNC,
    // Without seccomp it would refuse every container that wants a profile.
    tags: 'seccomp netgo osusergo',
    linkerFlags: '',
    usesC: true,
  },
  {
    folder: 'usr/lib/cni',
    packages: ['main/ptp', 'main/bridge', 'main/loopback', 'ipam/host-local', 'meta/portmap'].map(
      (p) => `github.com/containernetworking/plugins/plugins/${p}`,
    ),
    version: CNI_PLUGINS,
    tags: 'netgo osusergo',
    linkerFlags: '',
    usesC: false,
  },
  {
    folder: 'usr/bin',
    packages: ['containerd', 'containerd-shim-runc-v2', 'ctr'].map(
      (p) => `github.com/containerd/containerd/v2/cmd/${p}`,
    ),
    version: CONTAINERD,
    tags: 'netgo osusergo no_btrfs no_devmapper no_zfs no_aufs',
    linkerFlags: `-X github.com/containerd/containerd/v2/version.Version=${CONTAINERD}`,
    usesC: false,
  },
];

const dir = resolve(process.argv[2] ?? DEFAULT_DIR);
const missing = missingTools();
if (missing.length > 0) fail(`the runtime is built with tools that are not here: ${missing.join('; ')}`, 69);
for (const build of BUILDS) install(build);
writeFileSync(join(dir, 'versions'), `containerd ${CONTAINERD}\nrunc ${RUNC}\nCNI plugins ${CNI_PLUGINS}\n`);
console.log(`built: use it with \`coracle up --runtime-dir ${dir}\``);

function install({ folder, packages, version, tags, linkerFlags, usesC }: Build): void {
  const bin = join(dir, folder);
  mkdirSync(bin, { recursive: true });
  const stamp = join(bin, `.${packages[0]!.split('/').at(-1)}`);
  const made = packages.every((p) => existsSync(join(bin, p.split('/').at(-1)!)));
  if (made && existsSync(stamp) && readFileSync(stamp, 'utf8') === version) return;
  console.log(`building ${packages.map((p) => p.split('/').at(-1)).join(', ')} ${version}`);
  const args = ['install', '-trimpath', '-tags', tags, '-ldflags', `-s -w ${linkerFlags}`.trimEnd()];
  const env = { ...process.env, GOBIN: bin, GOFLAGS: '-buildvcs=false', CGO_ENABLED: usesC ? '1' : '0' };
  const { status } = spawnSync('go', [...args, ...packages.map((p) => `${p}@${version}`)], { env, stdio: 'inherit' });
  if (status !== 0) fail(`go install of ${packages[0]} ended with code ${status}`);
  writeFileSync(stamp, version);
}

function missingTools(): string[] {
  const works = (command: string, ...args: string[]): boolean => spawnSync(command, args).status === 0;
  return [
    ...(works('go', 'version') ? [] : ['Go 1.25 or newer (go)']),
    ...(works('cc', '--version') ? [] : ['a C compiler (Debian: gcc, libc6-dev)']),
    ...(works('pkg-config', '--exists', 'libseccomp')
      ? []
      : ['the headers of libseccomp (Debian: libseccomp-dev, pkg-config)']),
  ];
}

function fail(message: string, code = 1): never {
  console.error(message);
  process.exit(code);
}
