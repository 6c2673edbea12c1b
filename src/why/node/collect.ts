// The facts of one node, read when asked for: programs `ip`, `nft`, `ss` and files below /proc. Nothing is changed, big sets are left
// alone but for the service maps, which one process each reads whole (150 ms with 5,000 services, where one lookup takes 1.4 s).
import type { Run } from '#host/process.ts';
import { POLICY_TABLE } from '#netmodel/policy-rules.ts';
import { SERVICE_TABLE } from '#netmodel/service-rules.ts';
import type { FactsRequest, ForeignRule, NodeFacts, PodFacts, RuleCounter } from './facts.ts';
import { namespaceInode, type ProcFiles, processesInNetns, programsBySocket, readText } from './processes.ts';
import {
  ADDRESS_MAPS,
  elementCounters,
  foreignRulesOf,
  isOurs,
  legacyRulesOf,
  type KernelMap,
  parseMap,
  parseTables,
  PORT_MAPS,
  programmed,
  ruleCounters,
  STICKY_MAPS,
  TARGET_MAPS,
  type TableName,
} from './rules.ts';
import { connectionsOf, listeningOf, parseProcNet, parseSs, type SocketRow } from './sockets.ts';

export interface CollectDeps {
  readonly node: string;
  readonly run: Run;
  readonly files: ProcFiles;
  readonly nftPath: string;
  readonly podUid: (namespace: string, name: string) => string | undefined;
  readonly podNetns: (namespace: string, name: string) => Promise<string | undefined>;
  readonly usesHostNetwork: (namespace: string, name: string) => boolean;
}

/** One program; those that take longer are ended, and what they would have told is missing. */
const PROGRAM_MS = 3_000;
/** Pods and services of one question. */
const MAX_ASKED = 32;
const MAX_LINES = 1_000;
/** Sets of our tables whose elements count, and chains whose rules do. */
const COUNTING_SETS = [
  [POLICY_TABLE, 'egress_denied'],
  [POLICY_TABLE, 'ingress_denied'],
  [SERVICE_TABLE, 'denied_sources'],
] as const;
const COUNTING_CHAINS = [[SERVICE_TABLE, 'reject_it']] as const;

interface Link {
  readonly ifname?: string;
  readonly flags?: readonly string[];
  readonly mtu?: number;
  readonly linkinfo?: { readonly info_kind?: string };
  readonly addr_info?: readonly { readonly local?: string; readonly scope?: string }[];
}

export async function collectFacts(request: FactsRequest, deps: CollectDeps, signal: AbortSignal): Promise<NodeFacts> {
  const say = sayer(deps.run, signal);
  const pods = request.pods.slice(0, MAX_ASKED);
  const [links, routes, fdb, tables] = await Promise.all([
    json<Link>(say('ip', ['-j', '-d', 'address'])),
    routesOf(say),
    say('bridge', ['fdb']),
    say(deps.nftPath, ['list', 'tables']),
  ]);
  const known = parseTables(tables ?? '');
  const addresses = links.flatMap((l) => addressesOf(l));
  const [counters, foreignRules, services, profiles, podFacts, neighbours] = await Promise.all([
    countersOf(known, deps, say),
    foreignRulesIn(known, deps, say),
    servicesOf(request.services.slice(0, MAX_ASKED), known, addresses, deps, say),
    profilesOf(known, pods.length > 0, deps, say),
    Promise.all(pods.map((p) => podFactsOf(p, deps, say))),
    say('ip', ['neigh', 'show']),
  ]);
  return {
    node: deps.node,
    addresses,
    routes,
    links: links.map((l) => ({
      name: l.ifname ?? '',
      up: l.flags?.includes('UP') === true,
      mtu: l.mtu ?? 0,
      ...(l.linkinfo?.info_kind === undefined ? {} : { kind: l.linkinfo.info_kind }),
    })),
    tunnelEntries: tunnelEntries(links, fdb ?? '', neighbours ?? ''),
    conntrack: conntrackOf(deps.files),
    counters,
    foreignRules,
    services,
    policyEnforced: tables === undefined ? undefined : known.some((t) => t.name === POLICY_TABLE),
    pods: podFacts
      .filter((p) => p !== undefined)
      .map((p) => ({
        ...p,
        policyProfiles:
          profiles === undefined
            ? undefined
            : {
                ingress: p.addresses.some((a) => profiles.ingress.has(a)),
                egress: p.addresses.some((a) => profiles.egress.has(a)),
              },
      })),
  };
}

/** Output of a program; undefined when it is missing or failed. */
type Say = (command: string, args: readonly string[]) => Promise<string | undefined>;

