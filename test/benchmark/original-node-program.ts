// Inside the network namespace of the original node: starts control plane and kubelet or kube-proxy, then does the steps that its parent asks for.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { nodes } from '#generated/resources.ts';
import type { Client } from '#client/client.ts';
import { createClient } from '#client/rest-client.ts';
import { createHttpsTransport } from '#client/transports/https.ts';
import { isConditionTrue } from '#machinery/conditions.ts';
import { createNodeClient } from '#pki/ensure.ts';
import { Children } from '#test/reference/children.ts';
import { type Reference, startReference } from '#test/reference/control-plane.ts';
import { findPrograms } from '#test/reference/folder.ts';
import { clock, until } from './cluster.ts';
import type { OriginalNodeSetup, Step } from './original-node.ts';
import { PodTiming } from './pod-timing.ts';
import { ServiceTiming } from './service-timing.ts';

const NODE = 'original';
const IMAGE = 'docker.io/library/busybox:1.36';
/** For documentation (RFC 5737), as the node's own address. */
const ENDPOINTS = { a: '192.0.2.11', b: '192.0.2.12' } as const;
const CGROUPS = '/sys/fs/cgroup';

let podTiming: PodTiming;
let serviceTiming: ServiceTiming;

process.on('message', (message: { readonly setup?: OriginalNodeSetup; readonly step?: Step }) => {
  void (async () => {
    try {
      if (message.setup !== undefined) await begin(message.setup);
      process.send!({ ms: message.step === undefined ? [] : await take(message.step) });
    } catch (error) {
      process.send!({ failed: (error as Error).message });
    }
  })();
});
process.on('disconnect', () => process.exit());

async function take(step: Step): Promise<readonly number[]> {
  switch (step.do) {
    case 'create':
      return [await podTiming.create(step.name)];
    case 'remove':
      return [await podTiming.remove(step.name)];
    case 'createMany':
      return [await podTiming.createMany(step.count)];
    case 'removeMany':
      return [await podTiming.removeMany(step.count)];
    case 'fillServices':
      await serviceTiming.fill(step.count);
      return [];
    case 'changeService':
      return serviceTiming.measure(step.count);
  }
}

async function begin(setup: OriginalNodeSetup): Promise<void> {
  const isKubelet = setup.part === 'kubelet';
  const reference = await startReference({ controllers: true, scheduler: isKubelet });
  const children = new Children('coracle-original-node');
  const client = clientOf(reference);
  try {
    if (isKubelet) await beginKubelet(children, reference, client, setup);
    else await beginProxy(children, reference, client, setup);
    children.mustLive();
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${children.logEnd(setup.part)}`, { cause: error });
  }
}

function clientOf(reference: Reference): Client {
  const { admin } = reference.certificates;
  const transport = createHttpsTransport({
    server: reference.url,
    ca: Buffer.from(reference.ca),
    cert: Buffer.from(admin.certificate),
    key: Buffer.from(admin.key),
    clock,
  });
  return createClient({ transport, clock, userAgent: 'benchmark' });
}

async function beginKubelet(
  children: Children,
  reference: Reference,
  client: Client,
  setup: OriginalNodeSetup,
): Promise<void> {
  await startKubelet(children, reference, setup);
  await until('the original node', async () => {
    const node = await client.resource(nodes).get(undefined, NODE);
    return isConditionTrue(node?.status?.conditions, 'Ready') && (node?.spec?.taints ?? []).length === 0;
  });
  podTiming = new PodTiming(client, { node: NODE, image: IMAGE });
  await podTiming.start();
}

/** The endpoints are servers of this process, on addresses of their own in this namespace. */
async function beginProxy(
  children: Children,
  reference: Reference,
  client: Client,
  setup: OriginalNodeSetup,
): Promise<void> {
  await client.resource(nodes).create({
    metadata: { name: NODE },
    status: { addresses: [{ type: 'InternalIP', address: setup.nodeIP }] },
  });
  // Packets to cluster addresses need a way before they are translated.
  execFileSync('ip', ['route', 'add', '10.96.0.0/12', 'dev', 'lo', 'src', setup.nodeIP]);
  for (const [letter, address] of Object.entries(ENDPOINTS)) {
    execFileSync('ip', ['addr', 'add', `${address}/32`, 'dev', 'lo']);
    await new Promise<void>((resolve) =>
      http.createServer((_, answer) => answer.end(letter)).listen(80, address, resolve),
    );
  }
  const config = join(children.dir, 'kube-proxy.json');
  writeFileSync(
    config,
    JSON.stringify({
      apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
      kind: 'KubeProxyConfiguration',
      mode: 'nftables',
      clientConnection: { kubeconfig: reference.kubeconfig },
      hostnameOverride: NODE,
      bindAddress: '127.0.0.1',
      conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
    }),
  );
  children.spawn('kube-proxy', findPrograms(['kube-proxy'])['kube-proxy'], [`--config=${config}`]);
  serviceTiming = new ServiceTiming(client, { addresses: [ENDPOINTS.a, ENDPOINTS.b], ask });
  await serviceTiming.start();
}

/** What answers at an address; '' when nobody does. */
function ask(ip: string): Promise<string> {
  return new Promise((resolve) => {
    const request = http.get({ host: ip, port: 80, agent: false, timeout: 500 }, (answer) => {
      let text = '';
      answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
      answer.on('close', () => resolve(text));
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(''));
  });
}

async function startKubelet(children: Children, reference: Reference, setup: OriginalNodeSetup): Promise<void> {
  const pair = await createNodeClient(reference.certificates.ca, NODE, Date.now());
  makeCgroups(setup.cgroupRoot);
  const logs = join(children.dir, 'pods');
  mkdirSync(logs);
  const config = join(children.dir, 'kubelet.json');
  writeFileSync(
    config,
    JSON.stringify({
      apiVersion: 'kubelet.config.k8s.io/v1beta1',
      kind: 'KubeletConfiguration',
      address: '127.0.0.1',
      authentication: { x509: { clientCAFile: reference.caFile } },
      cgroupDriver: 'cgroupfs',
      cgroupRoot: setup.cgroupRoot,
      clusterDomain: 'cluster.local',
      clusterDNS: ['10.96.0.10'],
      containerRuntimeEndpoint: `unix://${setup.socket}`,
      failCgroupV1: false,
      failSwapOn: false,
      podLogsDir: logs,
    }),
  );
  children.spawn('kubelet', findPrograms(['kubelet']).kubelet, [
    `--config=${config}`,
    `--kubeconfig=${reference.kubeconfigFor('kubelet', pair)}`,
    `--hostname-override=${NODE}`,
    `--node-ip=${setup.nodeIP}`,
    `--root-dir=${join(children.dir, 'root')}`,
    `--cert-dir=${join(children.dir, 'made')}`,
  ]);
}

/** The kubelet wants its root group to be there; in hierarchies of cgroup v1 each has its own, and cpuset starts empty. */
function makeCgroups(name: string): void {
  const isV1 = !existsSync(join(CGROUPS, 'cgroup.controllers'));
  for (const base of isV1 ? readdirSync(CGROUPS).map((c) => join(CGROUPS, c)) : [CGROUPS]) {
    const dir = join(base, name);
    mkdirSync(dir, { recursive: true });
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      if (isV1 && existsSync(join(dir, file))) writeFileSync(join(dir, file), readFileSync(join(base, file)));
    }
  }
}
