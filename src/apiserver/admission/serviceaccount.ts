// ServiceAccount: every pod runs as a service account that exists, and finds a token for the API, the cluster's
// authority and its namespace at the usual place unless told otherwise.
import { sleep, type Clock } from '#base/clock.ts';
import { randomSuffix, type Random } from '#base/random.ts';
import type { Container, Pod, ServiceAccount, Volume, VolumeMount } from '#generated/api/core-v1.ts';
import { find, type Lookup } from '../authentication/lookup.ts';
import { PROJECTED_EXPIRATION_SECONDS } from '../authentication/token-request.ts';
import type { AdmissionAttributes, AdmissionOperation, AdmissionPlugin } from '../pipeline.ts';
import { admissionForbidden } from './forbidden.ts';

export interface ServiceAccountDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly serviceAccounts: Lookup<ServiceAccount>;
}

const DEFAULT_NAME = 'default';
const TOKEN_MOUNT_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';
const VOLUME_PREFIX = 'kube-api-access-';
export const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';
/** The account `default` follows its namespace a moment later: a pod made right after the namespace waits for it. */
const DEFAULT_ACCOUNT_ATTEMPTS = 20;
const DEFAULT_ACCOUNT_RETRY_MS = 50;

export class ServiceAccountPlugin implements AdmissionPlugin {
  readonly name = 'ServiceAccount';
  readonly #deps: ServiceAccountDeps;

  constructor(deps: ServiceAccountDeps) {
    this.#deps = deps;
  }

  handles(operation: AdmissionOperation, group: string, resource: string, subresource: string): boolean {
    return operation === 'CREATE' && group === '' && resource === 'pods' && subresource === '';
  }

  async admit(a: AdmissionAttributes): Promise<Pod> {
    const pod = a.object as Pod;
    // A mirror pod shows what a node runs already: nothing can be added to it.
    if (pod.metadata.annotations?.[MIRROR_ANNOTATION] !== undefined) return pod;
    const named = withServiceAccountName(pod, pod.spec?.serviceAccountName || DEFAULT_NAME);
    const account = await this.#account(a, named.spec!.serviceAccountName!);
    return withImagePullSecrets(this.#withToken(named, account), account);
  }

  async validate(a: AdmissionAttributes): Promise<void> {
    const pod = a.object as Pod;
    if (pod.metadata.annotations?.[MIRROR_ANNOTATION] !== undefined) {
      const refusal = mirrorPodRefusal(pod);
      if (refusal !== undefined) throw admissionForbidden(a, refusal);
      return;
    }
    // A webhook between may have changed the name.
    await this.#account(a, pod.spec?.serviceAccountName || DEFAULT_NAME);
  }

  async #account(a: AdmissionAttributes, name: string): Promise<ServiceAccount> {
    const { serviceAccounts, clock } = this.#deps;
    let account = await find(serviceAccounts, a.namespace, name);
    const attempts = name === DEFAULT_NAME ? DEFAULT_ACCOUNT_ATTEMPTS : 1;
    for (let attempt = 1; account === undefined; attempt++) {
      if (attempt >= attempts) break;
      await sleep(clock, DEFAULT_ACCOUNT_RETRY_MS);
      account = await find(serviceAccounts, a.namespace, name);
    }
    if (account === undefined) {
      throw admissionForbidden(
        a,
        `error looking up service account ${a.namespace}/${name}: serviceaccount "${name}" not found`,
      );
    }
    return account;
  }

  #withToken(pod: Pod, account: ServiceAccount): Pod {
    const spec = pod.spec!;
    if (!(spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true)) return pod;
    const existing = spec.volumes?.find((v) => v.name.startsWith(VOLUME_PREFIX));
    const volumeName = existing?.name ?? this.#volumeName(spec.volumes ?? []);
    const mount: VolumeMount = { name: volumeName, readOnly: true, mountPath: TOKEN_MOUNT_PATH };
    const containers = spec.containers.map((c) => withMount(c, mount));
    const initContainers = spec.initContainers?.map((c) => withMount(c, mount));
    const changed =
      containers.some((c, i) => c !== spec.containers[i]) ||
      (initContainers ?? []).some((c, i) => c !== spec.initContainers![i]);
    if (!changed) return pod;
    return {
      ...pod,
      spec: {
        ...spec,
        containers,
        ...(initContainers === undefined ? {} : { initContainers }),
        ...(existing === undefined ? { volumes: [...(spec.volumes ?? []), tokenVolume(volumeName)] } : {}),
      },
    };
  }

  #volumeName(volumes: readonly Volume[]): string {
    for (;;) {
      const name = VOLUME_PREFIX + randomSuffix(this.#deps.random);
      if (!volumes.some((v) => v.name === name)) return name;
    }
  }
}

/** A container that mounts something there itself keeps it. */
function withMount(container: Container, mount: VolumeMount): Container {
  if (container.volumeMounts?.some((m) => m.mountPath === TOKEN_MOUNT_PATH)) return container;
  return { ...container, volumeMounts: [...(container.volumeMounts ?? []), mount] };
}

/** Upstream's projected volume: a bound token, the cluster's authority, the pod's namespace. */
export function tokenVolume(name: string): Volume {
  return {
    name,
    projected: {
      sources: [
        { serviceAccountToken: { expirationSeconds: PROJECTED_EXPIRATION_SECONDS, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        {
          downwardAPI: {
            items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
          },
        },
      ],
      defaultMode: 0o644,
    },
  };
}

function withServiceAccountName(pod: Pod, name: string): Pod {
  if (pod.spec?.serviceAccountName === name && pod.spec.serviceAccount === name) return pod;
  // serviceAccount is the old name of the same field, and always equal to it.
  return { ...pod, spec: { ...pod.spec!, serviceAccountName: name, serviceAccount: name } };
}

function withImagePullSecrets(pod: Pod, account: ServiceAccount): Pod {
  if ((pod.spec?.imagePullSecrets ?? []).length > 0 || (account.imagePullSecrets ?? []).length === 0) return pod;
  return {
    ...pod,
    spec: {
      ...pod.spec!,
      imagePullSecrets: account.imagePullSecrets!.map(({ name }) => (name === undefined ? {} : { name })),
    },
  };
}

/** What a mirror pod may not refer to, in upstream's words; undefined when it is fine. */
export function mirrorPodRefusal(pod: Pod): string | undefined {
  const spec = pod.spec!;
  if (spec.serviceAccountName !== undefined && spec.serviceAccountName !== '')
    return 'a mirror pod may not reference service accounts';
  const containers = [...spec.containers, ...(spec.initContainers ?? []), ...(spec.ephemeralContainers ?? [])];
  const envSecret = containers.some(
    (c) =>
      c.env?.some((e) => e.valueFrom?.secretKeyRef !== undefined) || c.envFrom?.some((e) => e.secretRef !== undefined),
  );
  const volumeSecret = spec.volumes?.some(
    (v) => v.secret !== undefined || v.projected?.sources?.some((s) => s.secret !== undefined),
  );
  if (envSecret || volumeSecret || (spec.imagePullSecrets ?? []).length > 0)
    return 'a mirror pod may not reference secrets';
  if (spec.volumes?.some((v) => v.projected?.sources?.some((s) => s.serviceAccountToken !== undefined))) {
    return 'a mirror pod may not use ServiceAccountToken volume projections';
  }
  return undefined;
}
