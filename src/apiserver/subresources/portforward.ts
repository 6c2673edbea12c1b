// pods/portforward: handed to the kubelet, which connects inside the pod's own network namespace; no network policy is in the way.
import type { Pod } from '#generated/api/core-v1.ts';
import { nodeOf } from './exec.ts';
import { dialKubelet, type KubeletAccess, proxyUpgrade } from './proxy-backend.ts';
import type { ConnectHandler } from './subresource.ts';

export function portForwardHandler(access: KubeletAccess): ConnectHandler {
  return {
    name: 'portforward',
    resource: '/pods',
    needsObject: true,
    async upgrade({ context, object }, upgrade) {
      const pod = object as Pod;
      const node = nodeOf(pod);
      const ports = new URLSearchParams(context.info.query.getAll('ports').map((p): [string, string] => ['port', p]));
      const path = `/portForward/${pod.metadata.namespace}/${pod.metadata.name}${ports.size === 0 ? '' : `?${ports}`}`;
      await proxyUpgrade(await dialKubelet(access, node), upgrade, { path, host: node });
    },
  };
}
