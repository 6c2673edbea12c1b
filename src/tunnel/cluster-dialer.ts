// How the server side reaches into nodes: every connection to a kubelet, a pod or a Service's endpoint goes through the tunnel of a
// node's agent, so it works wherever the server stands, and the machine itself needs no way to pods.
import type { Duplex } from 'node:stream';
import type { TunnelServer } from './tunnel-server.ts';

export type DialCode =
  /** No agent of that node is connected. */
  | 'NO_TUNNEL'
  /** The agent could not connect: refused, unreachable, timed out. */
  | 'UNREACHABLE'
  /** No such Service, or it has no port of that name. */
  | 'NO_SERVICE'
  /** The Service has no ready endpoint. */
  | 'NO_ENDPOINTS';

export class DialError extends Error {
  readonly code: DialCode;

  constructor(code: DialCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DialError';
    this.code = code;
  }
}

/** A ready address behind a Service. */
export interface ServiceEndpoint {
  readonly ip: string;
  readonly port: number;
  /** Unknown for endpoints outside the cluster: any node dials them. */
  readonly nodeName: string | undefined;
}

/** Answers from EndpointSlices. Throws DialError NO_SERVICE or NO_ENDPOINTS. */
export type ServiceResolver = (namespace: string, name: string, port: string) => ServiceEndpoint;

/** All reject with DialError. The streams have a half-close of their own in each direction. */
export interface ClusterDialer {
  /** A port of the node itself: its kubelet. */
  dialNode(name: string, port: number): Promise<Duplex>;
  /** From the node's own namespace, as the kubelet does for probes. */
  dialPod(nodeName: string, podIP: string, port: number): Promise<Duplex>;
  /** One ready endpoint. `port` is a name or number of the Service's ports; '' for its only one. */
  dialService(namespace: string, name: string, port: string): Promise<Duplex>;
}

export interface ClusterDialerDeps {
  readonly tunnels: TunnelServer;
  readonly resolveService: ServiceResolver;
}

export function createClusterDialer({ tunnels, resolveService }: ClusterDialerDeps): ClusterDialer {
  return {
    dialNode: (name, port) => tunnels.dial(name, 'node', port),
    dialPod: (nodeName, podIP, port) => tunnels.dial(nodeName, podIP, port),
    async dialService(namespace, name, port) {
      const endpoint = resolveService(namespace, name, port);
      const node = endpoint.nodeName ?? tunnels.anyNode();
      if (node === undefined) throw new DialError('NO_TUNNEL', 'no node is connected');
      return tunnels.dial(node, endpoint.ip, endpoint.port);
    },
  };
}
