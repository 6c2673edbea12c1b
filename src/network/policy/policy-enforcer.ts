// Enforces NetworkPolicies for this node's pods: policies, namespaces and pods of the cluster into the policy table.
import type { NetworkPolicy } from '#generated/api/networking-v1.ts';
import type { Namespace, Pod } from '#generated/api/core-v1.ts';
import type { Clock } from '#base/clock.ts';
import type { Log } from '#base/log.ts';
import type { MetricsRegistry } from '#base/metrics.ts';
import type { Informer } from '#client/client.ts';
import { type Family, isOfFamily, partName } from '#netmodel/family.ts';
import type { LocalPod } from '#netmodel/node-network.ts';
import { compilePolicy, type NamedPort, type PolicyPod } from '#netmodel/policies.ts';
import { POLICY_TABLE, PolicyElements, policyTable } from '#netmodel/policy-rules.ts';
import type { Protocol } from '#netmodel/rules.ts';
import type { ElementCounter, Nft } from '../nftables/nft.ts';
import { TableSync } from '../nftables/table-sync.ts';
import { unlessAborted } from '../unless-aborted.ts';

export interface PolicyEnforcerDeps {
  /** Whose packets it checks; a node of two families has two. Absent: 4. */
  readonly family?: Family;
  readonly policies: Informer<NetworkPolicy>;
  readonly namespaces: Informer<Namespace>;
  readonly pods: Informer<Pod>;
  readonly nft: Nft;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
  readonly nodeName: string;
  /** Stands for the cluster's DNS as a pod would; undefined when DNS runs in real pods. */
  readonly dnsAddress: string | undefined;
}

export class PolicyEnforcer {
  readonly name: string;
  readonly #deps: PolicyEnforcerDeps;
  readonly #family: Family;
  readonly #model: PolicyElements;
  readonly #sync: TableSync;
  /** Pods that the kubelet announced: pod key → it. The kubelet knows addresses before the API does. */
  readonly #announced = new Map<string, LocalPod>();
  readonly #unsubscribe: (() => void)[] = [];

