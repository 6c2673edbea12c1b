// Taking a cluster down, for `down`, for a foreground `up` that ends, and for an `up` that failed.
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createLog } from '#base/log.ts';
import { dropIndex, readIndex } from '#cluster/clusters.ts';
import { type ClusterConfig, readConfig } from '#cluster/config.ts';
import { UserError } from '#cluster/errors.ts';
import { contextName, kubeconfigLock, removeEntry } from '#cluster/kubeconfig-file.ts';
import { tryLock, withLock } from '#cluster/lock.ts';
import { livePart } from '#cluster/parts.ts';
import { type ClusterPaths, clusterPaths, runtimeProgramsDir } from '#cluster/paths.ts';
import { tearDown } from '#cluster/teardown.ts';
import { realFileSystem } from '#host/file-system.ts';
import { run } from '#host/process.ts';
import { findPrograms } from '#install/programs.ts';
import { UserNamespaces } from '#node/pods/user-namespaces.ts';
import { clock, env, home, index } from './context.ts';

export interface StopOptions {
  readonly say: (line: string) => void;
  /** Longest grace given to containers. */
  readonly graceSeconds: number;
  /** Takes the data, the kubeconfig entry and the place in the index away as well. */
  readonly remove: boolean;
}

/** Commands that start or stop a cluster exclude each other until this process ends. */
export async function lockCommands(dataDir: string, name: string): Promise<void> {
  if ((await tryLock(`commands ${dataDir}`)) === undefined) {
    throw new UserError(
      `another coracle command is starting or stopping cluster ${name} right now; wait until it has ended, then look with: coracle status --name ${name}`,
    );
  }
}

/** May run twice, and when nothing runs. */
export async function stopCluster(
  name: string,
  config: ClusterConfig,
  paths: ClusterPaths,
  options: StopOptions,
): Promise<void> {
  if (!config.hollow)
    process.env['PATH'] = findPrograms({
      privateDir: runtimeProgramsDir(home),
      path: env['PATH'] ?? '',
      ...(config.runtimeDir === undefined ? {} : { runtimeDir: config.runtimeDir }),
    }).programs.path;
  await tearDown(config, paths, {
    run,
    clock,
    log: createLog({ write: (line) => void process.stderr.write(line) }, { level: 'warn' }),
    say: options.say,
    othersRun: () => othersRun(name),
    graceSeconds: options.graceSeconds,
  });
  if (!options.remove) return;
  const { kubeconfig, previousContext } = readIndex(index).find((c) => c.name === name) ?? {};
  if (kubeconfig !== undefined)
    await withLock(kubeconfigLock(kubeconfig), () =>
      removeEntry(kubeconfig, contextName(name), paths.data, previousContext),
    );
  removeFolder(paths.data);
  if (config.userNamespacesDir !== undefined)
    new UserNamespaces({ files: realFileSystem, rootDir: paths.data, claimsDir: config.userNamespacesDir }).sweep();
  await dropIndex(index, name);
}

/** A mount point stays, emptied. */
function removeFolder(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true });
  try {
    rmdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
  }
}

/** Whether another cluster with real nodes runs on this machine. */
function othersRun(name: string): boolean {
  return readIndex(index).some((c) => {
    if (c.name === name) return false;
    const paths = clusterPaths(c.dataDir);
    const config = readConfig(paths.config);
    return (
      config !== undefined &&
      !config.hollow &&
      ['supervisor', 'server'].some((part) => livePart(paths, part) !== undefined)
    );
  });
}
