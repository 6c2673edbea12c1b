// coracle status and coracle list: what runs, where it lives, and which log to read. Answers within two seconds even
// when half of the cluster is dead; exit code 0 only when everything is up.
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { nodes as nodeResource } from '#generated/resources.ts';
import { readIndex } from '#cluster/clusters.ts';
import { EXIT } from '#cluster/errors.ts';
import { machineEndpoint } from '#cluster/materials.ts';
import { livePart } from '#cluster/parts.ts';
import { clusterPaths } from '#cluster/paths.ts';
import { readConfig } from '#cluster/config.ts';
import { supervisedParts } from '#cluster/supervisor.ts';
import type { PodNetworkMode } from '#netmodel/pod-network.ts';
import { sleep } from '#base/clock.ts';
import { adminClient } from '../admin-client.ts';
import { clock, index, openCluster, type OpenCluster } from '../context.ts';
import { readinessOf } from '../readiness.ts';
import { printTable } from '../table.ts';
import { coracleVersion } from './version.ts';

/** The whole answer must come within 2 s; the API gets most of it. */
const API_PATIENCE_MS = 1_500;

interface PartStatus {
  readonly part: string;
  readonly running: boolean;
  readonly pid: number | null;
  readonly memoryMiB: number | null;
  readonly log: string;
}

interface Status {
  readonly name: string;
  readonly up: boolean;
  readonly version: string;
  readonly server: string;
  readonly apiReady: boolean;
  readonly dataDir: string;
  readonly hollow: boolean;
  readonly podCIDR: string;
  readonly podNetwork: PodNetworkMode;
  readonly serviceCIDR: string;
  /** Ranges of the second family. */
  readonly ipv6?: { readonly podCIDR: string; readonly serviceCIDR: string; readonly nodeCIDR: string };
  readonly nodeCIDR: string;
  readonly parts: readonly PartStatus[];
  readonly nodes: readonly {
    readonly name: string;
    readonly address: string;
    readonly power: string;
    readonly status: string;
    readonly version: string;
  }[];
}

export function addStatus(program: Command): void {
  program
    .command('status')
    .description('parts, nodes and where everything is')
    .option('--name <name>', 'the cluster (default: local, or CORACLE_NAME)')
    .option('-o, --output <format>', 'json')
    .action(async (_flags: unknown, command: Command) => {
      const flags = command.optsWithGlobals<{ name?: string; output?: string }>();
      const status = await collect(openCluster(flags));
      if (flags.output === 'json') process.stdout.write(`${JSON.stringify(status, undefined, 2)}\n`);
      else print(status);
      process.exitCode = status.up ? EXIT.ok : EXIT.failed;
    });
  program
    .command('list')
    .description('the clusters on this machine')
    .action(() => {
      const rows = readIndex(index).map((entry) => {
        const paths = clusterPaths(entry.dataDir);
        const config = readConfig(paths.config);
        const running = config !== undefined && livePart(paths, 'server') !== undefined;
        return [
          entry.name,
          running ? 'running' : 'stopped',
          String(config?.nodes.length ?? 0),
          config === undefined ? '' : machineEndpoint(config),
          entry.dataDir,
        ];
      });
      printTable(['NAME', 'STATE', 'NODES', 'SERVER', 'DATA'], rows);
    });
}

async function collect(cluster: OpenCluster): Promise<Status> {
  const { config, paths } = cluster;
  const parts = supervisedParts(config).map((part): PartStatus => {
    const live = livePart(paths, part);
    return {
      part,
      running: live !== undefined,
      pid: live?.pid ?? null,
      memoryMiB: live === undefined ? null : residentMiB(live.pid),
      log: paths.log(part),
    };
  });
  const give = new AbortController();
  const patience = sleep(clock, API_PATIENCE_MS, give.signal).then(
    () => undefined,
    () => undefined,
  );
  const serverRuns = parts.some((p) => p.part === 'server' && p.running);
  const client = adminClient(cluster);
  const nodes = serverRuns
    ? await Promise.race([
        client
          .resource(nodeResource)
          .list()
          .catch(() => undefined),
        patience,
      ])
    : undefined;
  give.abort();
  const nodeRows = config.nodes.map((n) => {
    const object = nodes?.items.find((o) => o.metadata.name === n.name);
    const status = readinessOf(object);
    return {
      name: n.name,
      address: n.ip,
      power: n.power,
      status,
      version: object?.status?.nodeInfo?.kubeletVersion ?? '',
    };
  });
  const up =
    parts.every((p) => p.running) &&
    nodes !== undefined &&
    nodeRows.every((n) => n.power === 'on' && n.status === 'Ready');
  return {
    name: config.name,
    up,
    version: coracleVersion(),
    server: machineEndpoint(config),
    apiReady: nodes !== undefined,
    dataDir: paths.data,
    hollow: config.hollow,
    podCIDR: config.podCIDR,
    podNetwork: config.podNetwork ?? 'routes',
    serviceCIDR: config.serviceCIDR,
    ...(config.ipv6 === undefined ? {} : { ipv6: config.ipv6 }),
    nodeCIDR: config.nodeCIDR,
    parts,
    nodes: nodeRows,
  };
}

function residentMiB(pid: number): number | null {
  try {
    const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return match === null ? null : Math.round(Number(match[1]) / 1024);
  } catch {
    return null; // it ended between two looks
  }
}

const both = (ipv4: string, ipv6: string | undefined): string => (ipv6 === undefined ? ipv4 : `${ipv4},${ipv6}`);

function print(status: Status): void {
  const out = process.stdout;
  out.write(
    `cluster ${status.name} is ${status.up ? 'up' : 'NOT up'} (Coracle ${status.version}, ${status.server}, API ${status.apiReady ? 'ready' : 'does not answer'})\n`,
  );
  out.write(
    `data in ${status.dataDir}; pods ${both(status.podCIDR, status.ipv6?.podCIDR)} by ${status.podNetwork}, services ${both(status.serviceCIDR, status.ipv6?.serviceCIDR)}, nodes ${both(status.nodeCIDR, status.ipv6?.nodeCIDR)}${status.hollow ? '; hollow nodes' : ''}\n\n`,
  );
  printTable(
    ['PART', 'STATE', 'PID', 'MEMORY', 'LOG'],
    status.parts.map((p) => [
      p.part,
      p.running ? 'running' : 'DEAD',
      String(p.pid ?? ''),
      p.memoryMiB === null ? '' : `${p.memoryMiB} MiB`,
      p.log,
    ]),
  );
  out.write('\n');
  printTable(
    ['NODE', 'ADDRESS', 'POWER', 'STATUS', 'VERSION'],
    status.nodes.map((n) => [n.name, n.address, n.power, n.status, n.version]),
  );
  const dead = status.parts.filter((p) => !p.running);
  if (dead.length > 0)
    out.write(`\nnot running: ${dead.map((p) => p.part).join(', ')}; read ${dead[0]!.log}, or run: coracle up\n`);
}
