// What every command starts from: which cluster is meant, where it lives, and how to run this program again.
// Every command and every part loads it: it imports nothing heavy.
import { resolve } from 'node:path';
import { SystemClock } from '#base/clock.ts';
import { readIndex } from '#cluster/clusters.ts';
import { checkName, type ClusterConfig, readConfig } from '#cluster/config.ts';
import { UserError } from '#cluster/errors.ts';
import { type ClusterPaths, clusterPaths, coracleHome, defaultDataDir, indexFile } from '#cluster/paths.ts';

export const clock = new SystemClock();
export const env: Readonly<Record<string, string | undefined>> = process.env;
export const uid = process.getuid?.() ?? -1;
export const home = coracleHome(env, uid === 0);
export const index = indexFile(home);
/** Command that runs this program again. */
export const self: readonly string[] = [process.execPath, '--disable-warning=ExperimentalWarning', process.argv[1]!];

export interface NameOption {
  readonly name?: string;
}

/** The cluster that --name, CORACLE_NAME or the default means. */
export function clusterName(options: NameOption): string {
  return checkName(options.name ?? env['CORACLE_NAME'] ?? 'local');
}

export function dataDirOf(name: string): string {
  return readIndex(index).find((c) => c.name === name)?.dataDir ?? defaultDataDir(home, name);
}

export interface OpenCluster {
  readonly name: string;
  readonly config: ClusterConfig;
  readonly paths: ClusterPaths;
}

/** A cluster that exists; a clear sentence when it does not. */
export function openCluster(options: NameOption & { readonly dataDir?: string }): OpenCluster {
  const name = clusterName(options);
  const paths = clusterPaths(resolve(options.dataDir ?? dataDirOf(name)));
  const config = readConfig(paths.config);
  if (config === undefined) {
    const known = readIndex(index).map((c) => c.name);
    throw new UserError(
      `there is no cluster "${name}"${known.length === 0 ? '; make it with: coracle up' : `; there is ${known.join(', ')}. Make it with: coracle up --name ${name}`}`,
    );
  }
  return { name: config.name, config, paths };
}
