// The built-in metrics API, metrics.k8s.io/v1beta1: what `kubectl top` and autoscalers read, fed by the kubelets through the
// ClusterDialer. It is two computed resources like any others; an API server behind an APIService v1beta1.metrics.k8s.io takes
// their place (whoever forwards to it asks before these are looked up), and `up --disable=metrics` leaves them out.
import type { Node, Pod } from '#generated/api/core-v1.ts';
import { nodes, pods } from '#generated/resources.ts';
import type { Clock } from '#base/clock.ts';
import type { Informer, Informers } from '#client/client.ts';
import { keyOf, type KubeObject, makeKey } from '#machinery/object.ts';
import { StatusError } from '#machinery/status.ts';
import { formatDuration, formatTime } from '#machinery/time.ts';
import { readText, requestOver } from '#streams/http-upgrade.ts';
import type { Selection } from '#watchcache/selection.ts';
import type { ComputedResource, ObjectSource } from '../computed.ts';
import { dialKubelet, type KubeletAccess } from '../subresources/proxy-backend.ts';
import { slices } from '../verbs/read.ts';
import { type CollectorDeps, UsageCollector } from './collector.ts';
import { METRICS_GROUP, nodeMetrics, type NodeMetrics, podMetrics, type PodMetrics } from './kinds.ts';
import { type Measured, type PodUsage, usageOf } from './usage.ts';

export interface MetricsApiDeps extends CollectorDeps {
  readonly informers: Informers;
}

/** What `createApiServer` is handed as computed resources. */
export function metricsApi(deps: MetricsApiDeps): readonly ComputedResource[] {
  const collector = new UsageCollector(deps);
  const sources: SourceDeps = {
    collector,
    clock: deps.clock,
    nodes: deps.informers.informer(nodes),
    pods: deps.informers.informer(pods),
  };
  return [
    { definition: nodeMetrics as unknown as ComputedResource['definition'], source: new NodeSource(sources) },
    { definition: podMetrics as unknown as ComputedResource['definition'], source: new PodSource(sources) },
  ];
}

/** Largest answer of a node: some 500 bytes a container. */
const LARGEST_ANSWER = 4 * 1024 * 1024;

/** Reads nodes over the API server's way to kubelets. */
export function kubeletScrape(access: KubeletAccess): CollectorDeps['scrape'] {
  return async (node, signal) => {
    const backend = await dialKubelet(access, node);
    try {
      const answer = await requestOver(backend, {
        method: 'GET',
        path: '/metrics/resource',
        headers: { host: node, connection: 'close' },
        signal,
      });
      const text = await readText(answer.body, LARGEST_ANSWER);
      if (answer.status !== 200) throw new Error(`GET /metrics/resource: ${answer.status} ${text.slice(0, 200)}`);
      return text;
    } finally {
      backend.destroy();
    }
  };
}

interface SourceDeps {
  readonly collector: UsageCollector;
  readonly clock: Clock;
  readonly nodes: Informer<Node>;
  readonly pods: Informer<Pod>;
}

class NodeSource implements ObjectSource {
  readonly #deps: SourceDeps;

  constructor(deps: SourceDeps) {
    this.#deps = deps;
  }

  async get(_namespace: string, name: string): Promise<NodeMetrics> {
    const node = this.#deps.nodes.get(name);
    if (node === undefined) throw StatusError.notFound({ resource: 'nodes' }, name);
    const [found] = await this.#metrics([node]);
    if (found === undefined) throw StatusError.notFound({ group: METRICS_GROUP, resource: 'nodemetrics' }, name);
    return found;
  }

  async list(selection: Selection): Promise<readonly NodeMetrics[]> {
    const { nodes: informer, collector } = this.#deps;
    const all = informer.list();
    collector.retain(new Set(all.map((n) => n.metadata.name!)));
    return this.#metrics(inOrder(all.filter((n) => isSelected(n, selection))));
  }

  async #metrics(wanted: readonly Node[]): Promise<readonly NodeMetrics[]> {
    const { collector, clock } = this.#deps;
    const usage = await collector.usage(wanted.map((n) => n.metadata.name!));
    return wanted.flatMap((node) => {
      const measured = usage.get(node.metadata.name!)?.node;
      return measured === undefined
        ? []
        : [{ metadata: metadataOf(node, clock.now()), ...timesOf(measured), usage: usageOf(measured) }];
    });
  }
}

class PodSource implements ObjectSource {
  readonly #deps: SourceDeps;

  constructor(deps: SourceDeps) {
    this.#deps = deps;
  }

  async get(namespace: string, name: string): Promise<PodMetrics> {
    const pod = this.#deps.pods.get(makeKey(namespace, name));
    const key = `${namespace}/${name}`;
    if (pod === undefined) throw StatusError.notFound({ resource: 'pods' }, key);
    const [found] = await this.#metrics([pod]);
    if (found === undefined) throw StatusError.notFound({ group: METRICS_GROUP, resource: 'podmetrics' }, key);
    return found;
  }

  async list(selection: Selection): Promise<readonly PodMetrics[]> {
    const { pods: informer } = this.#deps;
    const { namespace = '' } = selection;
    const all = namespace === '' ? informer.list() : informer.listNamespace(namespace);
    return this.#metrics(inOrder(all.filter((p) => isSelected(p, selection))));
  }

  async #metrics(wanted: readonly Pod[]): Promise<readonly PodMetrics[]> {
    const { collector, clock } = this.#deps;
    const running = wanted.filter((p) => p.status?.phase === 'Running' && (p.spec?.nodeName ?? '') !== '');
    const usage = await collector.usage([...new Set(running.map((p) => p.spec!.nodeName!))]);
    const out: PodMetrics[] = [];
    const pause = slices(clock);
    for (const pod of running) {
      if (pause.due()) await pause.turn();
      const found = usage.get(pod.spec!.nodeName!)?.pods.get(keyOf(pod));
      if (found === undefined) continue;
      const containers = found.containers.map((c) => ({ name: c.name, usage: usageOf(c.measured) }));
      out.push({ metadata: metadataOf(pod, clock.now()), ...timesOf(found), containers });
    }
    return out;
  }
}

const metadataOf = ({ metadata }: KubeObject, nowMs: number) => ({
  name: metadata.name,
  ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
  creationTimestamp: formatTime(nowMs),
  ...(metadata.labels === undefined ? {} : { labels: metadata.labels }),
});

const timesOf = ({ atMs, windowMs }: Measured | PodUsage) => ({
  timestamp: formatTime(atMs),
  window: formatDuration(windowMs),
});

function isSelected(object: KubeObject, { labels, fields }: Selection): boolean {
  const { name, namespace } = object.metadata;
  const read = (label: string) =>
    (label === 'metadata.name' ? name : label === 'metadata.namespace' ? namespace : undefined) ?? '';
  return labels?.matches(object.metadata.labels ?? {}) !== false && fields?.matches(read) !== false;
}

const inOrder = <T extends KubeObject>(objects: readonly T[]): readonly T[] =>
  objects.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
