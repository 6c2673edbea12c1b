// What /configz shows: upstream's KubeletConfiguration, as far as this kubelet has the settings. Fields it has not are left out.
import { DEFAULT_HARD, DEFAULT_TRANSITION_MS, statements } from '../eviction/thresholds.ts';
import type { KubeletOptions } from '../kubelet.ts';

/** Whole seconds as Go writes them: `1h2m3s`. */
function goDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const [h, m] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return `${h > 0 ? `${h}h` : ''}${h > 0 || m > 0 ? `${m}m` : ''}${seconds % 60}s`;
}

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
    evictionHard: statements(options.eviction?.hard ?? DEFAULT_HARD, '<'),
    ...(options.eviction?.soft === undefined ? {} : { evictionSoft: statements(options.eviction.soft, '<') }),
    ...(options.eviction?.softGracePeriod === undefined
      ? {}
      : { evictionSoftGracePeriod: statements(options.eviction.softGracePeriod, '=') }),
    evictionPressureTransitionPeriod: goDuration(options.eviction?.pressureTransitionPeriodMs ?? DEFAULT_TRANSITION_MS),
    evictionMaxPodGracePeriod: options.eviction?.maxPodGracePeriodSeconds ?? 0,
    ...(options.eviction?.minimumReclaim === undefined
      ? {}
      : { evictionMinimumReclaim: statements(options.eviction.minimumReclaim, '=') }),
    ...(options.resolvConf === undefined ? {} : { resolvConf: options.resolvConf }),
    ...(options.allowedUnsafeSysctls === undefined ? {} : { allowedUnsafeSysctls: options.allowedUnsafeSysctls }),
    seccompDefault: options.seccompDefault === true,
    registerNode: true,
    ...(options.taints === undefined ? {} : { registerWithTaints: options.taints }),
    podLogsDir: `${options.rootDir}/log/pods`,
  },
});
