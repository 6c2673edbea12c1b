// The seam between the kubelet and the node's network: what each may ask of the other. The kubelet starts a pod's first
// container only when the kernel enforces the pod's policies; the network learns of local pods before the API does.

/** A pod on this node whose sandbox exists. */
export interface LocalPod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Its addresses; empty for hostNetwork pods. */
  readonly ips: readonly string[];
  readonly hostPorts: readonly HostPort[];
  /** Path of the pod's network namespace, as the runtime reports it. */
  readonly netnsPath: string | undefined;
}

export interface HostPort {
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  /** '' binds all of the node's addresses. */
  readonly hostIP: string;
  readonly hostPort: number;
  readonly containerPort: number;
}

export interface NodeNetwork {
  /** Resolves once pods can be wired: the CNI configuration is written and routes stand. Feeds Ready/NetworkReady. */
  ready(signal: AbortSignal): Promise<void>;
  /** Resolves when every NetworkPolicy that selects the pod, and its host ports, are in the kernel. May be called again after a restart. */
  policiesInForce(pod: LocalPod, signal: AbortSignal): Promise<void>;
  /** The pod's sandbox is gone: its addresses may be reused. */
  podGone(uid: string): void;
}

/** For hollow nodes and parts switched off: nothing to wait for. */
export const noNetwork: NodeNetwork = {
  ready: async () => {},
  policiesInForce: async () => {},
  podGone: () => {},
};
