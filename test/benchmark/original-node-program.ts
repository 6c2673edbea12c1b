// Inside the network namespace of the original node: starts control plane and kubelet, then does the steps that its parent asks for.
import { mkdirSync, readdirSync, readFileSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodes } from '#generated/resources.ts';
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

const NODE = 'original';
const IMAGE = 'docker.io/library/busybox:1.36';
const CGROUPS = '/sys/fs/cgroup';

let timing: PodTiming;

process.on('message', (message: { readonly setup?: OriginalNodeSetup; readonly step?: Step }) => {
  void (async () => {
    try {
      process.send!({ ms: message.setup === undefined ? await take(message.step!) : await begin(message.setup) });
    } catch (error) {
      process.send!({ failed: (error as Error).message });
    }
  })();
});
process.on('disconnect', () => process.exit());

function take(step: Step): Promise<number> {
  switch (step.do) {
    case 'create':
      return timing.create(step.name!);
    case 'remove':
      return timing.remove(step.name!);
    case 'createMany':
      return timing.createMany(step.count!);
    case 'removeMany':
      return timing.removeMany(step.count!);
  }
}

async function begin(setup: OriginalNodeSetup): Promise<number> {
  const reference = await startReference({ controllers: true, scheduler: true });
  const children = new Children('coracle-kubelet');
  await startKubelet(children, reference, setup);
  const { admin } = reference.certificates;
  const client = createClient({
    transport: createHttpsTransport({
      server: reference.url,
      ca: Buffer.from(reference.ca),
      cert: Buffer.from(admin.certificate),
      key: Buffer.from(admin.key),
      clock,
    }),
    clock,
    userAgent: 'benchmark',
  });
  const ms = await until('the original node', async () => {
    children.mustLive();
    const node = await client.resource(nodes).get(undefined, NODE);
    return isConditionTrue(node?.status?.conditions, 'Ready') && (node?.spec?.taints ?? []).length === 0;
  }).catch((error: Error) => {
    throw new Error(`${error.message}\n${children.logEnd('kubelet')}`);
  });
  timing = new PodTiming(client, { node: NODE, image: IMAGE });
  await timing.start();
  return ms;
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
