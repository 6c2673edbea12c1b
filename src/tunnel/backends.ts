// Connections for proxied HTTP: what the ClusterDialer reaches, with TLS on top where the backend wants it.
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { DialError, type ClusterDialer } from './cluster-dialer.ts';

/** Who the API server is towards kubelets. PEM. */
export interface KubeletIdentity {
  readonly ca: string;
  readonly certificate: string;
  readonly privateKey: string;
}

export interface Backends {
  /** The kubelet's HTTPS API; its certificate must name the node. */
  kubelet(node: string, port: number): Promise<Duplex>;
  /** Pods, services and other ports of nodes. `secure` speaks TLS without asking who answers, as upstream's proxy does. */
  node(name: string, port: number, secure: boolean): Promise<Duplex>;
  pod(nodeName: string, podIP: string, port: number, secure: boolean): Promise<Duplex>;
  service(namespace: string, name: string, port: string, secure: boolean): Promise<Duplex>;
}

export function createBackends(dialer: ClusterDialer, identity: KubeletIdentity): Backends {
  const maybeSecure = async (dialing: Promise<Duplex>, secure: boolean): Promise<Duplex> =>
    secure ? secured(await dialing, { rejectUnauthorized: false }) : dialing;
  const context = tls.createSecureContext({ ca: identity.ca, cert: identity.certificate, key: identity.privateKey });
  return {
    kubelet: async (node, port) =>
      secured(await dialer.dialNode(node, port), { secureContext: context, servername: node, minVersion: 'TLSv1.2' }),
    node: (name, port, secure) => maybeSecure(dialer.dialNode(name, port), secure),
    pod: (nodeName, podIP, port, secure) => maybeSecure(dialer.dialPod(nodeName, podIP, port), secure),
    service: (namespace, name, port, secure) => maybeSecure(dialer.dialService(namespace, name, port), secure),
  };
}

/** How a server behind a Service is to be known, and who asks it. PEM. */
export interface ServiceTls {
  /** Must stand in its certificate: `NAME.NAMESPACE.svc`. */
  readonly serverName: string;
  /** Undefined: the authorities that the machine trusts. */
  readonly ca?: string;
  /** Any certificate will do. */
  readonly insecure: boolean;
  readonly certificate: string;
  readonly privateKey: string;
}

export async function dialServiceTls(dialing: Promise<Duplex>, options: ServiceTls): Promise<Duplex> {
  return secured(await dialing, {
    servername: options.serverName,
    rejectUnauthorized: !options.insecure,
    cert: options.certificate,
    key: options.privateKey,
    minVersion: 'TLSv1.2',
    ...(options.ca === undefined ? {} : { ca: options.ca }),
  });
}

function secured(socket: Duplex, options: tls.ConnectionOptions): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const secure = tls.connect({ ...options, socket, ALPNProtocols: ['http/1.1'] });
    const failed = (error: Error) => {
      socket.destroy();
      reject(new DialError('UNREACHABLE', error.message, { cause: error }));
    };
    const closed = () => failed(new Error('the connection was closed during the TLS handshake'));
    secure.once('error', failed);
    secure.once('close', closed);
    secure.once('secureConnect', () => {
      secure.off('error', failed);
      secure.off('close', closed);
      secure.on('error', () => secure.destroy());
      secure.once('close', () => socket.destroy());
      resolve(secure);
    });
  });
}
