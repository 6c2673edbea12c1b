// Kubeconfig objects, pure: what kubectl, client libraries and our own parts read. Writing them to a file, and merging
// with a user's own, is the cluster's business.

export interface KubeconfigCluster {
  /** `https://127.0.0.1:6443` */
  readonly server: string;
  /** PEM. */
  readonly certificateAuthority: string;
  /** Name to verify the server's certificate by, when the address is not in it. */
  readonly tlsServerName?: string;
}

export type KubeconfigUser =
  | { readonly certificate: string; readonly key: string }
  | { readonly token: string }
  /** Read again by the client whenever it changes. */
  | { readonly tokenFile: string };

export interface KubeconfigOptions {
  /** Name of the context; cluster and user carry it too unless named. */
  readonly context: string;
  readonly clusterName?: string;
  readonly userName?: string;
  readonly cluster: KubeconfigCluster;
  readonly user: KubeconfigUser;
  readonly namespace?: string;
}

export interface Kubeconfig {
  readonly apiVersion: 'v1';
  readonly kind: 'Config';
  readonly clusters: readonly { readonly name: string; readonly cluster: Readonly<Record<string, string>> }[];
  readonly users: readonly { readonly name: string; readonly user: Readonly<Record<string, string>> }[];
  readonly contexts: readonly { readonly name: string; readonly context: Readonly<Record<string, string>> }[];
  readonly 'current-context': string;
  readonly preferences: Readonly<Record<string, never>>;
}

/** A kubeconfig of one cluster, one user and one context, everything inline. */
export function makeKubeconfig(options: KubeconfigOptions): Kubeconfig {
  const { context, cluster, clusterName = context, userName = context } = options;
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: clusterName,
        cluster: {
          'certificate-authority-data': base64(cluster.certificateAuthority),
          server: cluster.server,
          ...(cluster.tlsServerName === undefined ? {} : { 'tls-server-name': cluster.tlsServerName }),
        },
      },
    ],
    users: [{ name: userName, user: userEntry(options.user) }],
    contexts: [
      {
        name: context,
        context: {
          cluster: clusterName,
          ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
          user: userName,
        },
      },
    ],
    'current-context': context,
    preferences: {},
  };
}

function userEntry(user: KubeconfigUser): Record<string, string> {
  if ('token' in user) return { token: user.token };
  if ('tokenFile' in user) return { tokenFile: user.tokenFile };
  return { 'client-certificate-data': base64(user.certificate), 'client-key-data': base64(user.key) };
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');