  constructor(deps: PolicyEnforcerDeps) {
    this.#deps = deps;
    const { nft, clock, log, metrics, family = 4 } = deps;
    this.#family = family;
    this.name = partName('network-policy', family);
    this.#model = new PolicyElements(family);
    this.#sync = new TableSync({
      nft,
      clock,
      log,
      metrics,
      elements: this.#model.elements,
      table: () => policyTable(family),
      prepare: () => {},
    });
  }

  async start(signal: AbortSignal): Promise<void> {
    const { policies, namespaces, pods, dnsAddress } = this.#deps;
    for (const informer of [policies, namespaces, pods]) await unlessAborted(informer.whenSynced(), signal);
    if (dnsAddress !== undefined) this.#model.setPod(DNS_POD_KEY, dnsPod(dnsAddress));
    this.#unsubscribe.push(
      namespaces.subscribe(({ key, object }) => {
        this.#model.setNamespace(key, object === undefined ? undefined : (object.metadata.labels ?? {}));
        this.#poke();
      }),
      pods.subscribe(({ key, object }) => {
        this.#podChanged(key, object);
        this.#poke();
      }),
      policies.subscribe(({ key, object }) => this.#policyChanged(key, object)),
    );
    await this.#sync.start(signal);
  }

  /** The rules stay in the kernel: pods stay protected while the agent is away. */
  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    this.#sync.stop();
  }

  /** Resolves when every policy that selects the pod is in the kernel. */
  async inForce(local: LocalPod, signal: AbortSignal): Promise<void> {
    if (local.ips.length === 0) return;
    const key = `${local.namespace}/${local.name}`;
    this.#announced.set(key, local);
    this.#place(key, this.#deps.pods.get(key));
    await this.#sync.inForce(signal);
  }

  podGone(uid: string): void {
    for (const [key, local] of this.#announced) {
      if (local.uid !== uid) continue;
      this.#announced.delete(key);
      this.#place(key, undefined);
      this.#poke();
    }
  }

  /** Packets that policies dropped, by pod address. */
  drops(direction: 'ingress' | 'egress'): Promise<readonly ElementCounter[]> {
    return this.#deps.nft.counters(POLICY_TABLE, `${direction}_denied`, this.#family);
  }

  #policyChanged(key: string, policy: NetworkPolicy | undefined): void {
    try {
      this.#model.setPolicy(key, policy === undefined ? undefined : compilePolicy(policy, this.#family));
    } catch (error) {
      // What cannot be understood is enforced as it was; validation keeps such objects out of the API.
      this.#deps.log.error('policy not understood', { key, error });
    }
    this.#poke();
  }

  #podChanged(key: string, pod: Pod | undefined): void {
    const seen = pod === undefined ? undefined : policyPodOf(pod, this.#family);
    this.#model.setPod(key, seen);
    this.#place(key, pod);
  }

  #place(key: string, pod: Pod | undefined): void {
    const seen = pod === undefined ? undefined : policyPodOf(pod, this.#family);
    const announced = this.#announced.get(key);
    if (announced !== undefined) {
      // The API's labels are newer than those the kubelet read, unless it still shows an earlier pod of that name.
      const same = pod?.metadata.uid === announced.uid;
      const labels = same ? (pod?.metadata.labels ?? {}) : announced.labels;
      const namedPorts = same && pod !== undefined ? namedPortsOf(pod) : [];
      this.#model.setLocalPod(key, {
        key,
        namespace: announced.namespace,
        labels,
        ips: announced.ips.filter((ip) => isOfFamily(ip, this.#family)),
        namedPorts,
      });
      return;
    }
    const here = pod?.spec?.nodeName === this.#deps.nodeName;
    this.#model.setLocalPod(key, here ? seen : undefined);
  }

  #poke(): void {
    if (this.#model.elements.pending) this.#sync.poke();
  }
}

const DNS_POD_KEY = 'kube-system/cluster dns';

/** Policies that allow the pods labelled k8s-app=kube-dns of kube-system mean the DNS on this node. */
export function dnsPod(address: string): PolicyPod {
  return {
    key: DNS_POD_KEY,
    namespace: 'kube-system',
    labels: { 'k8s-app': 'kube-dns' },
    ips: [address],
    namedPorts: [
      { name: 'dns', protocol: 'udp', port: 53 },
      { name: 'dns-tcp', protocol: 'tcp', port: 53 },
    ],
  };
}

/** Undefined for pods that policies do not see: on the host's network, finished, or without address. */
export function policyPodOf(pod: Pod, family: Family = 4): PolicyPod | undefined {
  if (pod.spec?.hostNetwork === true || pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed')
    return undefined;
  const ips = (pod.status?.podIPs ?? (pod.status?.podIP === undefined ? [] : [{ ip: pod.status.podIP }]))
    .map((i) => i.ip)
    .filter((ip) => isOfFamily(ip, family));
  if (ips.length === 0) return undefined;
  const namespace = pod.metadata.namespace ?? '';
  return {
    key: `${namespace}/${pod.metadata.name}`,
    namespace,
    labels: pod.metadata.labels ?? {},
    ips,
    namedPorts: namedPortsOf(pod),
  };
}

function namedPortsOf(pod: Pod): NamedPort[] {
  const staying = (pod.spec?.initContainers ?? []).filter((c) => c.restartPolicy === 'Always');
  return [...(pod.spec?.containers ?? []), ...staying].flatMap((c) =>
    (c.ports ?? [])
      .filter((p) => p.name !== undefined && p.name !== '')
      .map((p) => ({
        name: p.name!,
        protocol: (p.protocol ?? 'TCP').toLowerCase() as Protocol,
        port: p.containerPort,
      })),
  );
}
