// What `up` is asked, what it is handed, and what its first half leaves for the second.
import { type Clock } from '#base/clock.ts';
import type { PodNetworkMode } from '#netmodel/pod-network.ts';
import type { EvictionOptions } from '#node/eviction/thresholds.ts';
import { type Run } from '#host/process.ts';
import { type RuntimePrograms } from '#install/programs.ts';
import { type ClusterConfig } from './config.ts';
import { type Families } from './ipv6.ts';
import { type ClusterPaths } from './paths.ts';

export interface UpOptions {
  readonly name: string;
  readonly dataDir: string;
  readonly home: string;
  /** Undefined: what the cluster has, or the default. */
  readonly nodes?: number;
  readonly port?: number;
  readonly bindAddresses?: readonly string[];
  readonly podNetwork?: PodNetworkMode;
  readonly podCIDR?: string;
  readonly serviceCIDR?: string;
  readonly families?: Families;
  /** Of the second family. */
  readonly ipv6PodCIDR?: string;
  readonly ipv6ServiceCIDR?: string;
  readonly runtimeDir?: string;
  readonly cniConfDir?: string;
  readonly allowedUnsafeSysctls?: readonly string[];
  readonly seccompDefault?: boolean;
  readonly eviction?: EvictionOptions;
  readonly loadBalancerRange?: string;
  readonly zones?: readonly string[];
  readonly nodeCpus?: number;
  readonly nodeMemory?: number;
  readonly publish?: readonly { readonly hostPort: number; readonly nodePort: number }[];
  readonly disabled?: readonly string[];
  readonly hollow: boolean;
  readonly requireContainers: boolean;
  readonly install: boolean;
  readonly timeoutMs: number;
}

export interface UpDeps {
  readonly run: Run;
  readonly clock: Clock;
  readonly say: (line: string) => void;
  readonly self: readonly string[];
  readonly path: string;
  readonly platform: string;
  readonly uid: number;
}

export interface Prepared {
  readonly config: ClusterConfig;
  readonly paths: ClusterPaths;
  readonly programs: RuntimePrograms;
  /** Whether this call made the cluster. */
  readonly isNew: boolean;
}
