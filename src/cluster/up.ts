// `up`: from a command line to a running cluster, or to the same cluster going on. Every step may be run again; nothing is
// written before everything that can be checked has been checked.
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describeError } from '#base/log.ts';
import { installDebianPackages, isDebian } from '#install/debian.ts';
import { findPrograms, type Program, type RuntimePrograms, type SearchResult } from '#install/programs.ts';
import { type ClusterConfig, readConfig, writeConfig } from './config.ts';
import { tryIPv6 } from './ipv6.ts';
import { MAX_SOCKET_PATH } from './control.ts';
import { MissingError, UsageError } from './errors.ts';
import { examineHost, tryNetworkFeatures, tryTunnel } from './host-check.ts';
import { livePart } from './parts.ts';
import { clusterPaths, type ClusterPaths, runtimeProgramsDir } from './paths.ts';
import type { Prepared, UpDeps, UpOptions } from './up-options.ts';
import {
  addressesToTry,
  changedConfig,
  newConfig,
  refuseForeignFolder,
  refuseForeignTunnel,
  refuseFullDisk,
  refuseTakenPort,
} from './up-config.ts';

/** Bytes a new cluster wants free: images, snapshots and the store. */
const SPACE_WANTED = 1 << 30;
/** Without containers: the store, logs and keys. */
const HOLLOW_SPACE_WANTED = 64 << 20;

/** Checks, installs and writes the configuration; starts nothing. */
export async function prepare(options: UpOptions, deps: UpDeps): Promise<Prepared> {
  const paths = clusterPaths(resolve(options.dataDir));
  const socket = join(paths.run, 'control.sock');
  if (Buffer.byteLength(socket) > MAX_SOCKET_PATH)
    throw new UsageError(
      `the data directory ${paths.data} is too deep: unix sockets allow ${MAX_SOCKET_PATH} bytes, ${socket} needs ${Buffer.byteLength(socket)}; give a shorter --data-dir`,
    );
  const existing = readConfig(paths.config);
  if (existing !== undefined && existing.name !== options.name)
    throw new UsageError(
      `${paths.data} holds the cluster ${existing.name}; use --name ${existing.name}, or give another --data-dir`,
    );
  if (existing === undefined) refuseForeignFolder(paths.data);
  refuseForeignTunnel({
    podNetwork: options.podNetwork ?? existing?.podNetwork,
    cniConfDir: options.cniConfDir ?? existing?.cniConfDir,
  });
  const { hollow, programs } = await decideNodes(options, existing, paths, deps);
  const config =
    existing === undefined
      ? await newConfig(options, hollow, deps)
      : await changedConfig(existing, options, paths, deps);
  if (existing === undefined) refuseFullDisk(paths.data, hollow ? HOLLOW_SPACE_WANTED : SPACE_WANTED);
  if (livePart(paths, 'server') === undefined) {
    for (const address of addressesToTry(config)) await refuseTakenPort(address, config.apiPort, '--port');
    for (const { hostPort } of config.hollow ? [] : config.publish)
      await refuseTakenPort('127.0.0.1', hostPort, '--publish');
  }
  mkdirSync(paths.data, { recursive: true, mode: 0o700 });
  if (JSON.stringify(existing) !== JSON.stringify(config)) writeConfig(paths.config, config);
  return { config, paths, programs, isNew: existing === undefined };
}

