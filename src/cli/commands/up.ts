// coracle up: starts or continues a cluster in the background and waits until it is of use.
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { run } from '#host/process.ts';
import { putIndex, readIndex } from '#cluster/clusters.ts';
import {
  parseDisabled,
  parseEviction,
  parseMemory,
  parsePodNetwork,
  parseSysctls,
  parseZones,
} from '#cluster/config.ts';
import { UsageError } from '#cluster/errors.ts';
import { buildExampleImages, type BuiltImages, loadExampleImages, pauseArchive } from '#cluster/example-images.ts';
import { addEntry, contextName, kubeconfigLock, userKubeconfigPath } from '#cluster/kubeconfig-file.ts';
import { ensureMaterials } from '#cluster/materials.ts';
import { parseFamilies, parseRanges } from '#cluster/ipv6.ts';
import { keepSandboxImage } from '#cluster/images.ts';
import { withLock } from '#cluster/lock.ts';
import { livePart } from '#cluster/parts.ts';
import { prepare } from '#cluster/up.ts';
import type { Prepared, UpDeps, UpOptions } from '#cluster/up-options.ts';
import { ensureSupervisor, StartError, waitForApi, waitForNodes } from '#cluster/up-wait.ts';
import { adminClient } from '../admin-client.ts';
import { clock, clusterName, dataDirOf, env, home, index, self, uid } from '../context.ts';
import { makeProgress, type Progress } from '../progress.ts';
import { lockCommands, stopCluster } from '../stop-cluster.ts';
import { follow } from './logs.ts';

interface Flags {
  readonly name?: string;
  readonly nodes?: string;
  readonly dataDir?: string;
  readonly port?: string;
  readonly bindAddress?: string[];
  readonly podNetwork?: string;
  readonly ipFamilies?: string;
  readonly podCidr?: string;
  readonly serviceCidr?: string;
  readonly loadBalancerRange?: string;
  readonly zones?: string;
  readonly runtimeDir?: string;
  readonly allowedUnsafeSysctls?: string;
  readonly seccompDefault?: boolean;
  readonly evictionHard?: string;
  readonly evictionSoft?: string;
  readonly evictionSoftGracePeriod?: string;
  readonly evictionMinimumReclaim?: string;
  readonly evictionPressureTransitionPeriod?: string;
  readonly evictionMaxPodGracePeriod?: string;
  readonly cniConfDir?: string;
  readonly nodeCpus?: string;
  readonly nodeMemory?: string;
  readonly publish?: string[];
  readonly disable?: string;
  readonly hollow?: boolean;
  readonly requireContainers?: boolean;
  readonly foreground?: boolean;
  readonly install: boolean;
  readonly examples: boolean;
  readonly wait: boolean;
  readonly timeout: string;
}

const collect = (value: string, before: string[] = []) => [...before, value];

export function addUp(program: Command): void {
  program
    .command('up')
    .description('start or continue a cluster in the background')
    .option('--name <name>', 'the cluster (default: local, or CORACLE_NAME)')
    .option('--nodes <n>', 'number of nodes (default: 3)')
    .option('--data-dir <dir>', 'where the cluster keeps everything')
    .option('--port <port>', 'port of the API server (default: 6443)')
    .option(
      '--bind-address <ip>',
      'address the API server listens on (repeatable; default: loopback and the switch)',
      collect,
    )
    .option('--pod-network <mode>', 'between nodes: routes or vxlan (default: routes)')
    .option('--ip-families <families>', 'ipv4, or ipv4,ipv6 for both (default: ipv4)')
    .option('--pod-cidr <range>', 'addresses of pods (default: 10.244.0.0/16)')
    .option('--service-cidr <range>', 'addresses of services (default: 10.96.0.0/12)')
    .option('--load-balancer-range <range>', 'addresses of load balancers (default: .201 to .253 of the node network)')
    .option('--zones <names>', 'zones of the nodes, in turn: east,west')
    .option('--runtime-dir <dir>', 'folder with containerd, runc and CNI plugins to use')
    .option('--cni-conf-dir <dir>', 'CNI configuration to use instead of the built-in pod network')
    .option(
      '--allowed-unsafe-sysctls <names>',
      'sysctls that pods may set though they are risky: kernel.msg*,net.core.somaxconn',
    )
    .option('--seccomp-default', 'containers without a seccomp profile get the runtime’s')
    .option('--eviction-hard <thresholds>', 'when pods have to go at once: memory.available<100Mi,nodefs.available<10%')
    .option('--eviction-soft <thresholds>', 'when they have to go after a while')
    .option('--eviction-soft-grace-period <periods>', 'after which: memory.available=1m30s')
    .option('--eviction-minimum-reclaim <amounts>', 'so much more has to be free again: nodefs.available=500Mi')
    .option('--eviction-pressure-transition-period <duration>', 'how long a node stays under pressure (default: 5m0s)')
    .option('--eviction-max-pod-grace-period <seconds>', 'longest grace under soft thresholds (default: 0)')
    .option('--node-cpus <n>', 'CPUs each node reports (default: the machine’s)')
    .option('--node-memory <size>', 'memory each node reports (default: the machine’s)')
    .option('--publish <host:nodeport>', 'make a node port reachable on a port of this machine (repeatable)', collect)
    .option(
      '--disable <parts>',
      'parts to leave out, to run another implementation: scheduler,controllers,dns,proxy,policy,loadbalancer,ingress,metrics',
    )
    .option('--hollow', 'nodes without containers and kernel network')
    .option('--require-containers', 'fail where real nodes are not possible')
    .option('--foreground', 'stay, print the supervisor’s log, and take the cluster down on Ctrl-C')
    .option('--no-install', 'bring no missing programs')
    .option('--no-examples', 'load no example images')
    .option('--no-wait', 'return once the parts are started')
    .option('--timeout <seconds>', 'how long to wait until everything is ready', '300')
    .action((flags: Flags, command: Command) => up({ ...command.optsWithGlobals<Flags>(), ...flags }));
}