const sayer =
  (run: Run, signal: AbortSignal): Say =>
  async (command, args) => {
    const { code, stdout } = await run(command, args, { signal, timeoutMs: PROGRAM_MS });
    return code === 0 ? stdout : undefined;
  };

async function json<T>(text: Promise<string | undefined>): Promise<readonly T[]> {
  const said = await text;
  if (said === undefined || said.trim() === '') return [];
  try {
    return JSON.parse(said) as readonly T[];
  } catch {
    return [];
  }
}

const lines = (text: string | undefined): readonly string[] =>
  (text ?? '')
    .split('\n')
    .map((l) => l.trim())
    .filter((l) => l !== '')
    .slice(0, MAX_LINES);

const addressesOf = (link: Link): readonly string[] =>
  (link.addr_info ?? []).flatMap((a) => (a.local === undefined || a.scope === 'link' ? [] : [a.local]));

async function routesOf(say: Say, prefix: readonly string[] = []): Promise<readonly string[]> {
  const ask = (family: string) =>
    prefix.length === 0 ? say('ip', [family, 'route']) : say(prefix[0]!, [...prefix.slice(1), 'ip', family, 'route']);
  const [four, six] = await Promise.all([ask('-4'), ask('-6')]);
  return [...lines(four), ...lines(six).filter((l) => !l.startsWith('fe80::') && !l.startsWith('multicast'))];
}

/** Entries of VXLAN devices alone: `mac address`. */
function tunnelEntries(links: readonly Link[], fdb: string, neighbours: string): readonly string[] {
  const tunnels = links.filter((l) => l.linkinfo?.info_kind === 'vxlan').map((l) => l.ifname);
  const of = (text: string) => lines(text).filter((l) => tunnels.some((t) => l.includes(`dev ${t}`)));
  const macs = of(fdb).map((l) => `${l.split(' ')[0]} ${/ dst (\S+)/.exec(l)?.[1] ?? ''}`.trim());
  const hosts = of(neighbours).map((l) => `${/ lladdr (\S+)/.exec(l)?.[1] ?? '-'} ${l.split(' ')[0]}`);
  return [...macs, ...hosts];
}

function conntrackOf(files: ProcFiles): NodeFacts['conntrack'] {
  const number = (name: string) => Number(readText(`/proc/sys/net/netfilter/${name}`, files) ?? Number.NaN);
  const [count, max] = [number('nf_conntrack_count'), number('nf_conntrack_max')];
  return Number.isNaN(count) || Number.isNaN(max) ? undefined : { count, max };
}

async function countersOf(known: readonly TableName[], deps: CollectDeps, say: Say): Promise<readonly RuleCounter[]> {
  const asked = known
    .filter(isOurs)
    .flatMap(({ family, name }) => [
      ...COUNTING_SETS.filter(([table]) => table === name).map(async ([table, set]) =>
        elementCounters(table, set, (await say(deps.nftPath, ['-nn', 'list', 'set', family, table, set])) ?? ''),
      ),
      ...COUNTING_CHAINS.filter(([table]) => table === name).map(async ([table, chain]) =>
        ruleCounters(table, chain, (await say(deps.nftPath, ['-nn', 'list', 'chain', family, table, chain])) ?? ''),
      ),
    ]);
  return (await Promise.all(asked)).flat();
}

/** Of all tables that are not ours, iptables' among them. */
async function foreignRulesIn(
  known: readonly TableName[],
  deps: Pick<CollectDeps, 'nftPath' | 'files'>,
  say: Say,
): Promise<readonly ForeignRule[]> {
  const tables = known
    .filter((t) => !isOurs(t))
    .map(({ family, name }) => say(deps.nftPath, ['-a', 'list', 'table', family, name]));
  const legacy = (['ip', 'ip6'] as const).map(async (family) => {
    // Asking loads the kernel's module: only where somebody has loaded it.
    const names = readText(`/proc/net/${family}_tables_names`, deps.files) ?? '';
    if (names.trim() === '') return [];
    const program = family === 'ip' ? 'iptables-legacy-save' : 'ip6tables-legacy-save';
    return legacyRulesOf((await say(program, ['-c'])) ?? '', family);
  });
  const [texts, old] = await Promise.all([Promise.all(tables), Promise.all(legacy)]);
  return [...texts.flatMap((t) => foreignRulesOf(t ?? '')), ...old.flat()];
}