/** Real nodes where they are possible; hollow ones where they were asked for, or nothing else is possible. */
async function decideNodes(
  options: UpOptions,
  existing: ClusterConfig | undefined,
  paths: ClusterPaths,
  deps: UpDeps,
): Promise<{ hollow: boolean; programs: RuntimePrograms }> {
  const withoutNodes: RuntimePrograms = { path: deps.path, cniBinDirs: [], found: {} };
  if (existing?.hollow === true) {
    if (options.requireContainers)
      throw new UsageError(`cluster ${existing.name} has hollow nodes; make one with containers under another --name`);
    if (options.podNetwork === 'vxlan')
      throw new UsageError(
        `cluster ${existing.name} has hollow nodes without a kernel network; leave out --pod-network`,
      );
    return { hollow: true, programs: withoutNodes };
  }
  if (existing !== undefined && options.hollow)
    throw new UsageError(`cluster ${existing.name} has real nodes; --hollow is for new clusters. Use another --name`);
  if (options.hollow && options.requireContainers)
    throw new UsageError('--hollow and --require-containers contradict each other');
  if (options.hollow && options.families?.[1] === 'ipv6')
    throw new UsageError(
      '--ip-families ipv4,ipv6 needs a kernel network, which hollow nodes have not; leave one of the two out',
    );
  if (options.hollow && options.podNetwork === 'vxlan')
    throw new UsageError(
      '--pod-network vxlan needs a kernel network, which hollow nodes have not; leave one of the two out',
    );
  if (options.hollow) return { hollow: true, programs: withoutNodes };
  if (livePart(paths, 'supervisor') !== undefined)
    return { hollow: false, programs: await bringPrograms(options, existing, deps) };

  const host = await examineHost(deps.run, deps.platform, deps.uid);
  let lacks = host.lacks;
  let programs = withoutNodes;
  if (lacks.length === 0) {
    programs = await bringPrograms(options, existing, deps);
    process.env['PATH'] = programs.path;
    lacks = await tryNetworkFeatures(deps.run);
    const noTunnel = (options.podNetwork ?? existing?.podNetwork) === 'vxlan' ? await tryTunnel(deps.run) : [];
    const wantsIPv6 = options.families?.[1] === 'ipv6' || existing?.ipv6 !== undefined;
    const noIPv6 = wantsIPv6 ? await tryIPv6(deps.run) : [];
    if (lacks.length === 0 && noIPv6.length > 0)
      throw new MissingError(
        `--ip-families ipv4,ipv6 is not possible here: ${noIPv6.join('; ')}. Use --ip-families ipv4`,
      );
    if (lacks.length === 0 && noTunnel.length > 0)
      throw new MissingError(
        `--pod-network vxlan is not possible here: ${noTunnel.join('; ')}. Use --pod-network routes`,
      );
  }
  if (lacks.length === 0) return { hollow: false, programs };
  const why = lacks.join('; ');
  if (existing !== undefined)
    throw new MissingError(`cluster ${existing.name} has real nodes, which are not possible now: ${why}`);
  if (options.requireContainers) throw new MissingError(`real nodes are not possible here: ${why}`);
  deps.say(`real containers are not possible here: ${why}`);
  deps.say('starting hollow nodes instead: everything is real but the containers and the kernel network');
  return { hollow: true, programs: withoutNodes };
}

async function bringPrograms(
  options: UpOptions,
  existing: ClusterConfig | undefined,
  deps: UpDeps,
): Promise<RuntimePrograms> {
  const privateDir = runtimeProgramsDir(options.home);
  const runtimeDir = options.runtimeDir ?? existing?.runtimeDir;
  const search = () =>
    findPrograms({ ...(runtimeDir === undefined ? {} : { runtimeDir }), privateDir, path: deps.path });
  const first = search();
  const disabled = options.disabled ?? existing?.disabled ?? [];
  const forParts = first.missingParts.filter((p) => !disabled.includes(p.part!));
  if (first.missing.length === 0) return bringForParts(forParts, first.programs, search, options, deps);
  if (!options.install)
    throw new MissingError(
      `missing: ${first.missing.join(', ')}. Install ${first.missingPackages.join(', ')}, give --runtime-dir, or leave out --no-install`,
    );
  if (!isDebian())
    throw new MissingError(
      `missing: ${first.missing.join(', ')}. This is not a Debian-like system: install them with its package tool, or give --runtime-dir`,
    );
  deps.say(`bringing ${first.missingPackages.join(', ')} into ${privateDir} (the system's packages stay as they are)`);
  mkdirSync(privateDir, { recursive: true });
  const packages = [...new Set([...first.missingPackages, ...forParts.map((p) => p.package)])];
  await installDebianPackages(packages, { run: deps.run, dir: privateDir, say: deps.say });
  const second = search();
  if (second.missing.length > 0) throw new MissingError(`still missing after download: ${second.missing.join(', ')}`);
  return second.programs;
}

/** Programs that a part of the cluster can be without: when they do not come, that is said, and the cluster starts. */
async function bringForParts(
  missing: readonly Program[],
  programs: RuntimePrograms,
  search: () => SearchResult,
  options: UpOptions,
  deps: UpDeps,
): Promise<RuntimePrograms> {
  if (missing.length === 0) return programs;
  const packages = [...new Set(missing.map((p) => p.package))];
  const dir = runtimeProgramsDir(options.home);
  let why = '--no-install';
  if (options.install && isDebian()) {
    deps.say(`bringing ${packages.join(', ')} into ${dir} (the system's packages stay as they are)`);
    mkdirSync(dir, { recursive: true });
    try {
      await installDebianPackages(packages, { run: deps.run, dir, say: deps.say });
      return search().programs;
    } catch (error) {
      why = describeError(error);
    }
  } else if (options.install) why = 'not a Debian-like system';
  for (const { name, part, purpose } of missing)
    deps.say(`without ${name}, which ${purpose}, ${part} does not work (${why})`);
  return programs;
}
