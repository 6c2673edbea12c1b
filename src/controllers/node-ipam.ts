// Gives each node its range of pod addresses, cut from the cluster's. Ranges already given are read from the nodes, so a
// restart changes nothing. Upstream: pkg/controller/nodeipam, range allocator.
import { cidrsOverlap, formatCIDR, parseCIDR, subnetAt, type CIDR } from '#base/ip.ts';
import type { Node } from '#generated/api/core-v1.ts';
import { nodes } from '#generated/resources.ts';
import type { Informer } from '#client/client.ts';
import {
  type ControllerDefinition,
  type ControllerDeps,
  done,
  type Outcome,
  ownKey,
  watch,
} from './runtime/controller.ts';

/** Node range of IPv6 clusters: upstream's default. */
const IPV6_MASK_SIZE = 64;

export const nodeIpamController: ControllerDefinition = {
  name: 'node-ipam-controller',
  identity: 'node-controller',
  build: (deps) => {
    const own = deps.informers.informer(nodes);
    const reconciler = new NodeIpamReconciler({ ...deps, nodes: own });
    return {
      watches: [watch(own, ownKey)],
      reconcile: (name) => reconciler.reconcile(name),
      // One at a time: two nodes would get the same range.
      workers: 1,
    };
  },
};

interface NodeIpamDeps extends Pick<ControllerDeps, 'client' | 'events' | 'options'> {
  readonly nodes: Informer<Node>;
}

class NodeIpamReconciler {
  readonly #deps: NodeIpamDeps;
  /** Node uid → ranges given that the cache may not show yet. */
  readonly #given = new Map<string, readonly string[]>();

  constructor(deps: NodeIpamDeps) {
    this.#deps = deps;
  }

  async reconcile(name: string): Promise<Outcome> {
    const node = this.#deps.nodes.get(name);
    const present = new Set(this.#deps.nodes.list().map((n) => n.metadata.uid!));
    for (const uid of this.#given.keys()) if (!present.has(uid)) this.#given.delete(uid);
    if (node === undefined || rangesOf(node).length > 0 || this.#given.has(node.metadata.uid!)) return done;
    const { clusterCidrs, nodeCidrMaskSize } = this.#deps.options;
    const used = [...this.#deps.nodes.list().flatMap(rangesOf), ...[...this.#given.values()].flat()];
    const podCIDRs = clusterCidrs.map((c) => freeRange(c, c.includes(':') ? IPV6_MASK_SIZE : nodeCidrMaskSize, used));
    if (podCIDRs.some((c) => c === undefined)) {
      this.#deps.events.event(
        node,
        nodes,
        'Normal',
        'CIDRNotAvailable',
        `Node ${name} status is now: CIDRNotAvailable`,
      );
      throw new Error(`no range of pod addresses is left for node ${name} in ${clusterCidrs.join(', ')}`);
    }
    const ranges = podCIDRs as readonly string[];
    await this.#deps.client.resource(nodes).patch(undefined, name, 'application/merge-patch+json', {
      metadata: { uid: node.metadata.uid },
      spec: { podCIDR: ranges[0], podCIDRs: ranges },
    });
    this.#given.set(node.metadata.uid!, ranges);
    return done;
  }
}

const rangesOf = (node: Node): readonly string[] =>
  node.spec?.podCIDRs ?? (node.spec?.podCIDR ? [node.spec.podCIDR] : []);

/** The lowest range of `prefix` bits in the cluster's that overlaps none in use. */
export function freeRange(clusterCidr: string, prefix: number, used: readonly string[]): string | undefined {
  const cluster = parseCIDR(clusterCidr)!;
  const taken = used.flatMap((u) => parseCIDR(u) ?? []);
  const exact = new Set(taken.map(formatCIDR));
  // A cluster has at most this many nodes; IPv6 ranges would be endless otherwise.
  const count = Math.min(2 ** Math.min(30, prefix - cluster.prefix), 65_536);
  const odd: readonly CIDR[] = taken.filter((t) => t.prefix !== prefix);
  for (let i = 0; i < count; i++) {
    const range = subnetAt(cluster, prefix, i);
    if (!exact.has(formatCIDR(range)) && !odd.some((t) => cidrsOverlap(t, range))) return formatCIDR(range);
  }
  return undefined;
}
