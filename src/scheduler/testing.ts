// Builders for scheduler tests: they take only what differs.
import type {
  Affinity,
  Container,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  PodSpec,
  Taint,
} from '#generated/api/core-v1.ts';
import type { PodDisruptionBudget } from '#generated/api/policy-v1.ts';
import type { CSINode, StorageClass } from '#generated/api/storage-v1.ts';
import type { LabelMatcher } from '#machinery/selectors.ts';
import { keyOf } from '#machinery/object.ts';
import type { Lister } from './lister.ts';

export interface NodeParts {
  readonly name?: string;
  readonly cpu?: string;
  readonly memory?: string;
  readonly pods?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: readonly Taint[];
  readonly unschedulable?: boolean;
  readonly images?: Readonly<Record<string, number>>;
  readonly resources?: Readonly<Record<string, string>>;
}

/** 4 cpus, 8Gi, 110 pods. */
export function makeNode({
  name = 'node-1',
  cpu = '4',
  memory = '8Gi',
  pods = '110',
  labels,
  taints,
  unschedulable,
  images,
  resources,
}: NodeParts = {}): Node {
  const amounts = { cpu, memory, pods, 'ephemeral-storage': '100Gi', ...resources };
  return {
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    spec: { ...(taints === undefined ? {} : { taints }), ...(unschedulable === undefined ? {} : { unschedulable }) },
    status: {
      allocatable: amounts,
      capacity: amounts,
      images: Object.entries(images ?? {}).map(([image, sizeBytes]) => ({ names: [image], sizeBytes })),
    },
  };
}

export interface PodParts extends Partial<Omit<PodSpec, 'affinity'>> {
  readonly name?: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly cpu?: string;
  readonly memory?: string;
  readonly hostPort?: number;
  readonly image?: string;
  readonly claims?: readonly string[];
  readonly affinity?: Affinity;
  readonly nominatedNodeName?: string;
}

export function makePod({
  name = 'pod',
  namespace = 'default',
  labels,
  cpu,
  memory,
  hostPort,
  image = 'app:1',
  claims = [],
  nominatedNodeName,
  ...spec
}: PodParts = {}): Pod {
  const container: Container = {
    name: 'main',
    image,
    resources: { requests: { ...(cpu === undefined ? {} : { cpu }), ...(memory === undefined ? {} : { memory }) } },
    ...(hostPort === undefined ? {} : { ports: [{ containerPort: hostPort, hostPort, protocol: 'TCP' }] }),
  };
  return {
    metadata: { name, namespace, uid: `uid-${namespace}-${name}`, ...(labels === undefined ? {} : { labels }) },
    spec: {
      containers: [container],
      schedulerName: 'default-scheduler',
      volumes: claims.map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } })),
      ...spec,
    },
    status: { phase: 'Pending', ...(nominatedNodeName === undefined ? {} : { nominatedNodeName }) },
  };
}

export interface ListerParts {
  readonly claims?: readonly PersistentVolumeClaim[];
  readonly volumes?: readonly PersistentVolume[];
  readonly classes?: readonly StorageClass[];
  readonly csiNodes?: readonly CSINode[];
  readonly namespaces?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly budgets?: readonly PodDisruptionBudget[];
  readonly siblings?: LabelMatcher;
}

export function listerOf({
  claims = [],
  volumes = [],
  classes = [],
  csiNodes = [],
  namespaces = {},
  budgets = [],
  siblings,
}: ListerParts = {}): Lister {
  return {
    claim: (key) => claims.find((c) => keyOf(c) === key),
    volume: (name) => volumes.find((v) => v.metadata.name === name),
    volumesOfClass: (name) => volumes.filter((v) => (v.spec?.storageClassName ?? '') === name),
    storageClass: (name) => classes.find((c) => c.metadata.name === name),
    csiNode: (name) => csiNodes.find((c) => c.metadata.name === name),
    namespace: (name) =>
      namespaces[name] === undefined ? undefined : { metadata: { name, labels: namespaces[name] } },
    budgets: (namespace) => budgets.filter((b) => b.metadata.namespace === namespace),
    siblings: () => siblings,
  };
}
