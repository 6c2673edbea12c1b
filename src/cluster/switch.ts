// The switch that local nodes hang on: a network namespace with a bridge, joined to the machine by one veth. The
// machine plays the article's laptop: it reaches nodes, not pods or cluster IPs. Those are led to the switch, which
// drops and counts them, so that nothing for a private address leaves the machine.
import { existsSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun, type Run } from '#host/process.ts';
import { readTextIfExists } from '#host/files.ts';
import { parseMounts } from '#host/mounts.ts';
import { ipBatch, runInNetns } from '#host/namespaces.ts';
import { LINK_PREFIX } from './addresses.ts';
import type { ClusterConfig } from './config.ts';
import { clusterRanges, nodeIPs } from './ipv6.ts';

const IP_FORWARD = '/proc/sys/net/ipv4/ip_forward';

export const switchName = (config: ClusterConfig): string => `coracle-${config.id}`;
/** The machine's end of the veth; link names are at most 15 bytes. */
export const machineLink = (config: ClusterConfig): string => `${LINK_PREFIX}${config.id}`;
const table = (config: ClusterConfig): string => `coracle_${config.id}`;

export interface SwitchDeps {
  readonly run: Run;
  /** A folder for scripts handed to ip and nft. */
  readonly scratch: string;
}

/** Makes the switch, or mends what is missing of it; the laptop's drop rule stands before its routes. */
export async function ensureSwitch(config: ClusterConfig, { run, scratch }: SwitchDeps): Promise<void> {
  const name = switchName(config);
  const link = machineLink(config);
  const script = (file: string) => (text: string) => {
    const path = join(scratch, file);
    writeFileSync(path, text);
    return path;
  };
  const inside = runInNetns(run, name);
  if (!existsSync(`/var/run/netns/${name}`)) {
    await mustRun(run, 'ip', ['netns', 'add', name]);
    await ipBatch(
      inside,
      [
        'link set lo up',
        'link add br0 type bridge',
        'link set br0 up',
        `addr add ${config.switchIP}/24 dev br0`,
        ...ipv6Lines(config, 'br0', config.ipv6?.switchIP),
      ],
      script('switch-bridge.ip'),
    );
  }
  const prefix = config.nodeCIDR.split('/')[1];
  if (!existsSync(`/sys/class/net/${link}`)) {
    const mtu = switchMTU(await wayOutMTU(run), config.ipv6 !== undefined);
    await ipBatch(
      run,
      [
        `link add ${link} mtu ${mtu} type veth peer name laptop mtu ${mtu} netns ${name}`,
        `addr add ${config.machineIP}/${prefix} dev ${link}`,
        ...ipv6Lines(config, link, config.ipv6?.machineIP),
        `link set ${link} up`,
      ],
      script('switch-link.ip'),
    );
    await ipBatch(inside, ['link set laptop master br0', 'link set laptop up'], script('switch-port.ip'));
  }
  // Frames for pods and services from the laptop's port end here. A bridge table, because with br_netfilter the
  // namespace's own hooks would also see what nodes send each other.
  const protectedRanges = rangeMatches(config);
  const inSwitch = `table bridge coracle {
}
delete table bridge coracle
table bridge coracle {
  chain laptop {
    type filter hook prerouting priority -300; policy accept;
${protectedRanges.map((m) => `    iifname "laptop" ${m} counter drop\n`).join('')}  }
}
`;
  await mustRun(inside, 'nft', ['-f', script('switch.nft')(inSwitch)]);
  // Should the routes ever be missing, the machine itself drops rather than leaks.
  const publish = config.publish
    .map((p) => `    tcp dport ${p.hostPort} fib daddr type local dnat ip to ${config.nodes[0]!.ip}:${p.nodePort}\n`)
    .join('');
  const onMachine = `table inet ${table(config)} {
}
delete table inet ${table(config)}
table inet ${table(config)} {
  chain leak {
    type filter hook output priority -300; policy accept;
${protectedRanges.map((m) => `    ${m} oifname != "${LINK_PREFIX}*" oifname != "lo" counter drop\n`).join('')}  }
  chain forwardleak {
    type filter hook forward priority -300; policy accept;
${protectedRanges.map((m) => `    ${m} oifname != "${LINK_PREFIX}*" counter drop\n`).join('')}    iifname "${link}" oifname "${LINK_PREFIX}*" oifname != "${link}" counter drop comment "another cluster"
  }
  chain publish {
    type nat hook prerouting priority -100; policy accept;
${publish}  }
  chain publishlocal {
    type nat hook output priority -100; policy accept;
${publish}  }
  chain outwards {
    type nat hook postrouting priority 100; policy accept;
    ip saddr ${config.nodeCIDR} oifname != "${link}" masquerade
${config.publish.length === 0 ? '' : `    ip saddr != ${config.nodeCIDR} oifname "${link}" masquerade\n`}  }
}
`;
  await mustRun(run, 'nft', ['-f', script('machine.nft')(onMachine)]);
  // Several clusters may have equal ranges: routes of different metric live side by side, and each leads to a drop.
  const metric = 4096 + (Number.parseInt(config.id.slice(0, 4), 16) % 60_000);
  await ipBatch(
    run,
    clusterRanges(config).map((range) => {
      const via = range.includes(':') ? config.ipv6!.switchIP : config.switchIP;
      return `route replace ${range} via ${via} dev ${link} metric ${metric}`;
    }),
    script('routes.ip'),
  );
  writeFileSync(IP_FORWARD, '1\n');
  // Published ports answer on 127.0.0.1 too, whose packets the kernel lets out by this link only when told so.
  if (config.publish.length > 0) writeFileSync(`/proc/sys/net/ipv4/conf/${link}/route_localnet`, '1\n');
}

