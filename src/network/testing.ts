// A node's rules without a kernel: proxy and policy over an API double and a fake nftables, ready to be walked.
import type { KubeObject, ResourceRef } from '#machinery/object.ts';
import { SteppedClock, settle } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { MetricsRegistry } from '#base/metrics.ts';
import { SeededRandom } from '#base/random.ts';
import { createInformers } from '#client/informers.ts';
import { createClient } from '#client/rest-client.ts';
import { TestApi } from '#client/testing.ts';
import { createInProcessTransport } from '#client/transports/in-process.ts';
import type { NodeView } from '#netmodel/packet.ts';
import { endpointslices, namespaces, networkpolicies, nodes, pods, services } from '#generated/resources.ts';
import { FakeNft } from './nftables/fake-nft.ts';
import { PolicyEnforcer } from './policy/policy-enforcer.ts';
import { ServiceProxy } from './proxy/service-proxy.ts';

/** The repository's address plan for network tests. */
export const PLAN = {
  clusterCIDR: '10.244.0.0/16',
  serviceCIDR: '10.96.0.0/12',
  dnsAddress: '10.96.0.10',
  nodeOne: '192.168.77.1',
  nodeTwo: '192.168.77.2',
  outside: '192.168.77.100',
} as const;

export interface FakeNode {
  readonly api: TestApi;
  readonly nft: FakeNft;
  readonly clock: SteppedClock;
  readonly proxy: ServiceProxy;
  readonly policy: PolicyEnforcer;
  /** The rules as they are in the fake kernel. */
  view(): NodeView;
  put<T extends KubeObject>(ref: ResourceRef<T>, object: T): void;
  /** Lets events arrive and transactions pass. */
  pass(): Promise<void>;
}

export async function makeFakeNode(
  objects: readonly { readonly ref: ResourceRef; readonly object: KubeObject }[] = [],
  options: { readonly nodeName?: string; readonly nodeIP?: string } = {},
): Promise<FakeNode> {
  const { nodeName = 'one', nodeIP = PLAN.nodeOne } = options;
  const api = new TestApi();
  const clock = new SteppedClock();
  for (const { ref, object } of objects) api.put(ref, object);
  const client = createClient({
    transport: createInProcessTransport(api.exchange, { name: 'node', groups: [] }),
    clock,
    userAgent: 'test',
  });
  const informers = createInformers({ client, clock, random: new SeededRandom(1), log: silentLog }, { freeze: true });
  const nft = new FakeNft();
  const common = {
    nft,
    clock,
    log: silentLog,
    metrics: new MetricsRegistry(),
    nodeName,
    dnsAddress: PLAN.dnsAddress,
    pods: informers.informer(pods),
  };
  const proxy = new ServiceProxy({
    ...common,
    run: async () => ({ code: 0, stdout: '', stderr: '' }),
    services: informers.informer(services),
    slices: informers.informer(endpointslices),
    nodes: informers.informer(nodes),
    nodeIPs: [nodeIP],
    clusterCIDR: PLAN.clusterCIDR,
    serviceCIDR: PLAN.serviceCIDR,
  });
  const policy = new PolicyEnforcer({
    ...common,
    policies: informers.informer(networkpolicies),
    namespaces: informers.informer(namespaces),
  });
  const learned = new Map<string, Map<string, string>>();
  const pass = async () => {
    await settle();
    await clock.step(50);
    await settle();
  };
  const signal = new AbortController().signal;
  const started = Promise.all([informers.start(signal), policy.start(signal), proxy.start(signal)]);
  await pass();
  await pass();
  await started;
  return {
    api,
    nft,
    clock,
    proxy,
    policy,
    view: () => ({
      tables: [...nft.tables.values()].map(({ table, elements }) => ({ table, elements: [...elements.values()] })),
      localAddresses: [nodeIP, PLAN.dnsAddress],
      primaryAddress: nodeIP,
      learned,
    }),
    put: (ref, object) => void api.put(ref, object),
    pass,
  };
}
