// A pod's resolver configuration from its dnsPolicy, dnsConfig and the node's own resolv.conf.
import type { Pod } from '#generated/api/core-v1.ts';
import type { ResolverConfig } from '#netmodel/resolv-conf.ts';
import { isHostNetwork } from './containers.ts';

/** glibc's limits since 2.26, and upstream's. */
const NAMESERVERS_MAX = 3;
const SEARCHES_MAX = 32;

export function podResolver(
  pod: Pod,
  cluster: { readonly dnsIPs: readonly string[]; readonly domain: string },
  node: ResolverConfig,
): ResolverConfig {
  const policy = pod.spec?.dnsPolicy ?? 'ClusterFirst';
  const useCluster =
    cluster.dnsIPs.length > 0 &&
    (policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && !isHostNetwork(pod)));
  const base: ResolverConfig =
    policy === 'None'
      ? { servers: [], searches: [], options: [] }
      : useCluster
        ? {
            servers: cluster.dnsIPs,
            searches: [
              ...new Set([
                `${pod.metadata.namespace}.svc.${cluster.domain}`,
                `svc.${cluster.domain}`,
                cluster.domain,
                ...node.searches,
              ]),
            ],
            options: ['ndots:5'],
          }
        : node;
  const own = pod.spec?.dnsConfig;
  if (own === undefined) return limit(base);
  const options = new Map(base.options.map((o) => [o.split(':')[0]!, o]));
  for (const o of own.options ?? [])
    options.set(o.name ?? '', o.value === undefined || o.value === '' ? (o.name ?? '') : `${o.name}:${o.value}`);
  return limit({
    servers: [...new Set([...base.servers, ...(own.nameservers ?? [])])],
    searches: [...new Set([...base.searches, ...(own.searches ?? [])])],
    options: [...options.values()],
  });
}

const limit = (config: ResolverConfig): ResolverConfig => ({
  ...config,
  servers: config.servers.slice(0, NAMESERVERS_MAX),
  searches: config.searches.slice(0, SEARCHES_MAX),
});
