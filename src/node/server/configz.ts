// What /configz shows: upstream's KubeletConfiguration, as far as this kubelet has the settings. Fields it has not are left out.
import type { KubeletOptions } from '../kubelet.ts';

/** Upstream's nesting and names; durations as Go writes them. */
export const configz = (options: KubeletOptions, maxPods: number): object => ({
  kubeletconfig: {
    kind: 'KubeletConfiguration',
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    port: options.port ?? 0,
    // There is no read-only port, and nobody is anonymous.
    authentication: { anonymous: { enabled: false }, webhook: { enabled: true, cacheTTL: '2m0s' } },
    authorization: { mode: 'Webhook', webhook: { cacheAuthorizedTTL: '5m0s', cacheUnauthorizedTTL: '30s' } },
    clusterDomain: options.clusterDomain,
    clusterDNS: options.clusterDnsIPs,
    nodeStatusUpdateFrequency: '10s',
    nodeStatusReportFrequency: '5m0s',
    nodeLeaseDurationSeconds: 40,
    cgroupRoot: options.cgroupRoot,
    cgroupDriver: 'cgroupfs',
    maxPods,
    ...(options.resolvConf === undefined ? {} : { resolvConf: options.resolvConf }),
    ...(options.allowedUnsafeSysctls === undefined ? {} : { allowedUnsafeSysctls: options.allowedUnsafeSysctls }),
    seccompDefault: options.seccompDefault === true,
    registerNode: true,
    ...(options.taints === undefined ? {} : { registerWithTaints: options.taints }),
    podLogsDir: `${options.rootDir}/log/pods`,
  },
});