async function up(flags: Flags): Promise<void> {
  const progress = makeProgress();
  const started = clock.monotonic();
  const name = clusterName(flags);
  const known = readIndex(index).find((c) => c.name === name);
  if (known !== undefined && flags.dataDir !== undefined && resolve(flags.dataDir) !== known.dataDir) {
    throw new UsageError(`cluster ${name} lives in ${known.dataDir}; leave out --data-dir, or give another --name`);
  }
  const options = makeOptions(flags, name);
  await lockCommands(resolve(options.dataDir), name);
  const deps: UpDeps = {
    run,
    clock,
    say: progress.say,
    self,
    path: env['PATH'] ?? '',
    platform: process.platform,
    uid,
  };
  // Ranges and ports of a new cluster are what no other one has, this moment's other beginners among them.
  const prepared = await withLock(
    'clusters of this machine',
    async () => {
      const ready = await prepare(options, deps);
      await putIndex(index, { name, dataDir: ready.paths.data, ...known });
      return ready;
    },
    () => progress.say('another coracle command is preparing a cluster; waiting for it'),
  );
  process.env['PATH'] = prepared.programs.path;
  const { config, paths } = prepared;
  const wasRunning = livePart(paths, 'supervisor') !== undefined;
  const onInterrupt = () => {
    process.stderr.write(
      `\ncoracle: interrupted; the cluster may go on starting in the background. Continue with: coracle up --name ${name}, or stop it with: coracle down --name ${name}\n`,
    );
    process.exit(INTERRUPTED);
  };
  process.once('SIGINT', onInterrupt);
  let supervised = wasRunning;
  let examples: Promise<BuiltImages> | undefined;
  try {
    const { admin } = await ensureMaterials(config, paths, clock.now());
    progress.say(
      prepared.isNew
        ? `cluster ${name}: starting (${config.nodes.length} ${config.hollow ? 'hollow ' : ''}nodes, data in ${paths.data})`
        : `cluster ${name}: continuing`,
    );
    const file = userKubeconfigPath(env);
    const { previous } = await withLock(kubeconfigLock(file), () => addEntry(file, admin, paths.data));
    await putIndex(index, {
      name,
      dataDir: paths.data,
      ...known,
      kubeconfig: file,
      ...(previous === undefined ? {} : { previousContext: previous }),
    });
    if (!config.hollow) keepSandboxImage(await pauseArchive(home, run), paths);
    await ensureSupervisor(prepared, deps);
    supervised = true;
    if (flags.wait && flags.examples && !config.hollow) {
      examples = buildExampleImages({ home, say: progress.say, run });
      examples.catch(() => undefined); // said when they are waited for
    }
    if (flags.wait) await waitUntilReady(options, prepared, progress, started);
  } catch (error) {
    // A part that cannot start: what ran before goes on, what this call started goes, and a cluster that never was leaves
    // nothing. What is merely late goes on in the background.
    if (!wasRunning && (error instanceof StartError || !supervised))
      await stopCluster(name, config, paths, {
        say: () => {},
        graceSeconds: GRACE_AFTER_FAILURE_S,
        remove: prepared.isNew,
      });
    throw error;
  }
  if (flags.wait) {
    if (examples !== undefined)
      await loadExampleImages(await examples, config, paths, { say: progress.say, run, clock });
    progress.say(
      `cluster ${name} is up after ${seconds(started)}; kubectl context ${contextName(name)} in ${readIndex(index).find((c) => c.name === name)?.kubeconfig ?? paths.kubeconfig}`,
    );
    process.stdout.write(nextCommands(name, config.hollow));
  }
  process.off('SIGINT', onInterrupt);
  if (flags.foreground === true) await stayInForeground(name, prepared, progress);
}

async function waitUntilReady(
  options: UpOptions,
  { config, paths }: Prepared,
  progress: Progress,
  started: number,
): Promise<void> {
  const client = adminClient({ config, paths });
  await waitForApi(client, paths, clock, options.timeoutMs);
  progress.say(`API server is ready after ${seconds(started)} on https://127.0.0.1:${config.apiPort}`);
  await waitForNodes(client, config, paths, clock, options.timeoutMs, progress.say);
  const off = config.nodes.filter((n) => n.power === 'off');
  if (off.length > 0)
    progress.say(`switched off: ${off.map((n) => n.name).join(', ')}; start with: coracle node start ${off[0]!.name}`);
}