/** Ethernet's. Wider frames would be for this machine alone. */
const MTU_MAX = 1500;
/** What hosts must take (RFC 791). */
const MTU_MIN = 576;
/** A tunnel's 50 bytes beside the least that IPv6 works with (RFC 8200). */
const MTU_MIN_IPV6 = 1330;

/** As wide as the machine's own way out: what pods send there then fits, and needs nobody to say that it does not. */
export function switchMTU(wayOut: number | undefined, hasIPv6: boolean): number {
  return Math.min(MTU_MAX, Math.max(wayOut ?? MTU_MAX, hasIPv6 ? MTU_MIN_IPV6 : MTU_MIN));
}

/** Of the link that the machine's default route leads through; undefined without one. */
async function wayOutMTU(run: Run): Promise<number | undefined> {
  const { code, stdout } = await run('ip', ['-j', '-4', 'route', 'show', 'default']);
  const routes = code === 0 && stdout.trim() !== '' ? (JSON.parse(stdout) as { readonly dev?: string }[]) : [];
  return routes[0]?.dev === undefined ? undefined : linkMTU(routes[0].dev);
}

function linkMTU(device: string): number | undefined {
  const text = readTextIfExists(`/sys/class/net/${device}/mtu`);
  return text === undefined ? undefined : Number(text);
}

/** An address of the second family; nobody else can have it, so there is nothing to detect. */
function ipv6Lines(config: ClusterConfig, device: string, address: string | undefined): readonly string[] {
  if (config.ipv6 === undefined || address === undefined) return [];
  return [`addr add ${address}/${config.ipv6.nodeCIDR.split('/')[1]} dev ${device} nodad`];
}

/** nft matches of what is for pods and Services, by family. */
function rangeMatches(config: ClusterConfig): readonly string[] {
  const of = (family: string, ranges: readonly string[]) =>
    ranges.length === 0 ? [] : [`${family} daddr { ${ranges.join(', ')} }`];
  const all = clusterRanges(config);
  return [
    ...of(
      'ip',
      all.filter((r) => !r.includes(':')),
    ),
    ...of(
      'ip6',
      all.filter((r) => r.includes(':')),
    ),
  ];
}

const NETNS_FOLDER = '/run/netns';

export const isSwitchThere = (config: ClusterConfig): boolean => existsSync(`/sys/class/net/${machineLink(config)}`);

/** Whether `ip netns` has made its folder a mount of its own. */
export const isNetnsFolderThere = (): boolean =>
  parseMounts(readFileSync('/proc/self/mounts', 'utf8')).some((m) => m.target === NETNS_FOLDER);

export const readIpForward = (): string => readFileSync(IP_FORWARD, 'utf8').trim();

/** Removes everything that ensureSwitch made; may run twice. */
export async function removeSwitch(
  config: ClusterConfig,
  { run }: Pick<SwitchDeps, 'run'>,
  othersRunning: boolean,
): Promise<void> {
  // After a reboot nothing of it is left, and the settings are the machine's own.
  const wasThere = isSwitchThere(config);
  if (wasThere) await mustRun(run, 'ip', ['link', 'del', machineLink(config)]);
  if (existsSync(`/var/run/netns/${switchName(config)}`))
    await mustRun(run, 'ip', ['netns', 'del', switchName(config)]);
  const known = await run('nft', ['list', 'table', 'inet', table(config)]);
  if (known.code === 0) await mustRun(run, 'nft', ['delete', 'table', 'inet', table(config)]);
  if (
    wasThere &&
    !othersRunning &&
    config.ipForwardBefore !== undefined &&
    readIpForward() !== config.ipForwardBefore
  ) {
    writeFileSync(IP_FORWARD, `${config.ipForwardBefore}\n`);
  }
  // The folder itself goes when nobody else's namespace is in it.
  if (
    !othersRunning &&
    config.netnsFolderBefore === false &&
    isNetnsFolderThere() &&
    readdirSync(NETNS_FOLDER).length === 0
  ) {
    await run('umount', [NETNS_FOLDER]);
    if (!isNetnsFolderThere()) rmdirSync(NETNS_FOLDER);
  }
}

/** Joins a node's namespace to the switch: eth0 inside with its address, a port on the bridge, the machine as its way out. */
export async function plugNode(
  config: ClusterConfig,
  node: { readonly name: string; readonly ip: string; readonly initPid: number },
  { run, scratch }: SwitchDeps,
): Promise<void> {
  const number = Number(node.ip.split('.')[3]);
  const port = `n${number}`;
  const file = (text: string) => {
    const path = join(scratch, `plug-${node.name}.ip`);
    writeFileSync(path, text);
    return path;
  };
  const inside = runInNetns(run, switchName(config));
  // The switch's, not the machine's of today: a bridge drops what is too wide for a port without a word.
  const mtu = linkMTU(machineLink(config)) ?? MTU_MAX;
  await inside('ip', ['link', 'del', port]);
  await ipBatch(
    inside,
    [
      `link add ${port} mtu ${mtu} type veth peer name eth0 mtu ${mtu} netns ${node.initPid}`,
      `link set ${port} master br0`,
      `link set ${port} up`,
    ],
    file,
  );
  const prefix = config.nodeCIDR.split('/')[1];
  const inNode: Run = (command, args, options) =>
    run('nsenter', [`--net=/proc/${node.initPid}/ns/net`, '--', command, ...args], options);
  await ipBatch(
    inNode,
    [
      `addr add ${node.ip}/${prefix} dev eth0`,
      ...ipv6Lines(config, 'eth0', nodeIPs(config, node)[1]),
      'link set eth0 up',
      `route add default via ${config.machineIP}`,
    ],
    file,
  );
}
