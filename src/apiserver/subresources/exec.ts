// pods/exec and pods/attach: found and checked here, carried out by the kubelet of the pod's node. The client's protocol (WebSocket or
// SPDY) goes through untouched; the kubelet answers the handshake.
import type { Pod } from '#generated/api/core-v1.ts';
import { StatusError } from '#machinery/status.ts';
import { dialKubelet, type KubeletAccess, proxyUpgrade } from './proxy-backend.ts';
import type { ConnectHandler } from './subresource.ts';

/** The container meant by `name`, in upstream's words when there is none. */
export function containerOf(pod: Pod, name: string): string {
  const spec = pod.spec!;
  const names = (list: readonly { readonly name: string }[] | undefined) => (list ?? []).map((c) => c.name);
  const [main, init, ephemeral] = [names(spec.containers), names(spec.initContainers), names(spec.ephemeralContainers)];
  if (name !== '') {
    if (main.includes(name) || init.includes(name) || ephemeral.includes(name)) return name;
    throw StatusError.badRequest(`container ${name} is not valid for pod ${pod.metadata.name}`);
  }
  if (main.length === 1) return main[0]!;
  let text = `a container name must be specified for pod ${pod.metadata.name}`;
  if (main.length > 0) {
    text += `, choose one of: [${main.join(' ')}]`;
    if (init.length > 0) text += ` or one of the init containers: [${init.join(' ')}]`;
    if (ephemeral.length > 0) text += ` or one of the ephemeral containers: [${ephemeral.join(' ')}]`;
  }
  throw StatusError.badRequest(text);
}

export function nodeOf(pod: Pod): string {
  const node = pod.spec?.nodeName ?? '';
  if (node === '') throw StatusError.badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
  return node;
}

function remoteCommand(name: 'exec' | 'attach', access: KubeletAccess): ConnectHandler {
  return {
    name,
    resource: '/pods',
    needsObject: true,
    async upgrade({ context, object }, upgrade) {
      const pod = object as Pod;
      const { query } = context.info;
      const container = containerOf(pod, query.get('container') ?? '');
      const node = nodeOf(pod);
      const { namespace, name: podName } = pod.metadata;
      const path = `/${name}/${namespace}/${podName}/${container}?${kubeletQuery(query, name === 'exec')}`;
      await proxyUpgrade(await dialKubelet(access, node), upgrade, { path, host: node });
    },
  };
}

/** PodExecOptions as the kubelet reads them. Defaults: stdout and stderr are on unless said otherwise. */
export function kubeletQuery(query: URLSearchParams, withCommand: boolean): string {
  const out = new URLSearchParams();
  const on = (option: string, otherwise: boolean): boolean => {
    const value = query.get(option);
    return value === null ? otherwise : value === '' || value === 'true' || value === '1';
  };
  // With none given, upstream's defaulting turns both outputs on; any of the three given switches it off.
  const none = !query.has('stdout') && !query.has('stderr') && !query.has('stdin');
  const tty = on('tty', false);
  if (on('stdin', false)) out.set('input', '1');
  if (on('stdout', none)) out.set('output', '1');
  if (on('stderr', none) && !tty) out.set('error', '1');
  if (tty) out.set('tty', '1');
  if (withCommand) for (const word of query.getAll('command')) out.append('command', word);
  return out.toString();
}

export const execHandler = (access: KubeletAccess): ConnectHandler => remoteCommand('exec', access);
export const attachHandler = (access: KubeletAccess): ConnectHandler => remoteCommand('attach', access);