/** Prints the supervisor's log until Ctrl-C or SIGTERM, then takes the cluster down. */
async function stayInForeground(name: string, { config, paths }: Prepared, progress: Progress): Promise<void> {
  const ended = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  await Promise.race([follow(paths.log('supervisor')), ended]);
  progress.say(`stopping cluster ${name}`);
  await stopCluster(name, config, paths, { say: progress.say, graceSeconds: FOREGROUND_GRACE_S, remove: false });
}

/** 128 + SIGINT, as shells count. */
const INTERRUPTED = 130;
const GRACE_AFTER_FAILURE_S = 2;
const FOREGROUND_GRACE_S = 30;

const seconds = (sinceMs: number): string => `${((clock.monotonic() - sinceMs) / 1000).toFixed(1)} s`;

function nextCommands(name: string, hollow: boolean): string {
  const me = name === 'local' ? './coracle' : `./coracle --name ${name}`;
  const third = hollow ? `${me} kubectl get nodes` : `${me} kubectl -n db get pods -o wide -w`;
  return `\nNext:\n  ${me} kubectl apply -f examples/article\n  ${third}\n  ${me} status\n`;
}

function makeOptions(flags: Flags, name: string): UpOptions {
  const number = (option: string, text: string | undefined, min: number, max: number): number | undefined => {
    if (text === undefined) return undefined;
    const value = Number(text);
    if (!/^\d+(\.\d+)?$/.test(text) || value < min || value > max)
      throw new UsageError(`${option} wants a number from ${min} to ${max}, not "${text}"`);
    return value;
  };
  const nodes = number('--nodes', flags.nodes, 1, 1000);
  const port = number('--port', flags.port, 1, 65_535);
  const cpus = number('--node-cpus', flags.nodeCpus, 0.1, 4096);
  const pods = flags.podCidr === undefined ? undefined : parseRanges('--pod-cidr', flags.podCidr);
  const services = flags.serviceCidr === undefined ? undefined : parseRanges('--service-cidr', flags.serviceCidr);
  const eviction = parseEviction(flags);
  const timeout = number('--timeout', flags.timeout, 1, 86_400)!;
  return {
    name,
    dataDir: flags.dataDir ?? dataDirOf(name),
    home,
    ...(nodes === undefined ? {} : { nodes }),
    ...(port === undefined ? {} : { port }),
    ...(flags.bindAddress === undefined ? {} : { bindAddresses: flags.bindAddress }),
    ...(flags.podNetwork === undefined ? {} : { podNetwork: parsePodNetwork(flags.podNetwork) }),
    ...(flags.ipFamilies === undefined ? {} : { families: parseFamilies(flags.ipFamilies) }),
    ...(pods === undefined ? {} : { podCIDR: pods.ipv4 }),
    ...(pods?.ipv6 === undefined ? {} : { ipv6PodCIDR: pods.ipv6 }),
    ...(services === undefined ? {} : { serviceCIDR: services.ipv4 }),
    ...(services?.ipv6 === undefined ? {} : { ipv6ServiceCIDR: services.ipv6 }),
    ...(flags.loadBalancerRange === undefined ? {} : { loadBalancerRange: flags.loadBalancerRange }),
    ...(flags.zones === undefined ? {} : { zones: parseZones(flags.zones) }),
    ...(flags.runtimeDir === undefined ? {} : { runtimeDir: flags.runtimeDir }),
    ...(flags.cniConfDir === undefined ? {} : { cniConfDir: flags.cniConfDir }),
    ...(flags.allowedUnsafeSysctls === undefined
      ? {}
      : { allowedUnsafeSysctls: parseSysctls(flags.allowedUnsafeSysctls) }),
    ...(flags.seccompDefault === true ? { seccompDefault: true } : {}),
    ...(eviction === undefined ? {} : { eviction }),
    ...(cpus === undefined ? {} : { nodeCpus: cpus }),
    ...(flags.nodeMemory === undefined ? {} : { nodeMemory: parseMemory(flags.nodeMemory) }),
    ...(flags.publish === undefined ? {} : { publish: flags.publish.map(parsePublish) }),
    ...(flags.disable === undefined ? {} : { disabled: parseDisabled(flags.disable) }),
    hollow: flags.hollow === true,
    requireContainers: flags.requireContainers === true,
    install: flags.install,
    timeoutMs: timeout * 1000,
  };
}

function parsePublish(text: string): { hostPort: number; nodePort: number } {
  const match = /^(\d{1,5}):(\d{1,5})$/.exec(text);
  const [hostPort, nodePort] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || hostPort < 1 || hostPort > 65_535 || nodePort < 30_000 || nodePort > 32_767) {
    throw new UsageError(`--publish wants HOSTPORT:NODEPORT with a node port from 30000 to 32767, not "${text}"`);
  }
  return { hostPort, nodePort };
}
