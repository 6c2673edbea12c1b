// A small cluster of network namespaces: nodes on a bridge, pods wired the way the CNI ptp plugin wires them, and a
// machine outside. Everything is gone after close(), and nothing of it touches the machine's own network.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { mustRun, run } from '#host/process.ts';
import type { PodNetworkMode } from '#netmodel/pod-network.ts';
import type { Put, Reply } from './worker.ts';

export const CLUSTER_CIDR = '10.244.0.0/16';
export const SERVICE_CIDR = '10.96.0.0/12';
export const LOAD_BALANCER_RANGE_6 = 'fd77::201-fd77::253';
export const LOAD_BALANCER_RANGE = '192.168.77.201-192.168.77.253';
export const DNS_ADDRESS = '10.96.0.10';
export const CLUSTER_CIDR_6 = 'fd00:10:244::/56';
export const SERVICE_CIDR_6 = 'fd00:10:96::/112';

export interface LabNode {
  readonly name: string;
  readonly ip: string;
  /** In a lab of both families. */
  readonly ip6: string;
  /** `10.244.1` */
  readonly podPrefix: string;
  /** `fd00:10:244:1::` */
  readonly podPrefix6: string;
  worker: Worker;
}

export interface LabPod {
  readonly name: string;
  readonly ip: string;
  /** In a lab of both families. */
  readonly ip6: string;
  readonly worker: Worker;
}

/** A process in a namespace, answering commands of worker.ts. */
export class Worker {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #nextId = 1;
  stderr = '';

  constructor(namespace: string) {
    const script = join(import.meta.dirname, 'worker.ts');
    this.#child = spawn('nsenter', [
      `--net=/var/run/netns/${namespace}`,
      '--',
      process.execPath,
      '--no-warnings',
      script,
    ]);
    this.#child.stderr.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const { id, reply } = JSON.parse(line) as { id: number; reply: Reply };
      this.#waiting.get(id)?.(reply);
      this.#waiting.delete(id);
    });
    this.#child.on('exit', () => {
      for (const answer of this.#waiting.values()) answer({ failed: `worker ended: ${this.stderr}` });
    });
  }

  do(command: object): Promise<Reply> {
    const id = this.#nextId++;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#child.stdin.write(`${JSON.stringify({ id, command })}\n`);
    });
  }

  /** What a client sees: `name` of who answered and `from` as seen there, or the error. */
  async reach(
    host: string,
    port: number,
    options: { protocol?: 'tcp' | 'udp'; timeoutMs?: number; bytes?: number } = {},
  ): Promise<string> {
    const reply = await this.do({
      do: 'connect',
      host,
      port,
      protocol: options.protocol ?? 'tcp',
      timeoutMs: options.timeoutMs ?? 700,
      ...(options.bytes === undefined ? {} : { bytes: options.bytes }),
    });
    if ('reached' in reply) return `${reply.reached} from ${reply.sawClient}`;
    return 'failed' in reply ? reply.failed : JSON.stringify(reply);
  }

  /** Ends it as a crash would. */
  kill(): Promise<void> {
    return new Promise((resolve) => {
      this.#child.on('exit', () => resolve());
      this.#child.kill('SIGKILL');
    });
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) return resolve();
      this.#child.on('exit', () => resolve());
      this.#child.stdin.end();
    });
  }
}

export class Lab {
  readonly #prefix: string;
  readonly #hasIPv6: boolean;
  readonly folder = mkdtempSync(join(tmpdir(), 'coracle-lab-'));
  readonly #namespaces: string[] = [];
  readonly #workers: Worker[] = [];
  #links = 0;

  constructor(tag: string, options: { readonly ipv6?: boolean } = {}) {
    this.#prefix = `cnk-${tag}-${process.pid}`;
    this.#hasIPv6 = options.ipv6 === true;
  }

