// Kernel settings of pods: which belong to a namespace of the pod's, which of them are without risk for its neighbours, and how names
// are written.

/** Upstream's safe list on a kernel of 4.15 or newer. */
const SAFE: readonly string[] = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_wmem',
];

type Namespace = 'ipc' | 'net';

/** Of a setting, or of all settings that begin so; undefined when it is the whole machine's. */
function namespaceOf(name: string): Namespace | undefined {
  if (name === 'kernel.sem') return 'ipc';
  if (['kernel.shm', 'kernel.msg', 'fs.mqueue.'].some((p) => name.startsWith(p))) return 'ipc';
  return name.startsWith('net.') ? 'net' : undefined;
}

/** The first separator tells which kind is meant: `net/ipv4/conf/eno2.100/x` is `net.ipv4.conf.eno2/100.x`. */
export function dottedSysctl(name: string): string {
  if (/[./]/.exec(name)?.[0] !== '/') return name;
  return name.replaceAll(/[./]/g, (separator) => (separator === '/' ? '.' : '/'));
}

const PATTERN = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*([a-z0-9][-_a-z0-9]*)?[a-z0-9*]$/;

/** What is wrong with a pattern of `--allowed-unsafe-sysctls`; undefined when nothing is. */
export function whyNotAllowable(pattern: string): string | undefined {
  if (pattern.length > 253 || !PATTERN.test(pattern))
    return `sysctl ${JSON.stringify(pattern)} must have at most 253 characters and be a name, or the beginning of one with * at its end`;
  return namespaceOf(dottedSysctl(pattern).replace(/\*$/, '')) === undefined
    ? `the sysctl ${JSON.stringify(pattern)} is not known to be namespaced: it would change the whole machine`
    : undefined;
}

/** Upstream's words on why a pod may not set it here; undefined when it may. */
export function whyForbidden(
  name: string,
  host: { readonly network: boolean; readonly ipc: boolean },
  allowedUnsafe: readonly string[],
): string | undefined {
  const dotted = dottedSysctl(name);
  const allowed = [...SAFE, ...allowedUnsafe.map(dottedSysctl)].some((p) =>
    p.endsWith('*') ? dotted.startsWith(p.slice(0, -1)) : dotted === p,
  );
  if (!allowed) return `${JSON.stringify(dotted)} not allowlisted`;
  const namespace = namespaceOf(dotted);
  if ((namespace === 'ipc' && host.ipc) || (namespace === 'net' && host.network))
    return `${JSON.stringify(dotted)} not allowed with host ${namespace} enabled`;
  return undefined;
}
