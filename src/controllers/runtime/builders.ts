// Objects for controllers' tests: each builder takes only what differs.
import type { DaemonSet, Deployment, ReplicaSet, StatefulSet } from '#generated/api/apps-v1.ts';
import type { Node, Pod, PodTemplateSpec, Taint } from '#generated/api/core-v1.ts';
import { pods } from '#generated/resources.ts';
import { keyOf } from '#machinery/object.ts';
import { formatTime } from '#machinery/time.ts';
import { targetNodeOf } from '../daemonset/placement.ts';
import type { TestCluster } from './testing.ts';

export function makeTemplate(
  image = 'web:1',
  labels: Readonly<Record<string, string>> = { app: 'web' },
): PodTemplateSpec {
  return { metadata: { labels }, spec: { containers: [{ name: 'web', image }] } };
}

export function makeDeployment(spec: Partial<Deployment['spec']> = {}, name = 'web'): Deployment {
  return {
    metadata: { name, namespace: 'default' },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'web' } },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
      template: makeTemplate(),
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      ...spec,
    },
  };
}

export function makeReplicaSet(spec: Partial<ReplicaSet['spec']> = {}, name = 'web'): ReplicaSet {
  return {
    metadata: { name, namespace: 'default' },
    spec: { replicas: 3, selector: { matchLabels: { app: 'web' } }, template: makeTemplate(), ...spec },
  };
}

export function makeStatefulSet(spec: Partial<StatefulSet['spec']> = {}, name = 'web'): StatefulSet {
  return {
    metadata: { name, namespace: 'default' },
    spec: {
      replicas: 3,
      serviceName: 'web',
      selector: { matchLabels: { app: 'web' } },
      template: makeTemplate(),
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
      podManagementPolicy: 'OrderedReady',
      revisionHistoryLimit: 10,
      ...spec,
    },
  };
}

export function makeDaemonSet(spec: Partial<DaemonSet['spec']> = {}, name = 'web'): DaemonSet {
  return {
    metadata: { name, namespace: 'default' },
    spec: {
      selector: { matchLabels: { app: 'web' } },
      template: makeTemplate(),
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
      revisionHistoryLimit: 10,
      ...spec,
    },
  };
}

export interface PodParts {
  readonly name?: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly node?: string;
  readonly ready?: boolean;
  readonly phase?: string;
  readonly ip?: string;
  readonly uid?: string;
  readonly deletionTimestamp?: string;
}

export function makePod(parts: PodParts = {}): Pod {
  const {
    name = 'pod',
    namespace = 'default',
    labels,
    annotations,
    node,
    ready = false,
    phase = ready ? 'Running' : 'Pending',
    ip,
    uid,
    deletionTimestamp,
  } = parts;
  return {
    metadata: { name, namespace, labels, annotations, uid, deletionTimestamp },
    spec: { containers: [{ name: 'web', image: 'web:1' }], nodeName: node },
    status: {
      phase,
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: '2026-01-01T00:00:00Z' }],
      ...(ip === undefined ? {} : { podIP: ip, podIPs: [{ ip }] }),
    },
  };
}

export function makeNode(
  name: string,
  parts: {
    readonly ready?: string;
    readonly taints?: readonly Taint[];
    readonly labels?: Readonly<Record<string, string>>;
  } = {},
): Node {
  return {
    metadata: { name, ...(parts.labels === undefined ? {} : { labels: parts.labels }) },
    spec: parts.taints === undefined ? {} : { taints: parts.taints },
    status: {
      conditions: [{ type: 'Ready', status: parts.ready ?? 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }],
    },
  };
}

/** Plays scheduler and kubelet once: new pods are placed, run and become ready; leaving pods go. */
export function playNodes(cluster: TestCluster, options: { readonly ready?: (pod: Pod) => boolean } = {}): boolean {
  let moved = false;
  for (const pod of cluster.list(pods)) {
    if (pod.metadata.deletionTimestamp !== undefined) {
      cluster.remove(pods, keyOf(pod));
      moved = true;
      continue;
    }
    const ready = options.ready?.(pod) ?? true;
    const status = ready ? 'True' : 'False';
    if (pod.status?.phase === 'Running' && pod.status.conditions?.[0]?.status === status) continue;
    moved = true;
    cluster.edit(pods, keyOf(pod), (p) => ({
      ...p,
      spec: { ...p.spec!, nodeName: targetNodeOf(p) ?? 'node-1' },
      status: {
        ...p.status,
        phase: 'Running',
        podIP: '10.244.0.9',
        conditions: [{ type: 'Ready', status, lastTransitionTime: formatTime(cluster.clock.now()) }],
      },
    }));
  }
  return moved;
}

/** Lets controllers and played nodes work until nothing moves. */
export async function playToRest(
  cluster: TestCluster,
  options: { readonly ready?: (pod: Pod) => boolean; readonly onRound?: () => void } = {},
): Promise<void> {
  for (let i = 0; i < 100; i++) {
    await cluster.settle();
    options.onRound?.();
    if (!playNodes(cluster, options)) return;
  }
  throw new Error('the cluster did not come to rest in 100 rounds');
}
