// Reads a kubeconfig into what the HTTPS transport needs. Files it names are read through what is handed in. Merging
// several files, and exec and auth-provider plugins, are left out: the latter are refused by name.
import { dirname, isAbsolute, join } from 'node:path';
import { load } from 'js-yaml';
import type { Clock } from '#base/clock.ts';
import { type HttpsTransportOptions, tokenFile } from './transports/https.ts';

/** A kubeconfig that cannot be used; the message says why and what to do. */
export class KubeconfigError extends Error {
  readonly code = 'Kubeconfig';
}

export interface KubeconfigDeps {
  /** Contents of a file; throws when it cannot be read. */
  readonly readFile: (path: string) => string;
  readonly clock: Clock;
}

export interface ResolvedContext {
  readonly context: string;
  /** The context's namespace, or `default`. */
  readonly namespace: string;
  readonly transport: HttpsTransportOptions;
}

interface Named {
  readonly name?: string;
}
interface Cluster {
  readonly server?: string;
  readonly 'certificate-authority'?: string;
  readonly 'certificate-authority-data'?: string;
  readonly 'insecure-skip-tls-verify'?: boolean;
  readonly 'tls-server-name'?: string;
  readonly 'proxy-url'?: string;
}
interface User {
  readonly 'client-certificate'?: string;
  readonly 'client-certificate-data'?: string;
  readonly 'client-key'?: string;
  readonly 'client-key-data'?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly username?: string;
  readonly exec?: unknown;
  readonly 'auth-provider'?: unknown;
}
interface Context {
  readonly cluster?: string;
  readonly user?: string;
  readonly namespace?: string;
}
interface Config {
  readonly 'current-context'?: string;
  readonly clusters?: readonly (Named & { readonly cluster?: Cluster })[] | null;
  readonly users?: readonly (Named & { readonly user?: User | null })[] | null;
  readonly contexts?: readonly (Named & { readonly context?: Context })[] | null;
}

/** `path` is where `text` was read from: relative files in it are relative to that. */
export function parseKubeconfig(
  text: string,
  path: string,
  deps: KubeconfigDeps,
  contextName?: string,
): ResolvedContext {
  const config = parseYaml(text, path);
  const name = contextName ?? config['current-context'] ?? '';
  if (name === '')
    throw new KubeconfigError(`${path} has no current-context: set one with "kubectl config use-context", or name one`);
  const context = config.contexts?.find((c) => c.name === name)?.context;
  if (context === undefined) {
    const known = (config.contexts ?? []).map((c) => c.name).join(', ');
    throw new KubeconfigError(
      `${path} has no context ${JSON.stringify(name)}; it has: ${known === '' ? 'none' : known}`,
    );
  }
  const cluster = config.clusters?.find((c) => c.name === context.cluster)?.cluster;
  if (cluster?.server === undefined)
    throw new KubeconfigError(
      `context ${JSON.stringify(name)} in ${path} names cluster ${JSON.stringify(context.cluster)}, which is not there or has no server`,
    );
  const user = config.users?.find((u) => u.name === context.user)?.user ?? {};
  refuseUnsupported(cluster, user, path);

  const read = (file: string) => deps.readFile(isAbsolute(file) ? file : join(dirname(path), file));
  const pem = (data: string | undefined, file: string | undefined) =>
    data !== undefined && data !== ''
      ? Buffer.from(data, 'base64').toString('utf8')
      : file !== undefined && file !== ''
        ? read(file)
        : undefined;
  const token =
    user.token ?? (user.tokenFile === undefined ? undefined : tokenFile(() => read(user.tokenFile!), deps.clock));
  return {
    context: name,
    namespace: context.namespace ?? 'default',
    transport: {
      server: cluster.server,
      ca: pem(cluster['certificate-authority-data'], cluster['certificate-authority']),
      cert: pem(user['client-certificate-data'], user['client-certificate']),
      key: pem(user['client-key-data'], user['client-key']),
      ...(token === undefined ? {} : { token }),
      ...(cluster['tls-server-name'] === undefined ? {} : { serverName: cluster['tls-server-name'] }),
      insecureSkipTlsVerify: cluster['insecure-skip-tls-verify'] === true,
      clock: deps.clock,
    },
  };
}

function parseYaml(text: string, path: string): Config {
  try {
    const value = load(text);
    if (typeof value !== 'object' || value === null) throw new Error('it is not a mapping');
    return value as Config;
  } catch (cause) {
    throw new KubeconfigError(
      `${path} is not a kubeconfig: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}

function refuseUnsupported(cluster: Cluster, user: User, path: string): void {
  const found = [
    user.exec !== undefined && 'exec credential plugins',
    user['auth-provider'] !== undefined && 'auth-provider plugins',
    user.username !== undefined && 'basic authentication',
    cluster['proxy-url'] !== undefined && 'proxy-url',
  ].filter((what) => what !== false);
  if (found.length > 0)
    throw new KubeconfigError(
      `${path} uses ${found.join(' and ')}, which is not supported: use a client certificate or a token`,
    );
}
