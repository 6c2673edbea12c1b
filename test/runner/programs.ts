// What the tests need beyond npm: brought as `up` brings it, by the same installer into the same private folder. Nothing is
// installed on the system.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { coracleHome, runtimeProgramsDir } from '#cluster/paths.ts';
import { run } from '#host/process.ts';
import { installDebianPackages, isDebian } from '#install/debian.ts';
import { bringKubectl, layerArchive } from '#install/kubectl.ts';
import { CNI_PACKAGE, findPrograms } from '#install/programs.ts';

export interface TestPrograms {
  /** For the environment of every suite. */
  readonly env: Readonly<Record<string, string>>;
  /** Why real containers cannot run; undefined when they can. */
  readonly lacks?: string;
}

/** Files below the private root that only tests want, and their packages. */
const EXTRA: readonly { readonly file: string; readonly package: string; readonly purpose: string }[] = [
  { file: 'usr/bin/containerd', package: 'containerd', purpose: 'the kubelet’s tests start one of their own' },
  { file: 'usr/sbin/runc', package: 'runc', purpose: 'its runtime' },
  { file: 'usr/lib/cni/ptp', package: CNI_PACKAGE, purpose: 'its pod network' },
  { file: 'bin/busybox', package: 'busybox-static', purpose: 'its image' },
  { file: 'sbin/mkfs.xfs', package: 'xfsprogs', purpose: 'power cuts of the store: a file system with reflinks' },
];

export async function bringTestPrograms(
  root: string,
  path: string,
  say: (line: string) => void,
): Promise<TestPrograms> {
  const isRoot = process.getuid?.() === 0;
  const home = coracleHome(process.env, isRoot);
  const tools = bringKubectl(join(home, 'tools'), layerArchive(root));
  const env = { KUBECTL: tools.kubectl, HELM: tools.helm };
  if (!isRoot) return { env, lacks: 'not root' };
  const privateDir = runtimeProgramsDir(home);
  const missing = () => {
    const unpacked = join(privateDir, 'root');
    const extra = EXTRA.filter((e) => !['', 'usr/'].some((p) => existsSync(join(unpacked, p, e.file)))).map(
      (e) => e.package,
    );
    const { missingPackages, missingParts } = findPrograms({ privateDir, path });
    return [...new Set([...missingPackages, ...missingParts.map((p) => p.package), ...extra])];
  };
  const packages = missing();
  if (packages.length > 0) {
    if (!isDebian())
      return {
        env,
        lacks: `missing: ${packages.join(', ')}, and this is not a Debian-like system that could bring them`,
      };
    say(`bringing ${packages.join(', ')} into ${privateDir} (the system's packages stay as they are)`);
    mkdirSync(privateDir, { recursive: true });
    try {
      await installDebianPackages(packages, { run, dir: privateDir, say });
    } catch (error) {
      return { env, lacks: `the packages did not come: ${(error as Error).message}` };
    }
    const still = missing();
    if (still.length > 0) return { env, lacks: `missing after download: ${still.join(', ')}` };
  }
  const found = findPrograms({ privateDir, path }).programs;
  return { env: { ...env, PATH: found.path, CORACLE_RUNTIME_DIR: join(privateDir, 'root') } };
}