async function servicesOf(
  keys: readonly string[],
  known: readonly TableName[],
  addresses: readonly string[],
  deps: CollectDeps,
  say: Say,
): Promise<NodeFacts['services']> {
  const tables = known.filter((t) => t.name === SERVICE_TABLE);
  if (keys.length === 0 || tables.length === 0) return [];
  const asked = keys.map((key) => ({
    key,
    isNode: addresses.includes(/^\[?(.*?)\]?:\d+\//.exec(key)?.[1] ?? ''),
  }));
  const byTable = await Promise.all(
    tables.map(async ({ family, name }) => {
      const maps: Record<string, KernelMap> = {};
      const load = (names: readonly string[]) =>
        Promise.all(
          names.map(async (map) => {
            maps[map] = parseMap((await say(deps.nftPath, ['-j', 'list', 'map', family, name, map])) ?? '');
          }),
        );
      const found = () => asked.flatMap(({ key, isNode }) => programmed(key, maps, isNode) ?? []);
      // No more than is needed: with thousands of services each map is a process of its own weight.
      await load([...ADDRESS_MAPS, ...(asked.some((a) => a.isNode) ? PORT_MAPS : [])]);
      if (found().length > 0) await load(TARGET_MAPS);
      if (found().some((p) => p.endpoints.length === 0)) await load(STICKY_MAPS);
      return found();
    }),
  );
  return byTable.flat();
}

async function profilesOf(known: readonly TableName[], asked: boolean, deps: CollectDeps, say: Say) {
  const tables = known.filter((t) => t.name === POLICY_TABLE);
  if (!asked || tables.length === 0) return undefined;
  const of = async (direction: 'ingress' | 'egress') => {
    const read = tables.map(({ family, name }) =>
      say(deps.nftPath, ['-j', 'list', 'map', family, name, `${direction}_profiles`]),
    );
    return new Set((await Promise.all(read)).flatMap((t) => [...parseMap(t ?? '').keys()]));
  };
  const [ingress, egress] = await Promise.all([of('ingress'), of('egress')]);
  return { ingress, egress };
}

const PROC_FILES = [
  ['tcp', 4, 'tcp'],
  ['tcp', 6, 'tcp6'],
  ['udp', 4, 'udp'],
  ['udp', 6, 'udp6'],
] as const;

async function podFactsOf(
  { namespace, name }: FactsRequest['pods'][number],
  deps: CollectDeps,
  say: Say,
): Promise<PodFacts | undefined> {
  const { files } = deps;
  const uid = deps.podUid(namespace, name);
  if (uid === undefined) return undefined;
  const isHost = deps.usesHostNetwork(namespace, name);
  const netns = isHost ? '/proc/self/ns/net' : await deps.podNetns(namespace, name);
  const inode = netns === undefined ? undefined : namespaceInode(netns, files);
  const none = { mtu: undefined, listening: [], connections: [], resolvConf: undefined, foreignRules: [], routes: [] };
  const common = { namespace, name, uid, policyProfiles: undefined };
  if (netns === undefined || inode === undefined) return { ...common, addresses: [], ...none };
  const enter = ['nsenter', `--net=${netns}`, '--'];
  const inside = (...command: string[]) => say(enter[0]!, [...enter.slice(1), ...command]);
  const pids = processesInNetns(inode, files);
  const [links, ss, tables, routes] = await Promise.all([
    json<Link>(inside('ip', '-j', '-d', 'address')),
    inside('ss', '-Htulne'),
    isHost ? undefined : inside(deps.nftPath, 'list', 'tables'),
    routesOf(say, enter),
  ]);
  const [first] = pids;
  const rows: SocketRow[] =
    first === undefined
      ? []
      : PROC_FILES.flatMap(([protocol, family, file]) =>
          parseProcNet(protocol, family, readText(`/proc/${first}/net/${file}`, files) ?? ''),
        );
  const outside = links.filter((l) => l.ifname !== 'lo');
  return {
    ...common,
    addresses: outside.flatMap((l) => addressesOf(l)),
    mtu: outside[0]?.mtu,
    listening: listeningOf(rows, programsBySocket(pids, files), parseSs(ss ?? '')),
    connections: connectionsOf(rows),
    resolvConf: first === undefined ? undefined : readText(`/proc/${first}/root/etc/resolv.conf`, files),
    foreignRules: await foreignRulesIn(
      parseTables(tables ?? ''),
      { ...deps, files: noLegacy(files) },
      (command, args) => inside(command, ...args),
    ),
    routes,
  };
}

/** Which legacy tables are loaded is only told of the own namespace. */
const noLegacy = (files: ProcFiles): ProcFiles => ({ ...files, readText: () => undefined });
