// coracle up: starts or continues a cluster in the background and waits until it is of use.
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { run } from '#host/process.ts';
import { putIndex, readIndex } from '#cluster/clusters.ts';
import { parseDisabled, parseMemory, parseRange } from '#cluster/config.ts';
import { UsageError } from '#cluster/errors.ts';
import { loadExampleImages } from '#cluster/example-images.ts';
import { addEntry, contextName, userKubeconfigPath } from '#cluster/kubeconfig-file.ts';
import { ensureMaterials } from '#cluster/materials.ts';
import { ensureSupervisor, prepare, type UpDeps, type UpOptions, waitForApi, waitForNodes } from '#cluster/up.ts';
import { adminClient, clock, clusterName, dataDirOf, env, home, index, self, uid } from '../context.ts';
import { makeProgress } from '../progress.ts';

interface Flags {
  readonly name?: string;
  readonly nodes?: string;
  readonly dataDir?: string;
  readonly port?: string;
  readonly bindAddress?: string[];
  readonly podCidr?: string;
  readonly serviceCidr?: string;
  readonly runtimeDir?: string;
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
    .option('--bind-address <ip>', 'address the API server listens on (repeatable; default: loopback and the switch)', collect)
    .option('--pod-cidr <range>', 'addresses of pods (default: 10.244.0.0/16)')
    .option('--service-cidr <range>', 'addresses of services (default: 10.96.0.0/12)')
    .option('--runtime-dir <dir>', 'folder with containerd, runc and CNI plugins to use')
    .option('--cni-conf-dir <dir>', 'CNI configuration to use instead of the built-in pod network')
    .option('--node-cpus <n>', 'CPUs each node reports (default: the machine’s)')
    .option('--node-memory <size>', 'memory each node reports (default: the machine’s)')
    .option('--publish <host:nodeport>', 'make a node port reachable on a port of this machine (repeatable)', collect)
    .option('--disable <parts>', 'parts to leave out, to run another implementation: scheduler,controllers,dns,proxy,policy')
    .option('--hollow', 'nodes without containers and kernel network')
    .option('--require-containers', 'fail where real nodes are not possible')
    .option('--foreground', 'stay, print the log, and stop the supervisor on Ctrl-C')
    .option('--no-install', 'bring no missing programs')
    .option('--no-examples', 'load no example images')
    .option('--no-wait', 'return once the parts are started')
    .option('--timeout <seconds>', 'how long to wait until everything is ready', '300')
    .action(up);
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
  const deps: UpDeps = { run, clock, say: progress.say, self, path: env['PATH'] ?? '', platform: process.platform, uid };
  const prepared = await prepare(options, deps);
  process.env['PATH'] = prepared.programs.path;
  const { config, paths } = prepared;
  const { admin } = await ensureMaterials(config, paths, clock.now());
  const entry = { name, dataDir: paths.data, ...known };
  putIndex(index, entry);
  progress.say(prepared.isNew ? `cluster ${name}: starting (${config.nodes.length} ${config.hollow ? 'hollow ' : ''}nodes, data in ${paths.data})` : `cluster ${name}: continuing`);
  await ensureSupervisor(prepared, deps);
  const file = userKubeconfigPath(env);
  const { previous } = addEntry(file, admin, paths.data);
  putIndex(index, { ...entry, kubeconfig: file, ...(previous === undefined ? {} : { previousContext: previous }) });
  if (!flags.wait) return progress.done();

  const timeoutMs = options.timeoutMs;
  const client = adminClient({ config, paths });
  await waitForApi(client, paths, clock, timeoutMs);
  progress.say(`API server is ready after ${seconds(started)} on https://127.0.0.1:${config.apiPort}`);
  await waitForNodes(client, config, paths, clock, timeoutMs, progress.say);
  if (flags.examples && !config.hollow) await loadExampleImages({ config, paths, home, say: progress.say, run, clock });
  progress.say(`cluster ${name} is up after ${seconds(started)}; kubectl context ${contextName(name)} in ${file}`);
  progress.done();
  process.stdout.write(nextCommands(name, config.hollow));
  if (flags.foreground === true) {
    const { follow } = await import('./logs.ts');
    await follow(paths.log('supervisor'));
  }
}

const seconds = (since: number): string => `${((clock.monotonic() - since) / 1000).toFixed(1)} s`;

function nextCommands(name: string, hollow: boolean): string {
  const me = name === 'local' ? './coracle' : `./coracle --name ${name}`;
  const third = hollow ? `${me} kubectl get nodes` : `${me} kubectl -n db get pods -o wide -w`;
  return `\nNext:\n  ${me} kubectl apply -f examples/article\n  ${third}\n  ${me} status\n`;
}

function makeOptions(flags: Flags, name: string): UpOptions {
  const number = (option: string, text: string | undefined, min: number, max: number): number | undefined => {
    if (text === undefined) return undefined;
    const value = Number(text);
    if (!/^\d+(\.\d+)?$/.test(text) || value < min || value > max) throw new UsageError(`${option} wants a number from ${min} to ${max}, not "${text}"`);
    return value;
  };
  const nodes = number('--nodes', flags.nodes, 1, 1000);
  const port = number('--port', flags.port, 1, 65_535);
  const cpus = number('--node-cpus', flags.nodeCpus, 0.1, 4096);
  const timeout = number('--timeout', flags.timeout, 1, 86_400)!;
  return {
    name,
    dataDir: flags.dataDir ?? dataDirOf(name),
    home,
    ...(nodes === undefined ? {} : { nodes }),
    ...(port === undefined ? {} : { port }),
    ...(flags.bindAddress === undefined ? {} : { bindAddresses: flags.bindAddress }),
    ...(flags.podCidr === undefined ? {} : { podCIDR: parseRange('--pod-cidr', flags.podCidr) }),
    ...(flags.serviceCidr === undefined ? {} : { serviceCIDR: parseRange('--service-cidr', flags.serviceCidr) }),
    ...(flags.runtimeDir === undefined ? {} : { runtimeDir: flags.runtimeDir }),
    ...(flags.cniConfDir === undefined ? {} : { cniConfDir: flags.cniConfDir }),
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