  async #namespace(name: string): Promise<string> {
    const full = `${this.#prefix}-${name}`;
    await mustRun(run, 'ip', ['netns', 'add', full]);
    this.#namespaces.push(full);
    // Otherwise nothing is found for a second or two after a link is made; CNI plugins wait for that.
    if (this.#hasIPv6) {
      const setting = 'echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad';
      await mustRun(run, 'nsenter', [`--net=/var/run/netns/${full}`, '--', 'sh', '-c', setting]);
    }
    await this.#in(full, 'link set lo up');
    return full;
  }

  async #in(namespace: string, ...lines: readonly string[]): Promise<void> {
    for (const line of lines) await mustRun(run, 'ip', ['-n', namespace, ...line.split(' ')]);
  }

  #worker(namespace: string): Worker {
    const worker = new Worker(namespace);
    this.#workers.push(worker);
    return worker;
  }

  /** The switch that nodes and outside machines hang on. */
  async start(): Promise<void> {
    const wire = await this.#namespace('switch');
    await this.#in(wire, 'link add br0 type bridge', 'link set br0 up', 'address add 192.168.77.254/24 dev br0');
    await this.#in6(wire, 'address add fd77::254/64 dev br0 nodad');
  }

  /** Lines of the second family, in a lab that has it. */
  async #in6(namespace: string, ...lines: readonly string[]): Promise<void> {
    if (this.#hasIPv6) await this.#in(namespace, ...lines);
  }

  async #attach(name: string, ip: string): Promise<string> {
    const full = await this.#namespace(name);
    const port = `p${this.#links++}`;
    const wire = `${this.#prefix}-switch`;
    await this.#in(
      wire,
      `link add ${port} type veth peer name eth0 netns ${full}`,
      `link set ${port} master br0`,
      `link set ${port} up`,
    );
    await this.#in(full, `address add ${ip}/24 dev eth0`, 'link set eth0 up', 'route add default via 192.168.77.254');
    await this.#in6(full, `address add ${sixOf(ip)}/64 dev eth0 nodad`, 'route add default via fd77::254');
    return full;
  }

  async addMachine(name: string, ip: string): Promise<Worker> {
    return this.#worker(await this.#attach(name, ip));
  }

  async addNode(name: string, ip: string, podPrefix: string): Promise<LabNode> {
    const podPrefix6 = `fd00:10:244:${podPrefix.split('.')[2]}::`;
    return { name, ip, ip6: sixOf(ip), podPrefix, podPrefix6, worker: this.#worker(await this.#attach(name, ip)) };
  }

  /** A veth pair, a host route to the pod, and the pod's default route over the node's end. */
  async addPod(node: LabNode, name: string, number: number): Promise<LabPod> {
    const full = await this.#namespace(name);
    const onNode = `${this.#prefix}-${node.name}`;
    const [ip, gateway, veth] = [`${node.podPrefix}.${number}`, `${node.podPrefix}.1`, `veth${number}`];
    await this.#in(
      onNode,
      `link add ${veth} type veth peer name eth0 netns ${full}`,
      `address add ${gateway}/32 dev ${veth}`,
      `link set ${veth} up`,
    );
    await this.#in(onNode, `route add ${ip}/32 dev ${veth} src ${gateway}`);
    await this.#in(
      full,
      `address add ${ip}/24 dev eth0`,
      'link set eth0 up',
      `route del ${node.podPrefix}.0/24`,
      `route add ${gateway} dev eth0`,
    );
    await this.#in(full, `route add ${node.podPrefix}.0/24 via ${gateway}`, `route add default via ${gateway}`);
    const [ip6, gateway6] = [`${node.podPrefix6}${number}`, `${node.podPrefix6}1`];
    await this.#in6(onNode, `address add ${gateway6}/128 dev ${veth} nodad`, `route add ${ip6}/128 dev ${veth}`);
    await this.#in6(
      full,
      `address add ${ip6}/64 dev eth0 nodad`,
      `route del ${node.podPrefix6}/64 dev eth0`,
      `route add ${gateway6} dev eth0`,
      `route add ${node.podPrefix6}/64 via ${gateway6}`,
      `route add default via ${gateway6}`,
    );
    return { name, ip, ip6, worker: this.#worker(full) };
  }

  /** Starts the node network on a node with these objects in the API. */
  async startNetwork(
    node: LabNode,
    objects: readonly Put[],
    upstreams: readonly string[] = [],
    podNetwork: PodNetworkMode = 'routes',
  ): Promise<void> {
    const folder = join(this.folder, node.name);
    const options = {
      nodeName: node.name,
      nodeIPs: this.#hasIPv6 ? [node.ip, node.ip6] : [node.ip],
      ...(this.#hasIPv6 ? { ipv6: { clusterCIDR: CLUSTER_CIDR_6, serviceCIDR: SERVICE_CIDR_6 } } : {}),
      podNetwork,
      clusterCIDR: CLUSTER_CIDR,
      serviceCIDR: SERVICE_CIDR,
      dns: { address: DNS_ADDRESS, domain: 'cluster.local', upstreams },
      cni: { ours: true, confDir: join(folder, 'cni'), dataDir: join(folder, 'addresses') },
      loadBalancerRanges: this.#hasIPv6 ? [LOAD_BALANCER_RANGE, LOAD_BALANCER_RANGE_6] : [LOAD_BALANCER_RANGE],
      nftPath: 'nft',
      folder: join(folder, 'rules'),
      parts: { proxy: true, policy: true, dns: true },
    };
    const reply = await node.worker.do({ do: 'network', options, objects });
    if (!('done' in reply)) throw new Error(`${JSON.stringify(reply)} ${node.worker.stderr}`);
  }

  /** The node's agent dies; a new process stands ready in its place. */
  async restartWorker(node: LabNode): Promise<void> {
    await node.worker.kill();
    node.worker = this.#worker(`${this.#prefix}-${node.name}`);
  }

  run(node: LabNode, command: string, ...args: string[]): Promise<string> {
    return mustRun(run, 'nsenter', [`--net=/var/run/netns/${this.#prefix}-${node.name}`, '--', command, ...args]);
  }

  /** A program in a namespace that is no node: `switch`, a machine, a pod. */
  runIn(name: string, command: string, ...args: string[]): Promise<string> {
    return mustRun(run, 'nsenter', [`--net=/var/run/netns/${this.#prefix}-${name}`, '--', command, ...args]);
  }

  /** The file of a namespace. */
  netns(name: string): string {
    return `/var/run/netns/${this.#prefix}-${name}`;
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((w) => w.stop()));
    for (const name of this.#namespaces.toReversed()) await run('ip', ['netns', 'del', name]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** `192.168.77.5` → `fd77::5`. */
const sixOf = (ip: string): string => `fd77::${ip.split('.')[3]}`;

/** Asks until it says what is wanted; gives the last answer. */
export async function eventually(
  ask: () => Promise<string>,
  wanted: (answer: string) => boolean,
  tries = 40,
): Promise<string> {
  let answer = await ask();
  for (let i = 0; i < tries && !wanted(answer); i++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    answer = await ask();
  }
  return answer;
}
