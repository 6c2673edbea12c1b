// Whether this machine can hold real nodes, and what it lacks if not.
import { existsSync, readFileSync } from 'node:fs';
import type { Run } from '#host/process.ts';

export interface HostFacts {
  readonly isLinux: boolean;
  readonly isRoot: boolean;
  /** CAP_SYS_RESOURCE: may raise OOM priorities. */
  readonly canSetOomScore: boolean;
  /** Sentences: what is missing for real nodes. Empty when nothing is. */
  readonly lacks: readonly string[];
}

const CAP_SYS_ADMIN = 21n;
const CAP_SYS_RESOURCE = 24n;
const CAP_NET_ADMIN = 12n;

export function effectiveCapabilities(status: string): bigint {
  const match = /^CapEff:\s*([0-9a-f]+)$/m.exec(status);
  return match === null ? 0n : BigInt(`0x${match[1]}`);
}

export async function examineHost(run: Run, platform: string, uid: number): Promise<HostFacts> {
  if (platform !== 'linux')
    return {
      isLinux: false,
      isRoot: uid === 0,
      canSetOomScore: false,
      lacks: [`this machine runs ${platform}, not Linux`],
    };
  const capabilities = effectiveCapabilities(readFileSync('/proc/self/status', 'utf8'));
  const has = (bit: bigint) => ((capabilities >> bit) & 1n) === 1n;
  const lacks: string[] = [];
  if (uid !== 0) lacks.push('it does not run as root');
  else {
    if (!has(CAP_SYS_ADMIN)) lacks.push('the capability CAP_SYS_ADMIN is missing');
    if (!has(CAP_NET_ADMIN)) lacks.push('the capability CAP_NET_ADMIN is missing');
    for (const kind of ['net', 'mnt', 'pid', 'uts'])
      if (!existsSync(`/proc/self/ns/${kind}`)) lacks.push(`the kernel has no ${kind} namespaces`);
    if (!readFileSync('/proc/filesystems', 'utf8').includes('overlay')) {
      const loaded = await run('modprobe', ['overlay']);
      if (loaded.code !== 0) lacks.push('the kernel has no overlayfs');
    }
    if (!existsSync('/sys/fs/cgroup')) lacks.push('control groups are not mounted at /sys/fs/cgroup');
  }
  return { isLinux: true, isRoot: uid === 0, canSetOomScore: has(CAP_SYS_RESOURCE), lacks };
}

/** Tries a script in a network namespace of its own. */
export async function attempt(run: Run, what: string, script: string): Promise<readonly string[]> {
  const result = await run('unshare', ['--net', '--', '/bin/sh', '-c', script]);
  return result.code === 0 ? [] : [`the kernel has no ${what} (${result.stderr.trim().split('\n')[0] ?? ''})`];
}

/** What `--pod-network vxlan` needs beyond the rest. */
export const tryTunnel = (run: Run): Promise<readonly string[]> =>
  attempt(
    run,
    'VXLAN links',
    'ip link add name probe0 type vxlan id 1 dstport 4789 nolearning && bridge fdb append 0a:00:00:00:00:01 dev probe0 dst 192.0.2.1 self permanent',
  );

/** Asks the kernel for what only a try can tell: bridges, veth and nftables with sets, in a namespace of its own. */
export async function tryNetworkFeatures(run: Run): Promise<readonly string[]> {
  const lacks = await Promise.all([
    attempt(
      run,
      'bridge or veth links',
      'ip link add name probe0 type bridge && ip link add name probe1 type veth peer name probe2',
    ),
    attempt(
      run,
      'nftables with maps and NAT',
      "nft add table ip probe && nft 'add map ip probe ports { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service ; }' && nft 'add chain ip probe nat0 { type nat hook prerouting priority 0 ; }'",
    ),
  ]);
  return lacks.flat();
}
