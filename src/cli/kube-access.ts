// Commands that work on any cluster: which one is meant, by a kubeconfig or by a cluster's name.
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Command } from 'commander';
import type { Client } from '#client/client.ts';
import { KubeconfigError, parseKubeconfig } from '#client/kubeconfig.ts';
import { createClient } from '#client/rest-client.ts';
import { createHttpsTransport, type HttpsTransportOptions } from '#client/transports/https.ts';
import { UsageError, UserError } from '#cluster/errors.ts';
import { clock, clusterName, env, openCluster } from './context.ts';

export interface AccessOptions {
  readonly name?: string;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
}

export interface Access {
  readonly client: Client;
  /** For streams into pods, which are connections of their own. */
  readonly transport: HttpsTransportOptions;
  readonly context: string;
  /** -n, else the context's. */
  readonly namespace: string;
}

export const withAccessOptions = (command: Command): Command =>
  command
    .option('-n, --namespace <namespace>', 'default: the context’s')
    .option('--kubeconfig <file>', 'any cluster’s kubeconfig')
    .option('--context <context>', 'a context of that file')
    .option('--name <name>', 'a cluster of this machine (default: local, or CORACLE_NAME)');

/** `--kubeconfig`, then `--name` or CORACLE_NAME, then KUBECONFIG, then the default cluster, then the user's own kubeconfig. */
export function openAccess(options: AccessOptions): Access {
  const path = kubeconfigOf(options);
  let resolved: ReturnType<typeof parseKubeconfig>;
  try {
    const readFile = (file: string) => readFileSync(file, 'utf8');
    resolved = parseKubeconfig(readFile(path), path, { readFile, clock }, options.context);
  } catch (error) {
    if (error instanceof KubeconfigError) throw new UserError(error.message);
    throw error;
  }
  const client = createClient({ transport: createHttpsTransport(resolved.transport), clock, userAgent: 'coracle' });
  return {
    client,
    transport: resolved.transport,
    context: resolved.context,
    namespace: options.namespace ?? resolved.namespace,
  };
}

function kubeconfigOf(options: AccessOptions): string {
  if (options.kubeconfig !== undefined) {
    if (!existsSync(options.kubeconfig)) throw new UsageError(`there is no file ${options.kubeconfig}`);
    return options.kubeconfig;
  }
  const wanted = options.name ?? env['CORACLE_NAME'];
  const listed = (env['KUBECONFIG'] ?? '').split(delimiter).find((file) => file !== '' && existsSync(file));
  if (wanted === undefined && listed !== undefined) return listed;
  const own = join(homedir(), '.kube', 'config');
  try {
    return openCluster({ name: clusterName(options) }).paths.kubeconfig;
  } catch (error) {
    if (wanted === undefined && existsSync(own)) return own;
    throw error;
  }
}
