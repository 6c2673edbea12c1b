// The /etc/hosts the kubelet writes for every pod, in upstream's form.
import type { Pod } from '#generated/api/core-v1.ts';
import { isHostNetwork } from './containers.ts';

const HEADER = '# Kubernetes-managed hosts file.\n';
const HOST_NETWORK_HEADER = '# Kubernetes-managed hosts file (host network).\n';
const LOCAL =
  '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n';

/** Host names longer than this are cut (RFC 1123, and the kernel). */
const HOSTNAME_MAX = 63;

export function podHostname(pod: Pod): string {
  const name = pod.spec?.hostnameOverride ?? pod.spec?.hostname ?? '';
  return (name === '' ? pod.metadata.name! : name).slice(0, HOSTNAME_MAX).replace(/[-.]+$/, '');
}

/** `name.subdomain.namespace.svc.domain`; undefined without a subdomain. */
export function podFqdn(pod: Pod, clusterDomain: string): string | undefined {
  const subdomain = pod.spec?.subdomain ?? '';
  if (subdomain === '' || pod.spec?.hostnameOverride !== undefined) return undefined;
  return `${podHostname(pod)}.${subdomain}.${pod.metadata.namespace}.svc.${clusterDomain}`;
}

export function hostsFile(pod: Pod, ips: readonly string[], clusterDomain: string, nodeHosts: string): string {
  const aliases = (pod.spec?.hostAliases ?? []).map((a) => `${a.ip}\t${(a.hostnames ?? []).join('\t')}\n`).join('');
  const added = aliases === '' ? '' : `\n# Entries added by HostAliases.\n${aliases}`;
  if (isHostNetwork(pod)) return HOST_NETWORK_HEADER + nodeHosts + added;
  const fqdn = podFqdn(pod, clusterDomain);
  const names = fqdn === undefined ? podHostname(pod) : `${fqdn}\t${podHostname(pod)}`;
  return HEADER + LOCAL + ips.map((ip) => `${ip}\t${names}\n`).join('') + added;
}
