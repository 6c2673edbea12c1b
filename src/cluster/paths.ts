// Where a cluster keeps things: one data directory, everything below it named here.
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

export interface ClusterPaths {
  readonly data: string;
  readonly config: string;
  readonly kubeconfig: string;
  readonly pki: string;
  readonly store: string;
  readonly volumes: string;
  readonly images: string;
  readonly logs: string;
  /** Identities of running parts, sockets. */
  readonly run: string;
  log(part: string): string;
  part(part: string): string;
  node(name: string): NodePaths;
}

export interface NodePaths {
  readonly root: string;
  readonly kubelet: string;
  readonly containerd: string;
  readonly containerdConfig: string;
  readonly cniConf: string;
  /** Holds the init's pid as the machine sees it. */
  readonly initPid: string;
}

export function clusterPaths(data: string): ClusterPaths {
  return {
    data,
    config: join(data, 'cluster.json'),
    kubeconfig: join(data, 'kubeconfig'),
    pki: join(data, 'pki'),
    store: join(data, 'store'),
    volumes: join(data, 'volumes'),
    images: join(data, 'images'),
    logs: join(data, 'logs'),
    run: join(data, 'run'),
    log: (part) => join(data, 'logs', `${part}.log`),
    part: (part) => join(data, 'run', `${part}.json`),
    node: (name) => {
      const root = join(data, 'nodes', name);
      return {
        root,
        kubelet: join(root, 'kubelet'),
        containerd: join(root, 'containerd'),
        containerdConfig: join(root, 'containerd.toml'),
        cniConf: join(root, 'cni'),
        initPid: join(root, 'init.pid'),
      };
    },
  };
}

/** The folder that holds the clusters, the downloaded programs and the index: /var/lib for root, the user's data folder otherwise. */
export function coracleHome(env: Readonly<Record<string, string | undefined>>, isRoot: boolean): string {
  if (env['CORACLE_HOME'] !== undefined && env['CORACLE_HOME'] !== '') return resolve(env['CORACLE_HOME']);
  if (isRoot) return '/var/lib/coracle';
  return join(env['XDG_DATA_HOME'] || join(homedir(), '.local', 'share'), 'coracle');
}

export const defaultDataDir = (home: string, name: string): string => join(home, 'clusters', name);
export const runtimeProgramsDir = (home: string): string => join(home, 'runtime');
/** Ranges of ids that pods of all clusters of the machine have. */
export const userNamespacesDir = (home: string): string => join(home, 'user-namespaces');
export const indexFile = (home: string): string => join(home, 'clusters.json');
