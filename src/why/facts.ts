// Everything the checks look at, as plain data: one snapshot of the cluster's objects, of what nodes said, and of what probes met. A
// check is a function of it, so every verdict can be repeated from a saved snapshot.
import type {
  ConfigMap,
  Event,
  Namespace,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  Service,
} from '#generated/api/core-v1.ts';
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';
import type { Ingress, IngressClass, NetworkPolicy, ServiceCIDR } from '#generated/api/networking-v1.ts';
import type { StorageClass } from '#generated/api/storage-v1.ts';
import type { NodeFacts, PodFacts } from './node/facts.ts';
import type { Cannot, ProbeRequest, ProbeResult, Vantage } from './probe/result.ts';
import type { Target } from './target.ts';

export interface Objects {
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
  readonly pods: readonly Pod[];
  readonly nodes: readonly Node[];
  readonly namespaces: readonly Namespace[];
  readonly policies: readonly NetworkPolicy[];
  readonly ingresses: readonly Ingress[];
  readonly ingressClasses: readonly IngressClass[];
  readonly claims: readonly PersistentVolumeClaim[];
  readonly volumes: readonly PersistentVolume[];
  readonly storageClasses: readonly StorageClass[];
  readonly serviceCIDRs: readonly ServiceCIDR[];
  readonly configMaps: readonly ConfigMap[];
  readonly events: readonly Event[];
  /** What makes pods in the Service's namespace; read only when the Service selects none. */
  readonly workloads: readonly Workload[];
  /** Names and types only: contents of Secrets are not read. */
  readonly secrets: readonly { readonly namespace: string; readonly name: string; readonly type: string }[];
}

/** A Deployment or StatefulSet: enough to say why it has no pod. */
export interface Workload {
  readonly kind: 'Deployment' | 'StatefulSet';
  readonly namespace: string;
  readonly name: string;
  readonly replicas: number;
  /** Of its pods. */
  readonly labels: Readonly<Record<string, string>>;
  /** Why its controller could not make one. */
  readonly failure?: string;
}

/** A read that the API refused. What it would have shown is unknown. */
export interface Denied {
  readonly kind: keyof Objects | 'log' | 'sight' | 'probe';
  /** `list services in all namespaces`. */
  readonly permission: string;
}

export type SourceFacts =
  | { readonly at: 'laptop'; readonly forwards: readonly Forward[] }
  | { readonly at: 'node'; readonly node: Node | undefined; readonly wanted: string }
  | {
      readonly at: 'pod';
      /** The one that the probe is made from; absent when there is none that runs. */
      readonly pod: Pod | undefined;
      /** As typed: `deploy/api`. */
      readonly wanted: string;
      readonly namespace: string;
    };

/** A port-forward that runs on this machine. */
export interface Forward {
  readonly pid: number;
  readonly namespace: string | undefined;
  /** `pod/postgres-0`, `svc/postgres`. */
  readonly target: string;
  readonly localPort: number;
  readonly remotePort: string;
  readonly startedMs?: number;
}

export interface ProbeRun {
  readonly from: Vantage;
  readonly request: ProbeRequest;
  readonly result: ProbeResult | Cannot;
}

/** What a node said, before the probe and after it. */
export interface Sight {
  readonly before: NodeFacts | Cannot;
  readonly after?: NodeFacts | Cannot;
}

export interface PodLog {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /** Of the run before this one. */
  readonly previous: boolean;
  readonly lines: readonly string[];
}

export interface Facts {
  readonly target: Target;
  readonly source: SourceFacts;
  /** Default of names without one. */
  readonly namespace: string;
  /** `cluster.local`. */
  readonly domain: string;
  readonly objects: Objects;
  readonly denied: readonly Denied[];
  /** Node name → what it said; absent: not asked. */
  readonly sight: ReadonlyMap<string, Sight>;
  readonly logs: readonly PodLog[];
  /** The probe that the user's question is; absent with --no-probe or when it could not be made. */
  readonly main?: ProbeRun;
  /** TCP to each endpoint's own address, from the source. */
  readonly direct: readonly ProbeRun[];
  /** What the target asks for, from the server pod's own namespace to its own address. */
  readonly inside: readonly ProbeRun[];
  /** The same as main with TLS asked for, where the server's answer left open whether that was all it missed. */
  readonly withTls?: ProbeRun;
  /** Lines of the server's pg_hba.conf, when they may be read and the server turned the client away. */
  readonly hba?: readonly string[];
  /** Why there is no probe. */
  readonly unprobed?: string;
  /** May the user `create pods/portforward` in the target's namespace? Undefined: not asked. */
  readonly mayForward?: boolean;
  /** Sockets read by exec, where the node could not be asked. */
  readonly sockets?: readonly PodFacts[];
  /** Who the API server says the user is. */
  readonly user?: string;
  /** The same walk for what a pooler in front forwards to. */
  readonly upstream?: Upstream;
  readonly nowMs: number;
}

export interface Upstream {
  /** Where its address was read: `ConfigMap app/pgbouncer`, `sockets of pod …`. */
  readonly read: string;
  readonly target: string;
  readonly report: import('./report.ts').Report;
}

export const noObjects: Objects = {
  services: [],
  slices: [],
  pods: [],
  nodes: [],
  namespaces: [],
  policies: [],
  ingresses: [],
  ingressClasses: [],
  claims: [],
  volumes: [],
  storageClasses: [],
  serviceCIDRs: [],
  configMaps: [],
  events: [],
  workloads: [],
  secrets: [],
};

export function couldNot<T extends object>(value: T | Cannot | undefined): value is Cannot {
  return value !== undefined && 'cannot' in value;
}

/** The newest thing a node said, if it said anything. */
export function seen(facts: Facts, node: string | undefined): NodeFacts | undefined {
  const sight = node === undefined ? undefined : facts.sight.get(node);
  const last = sight?.after !== undefined && !couldNot(sight.after) ? sight.after : sight?.before;
  return last === undefined || couldNot(last) ? undefined : last;
}
