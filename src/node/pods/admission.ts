// What a node looks at before it takes up a pod bound to it. A pod that is refused is Failed for good: whoever made it makes another.
import type { AppArmorProfile, Pod } from '#generated/api/core-v1.ts';
import type { FileSystem } from '#host/file-system.ts';
import type { Runtime } from '../cri/runtime.ts';
import { refuseUnderPressure } from '../eviction/ranking.ts';
import type { Pressure } from '../eviction/thresholds.ts';
import { allContainers } from './containers.ts';
import { whyForbidden } from './sysctls.ts';

export interface AdmissionDeps {
  readonly runtime: Runtime;
  readonly files: Pick<FileSystem, 'readText'>;
  readonly allowedUnsafeSysctls: readonly string[];
  /** What the node is short of now. */
  readonly pressures: () => readonly Pressure[];
}

/** Upstream's reason and message. */
export interface Refusal {
  readonly reason: string;
  readonly message: string;
}

type Check = (pod: Pod, deps: AdmissionDeps) => Refusal | undefined | Promise<Refusal | undefined>;

/** In upstream's order; the first refusal counts. */
const CHECKS: readonly Check[] = [
  (pod, { pressures }) => refuseUnderPressure(pod, pressures()),
  sysctls, // before anything that asks the runtime
  supplementalGroupsPolicy,
  appArmor,
];

/** Undefined when the node takes the pod. */
export async function admitPod(pod: Pod, deps: AdmissionDeps): Promise<Refusal | undefined> {
  for (const check of CHECKS) {
    const refusal = await check(pod, deps);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

function sysctls(pod: Pod, { allowedUnsafeSysctls }: AdmissionDeps): Refusal | undefined {
  const { securityContext, hostNetwork = false, hostIPC = false } = pod.spec!;
  for (const { name } of securityContext?.sysctls ?? []) {
    const why = whyForbidden(name, { network: hostNetwork, ipc: hostIPC }, allowedUnsafeSysctls);
    if (why !== undefined) return { reason: 'SysctlForbidden', message: `forbidden sysctl: ${why}` };
  }
  return undefined;
}

/** An older runtime would let the image's own groups in without a word. */
async function supplementalGroupsPolicy(pod: Pod, { runtime }: AdmissionDeps): Promise<Refusal | undefined> {
  if (pod.spec?.securityContext?.supplementalGroupsPolicy !== 'Strict') return undefined;
  if ((await runtime.status()).features?.supplementalGroupsPolicy === true) return undefined;
  return {
    reason: 'SupplementalGroupsPolicyNotSupported',
    message: 'SupplementalGroupsPolicy=Strict is not supported in this node',
  };
}

const APPARMOR_ANNOTATION = 'container.apparmor.security.beta.kubernetes.io/';

function appArmor(pod: Pod, { files }: AdmissionDeps): Refusal | undefined {
  const isAsked = (profile: AppArmorProfile | undefined): boolean =>
    profile !== undefined && profile.type !== 'Unconfined';
  const byAnnotation = (name: string): boolean =>
    ![undefined, 'unconfined'].includes(pod.metadata.annotations?.[`${APPARMOR_ANNOTATION}${name}`]);
  const podWide = pod.spec?.securityContext?.appArmorProfile;
  const wanted = allContainers(pod).some(
    (c) => isAsked(c.securityContext?.appArmorProfile ?? podWide) || byAnnotation(c.name),
  );
  if (!wanted) return undefined;
  const enabled = files.readText('/sys/module/apparmor/parameters/enabled')?.startsWith('Y') === true;
  // A node's containerd runs without it: a profile would be taken and never be enforced.
  const why = enabled
    ? 'AppArmor is switched off in the container runtime of this node'
    : 'AppArmor is not enabled on the host';
  return { reason: 'AppArmor', message: `Cannot enforce AppArmor: ${why}` };
}
