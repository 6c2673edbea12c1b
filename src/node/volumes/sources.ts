// The files that ConfigMaps, Secrets, the downward API and tokens give, for their own volumes and for projected ones.
import type {
  ConfigMapVolumeSource,
  DownwardAPIVolumeFile,
  KeyToPath,
  Pod,
  ProjectedVolumeSource,
  SecretVolumeSource,
  ServiceAccountTokenProjection,
} from '#generated/api/core-v1.ts';
import { fieldValue, resourceValue } from '../pods/field-ref.ts';
import type { Ownership, Payload, PayloadFile } from './payload.ts';
import { type VolumeDeps, VolumeError } from './volume.ts';

const DEFAULT_MODE = 0o644;
/** Upstream's defaults for projected tokens. */
const TOKEN_MODE_OWNED = 0o600;
const TOKEN_MODE_WITH_GROUP = 0o640;
const TOKEN_EXPIRATION_SECONDS = 3600;

export async function configMapFiles(
  pod: Pod,
  source: Pick<ConfigMapVolumeSource, 'name' | 'items' | 'optional'>,
  mode: number | undefined,
  deps: VolumeDeps,
): Promise<Payload> {
  const namespace = pod.metadata.namespace!;
  const map = await deps.configMap(pod.metadata.uid!, namespace, source.name ?? '');
  if (map === undefined) {
    if (source.optional === true) return new Map();
    throw new VolumeError(`configmap ${JSON.stringify(source.name)} not found`);
  }
  const data = new Map<string, Uint8Array>();
  for (const [k, v] of Object.entries(map.data ?? {})) data.set(k, Buffer.from(v));
  for (const [k, v] of Object.entries(map.binaryData ?? {})) data.set(k, Buffer.from(v, 'base64'));
  return pick(data, source.items, mode, source.optional === true, `configmap references non-existent config key`);
}

export async function secretFiles(
  pod: Pod,
  source: { readonly name?: string; readonly items?: readonly KeyToPath[]; readonly optional?: boolean },
  mode: number | undefined,
  deps: VolumeDeps,
): Promise<Payload> {
  const secret = await deps.secret(pod.metadata.uid!, pod.metadata.namespace!, source.name ?? '');
  if (secret === undefined) {
    if (source.optional === true) return new Map();
    throw new VolumeError(`secret ${JSON.stringify(source.name)} not found`);
  }
  const data = new Map(Object.entries(secret.data ?? {}).map(([k, v]) => [k, Buffer.from(v, 'base64') as Uint8Array]));
  return pick(data, source.items, mode, source.optional === true, `references non-existent secret key`);
}

export const secretVolumeSource = (s: SecretVolumeSource) => ({
  name: s.secretName,
  items: s.items,
  optional: s.optional,
});

function pick(
  data: ReadonlyMap<string, Uint8Array>,
  items: readonly KeyToPath[] | undefined,
  mode: number | undefined,
  optional: boolean,
  missing: string,
): Payload {
  const standard = mode ?? DEFAULT_MODE;
  if (items === undefined || items.length === 0)
    return new Map([...data].map(([k, v]) => [k, { data: v, mode: standard }]));
  const out = new Map<string, PayloadFile>();
  for (const item of items) {
    const value = data.get(item.key);
    if (value !== undefined) out.set(item.path, { data: value, mode: item.mode ?? standard });
    else if (!optional) throw new VolumeError(`${missing}: ${item.key}`);
  }
  return out;
}

export function downwardFiles(
  pod: Pod,
  items: readonly DownwardAPIVolumeFile[],
  mode: number | undefined,
  deps: VolumeDeps,
): Payload {
  const out = new Map<string, PayloadFile>();
  for (const item of items) {
    const value =
      item.fieldRef !== undefined
        ? fieldValue(
            pod,
            item.fieldRef,
            deps.facts(),
            (pod.status?.podIPs ?? []).map((p) => p.ip!),
          )
        : resourceValue(pod, item.resourceFieldRef!, item.resourceFieldRef?.containerName ?? '', deps.facts());
    if (value === undefined)
      throw new VolumeError(`unsupported fieldPath: ${item.fieldRef?.fieldPath ?? item.resourceFieldRef?.resource}`);
    out.set(item.path, { data: Buffer.from(value), mode: item.mode ?? mode ?? DEFAULT_MODE });
  }
  return out;
}

async function tokenFile(pod: Pod, source: ServiceAccountTokenProjection, deps: VolumeDeps): Promise<Payload> {
  const token = await deps.token(pod, source.audience, source.expirationSeconds ?? TOKEN_EXPIRATION_SECONDS);
  const group = pod.spec?.securityContext?.fsGroup;
  const mode =
    group !== undefined ? TOKEN_MODE_WITH_GROUP : commonUser(pod) !== undefined ? TOKEN_MODE_OWNED : DEFAULT_MODE;
  return new Map([[source.path, { data: Buffer.from(token), mode }]]);
}

/** The one user all containers run as, when the spec says so: tokens then belong to it. */
function commonUser(pod: Pod): number | undefined {
  const users = new Set(
    [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])].map(
      (c) => c.securityContext?.runAsUser ?? pod.spec?.securityContext?.runAsUser,
    ),
  );
  const [only] = users;
  return users.size === 1 ? only : undefined;
}

export async function projectedFiles(pod: Pod, source: ProjectedVolumeSource, deps: VolumeDeps): Promise<Payload> {
  const out = new Map<string, PayloadFile>();
  const mode = source.defaultMode;
  for (const part of source.sources ?? []) {
    const files =
      part.configMap !== undefined
        ? await configMapFiles(pod, part.configMap, mode, deps)
        : part.secret !== undefined
          ? await secretFiles(pod, part.secret, mode, deps)
          : part.downwardAPI !== undefined
            ? downwardFiles(pod, part.downwardAPI.items ?? [], mode, deps)
            : part.serviceAccountToken !== undefined
              ? await tokenFile(pod, part.serviceAccountToken, deps)
              : undefined;
    if (files === undefined)
      throw new VolumeError(
        `projected source ${Object.keys(part)[0] ?? ''} is not supported: use configMap, secret, downwardAPI or serviceAccountToken`,
      );
    for (const [path, file] of files) out.set(path, file);
  }
  return out;
}

export function ownershipOf(pod: Pod, withToken: boolean): Ownership {
  const group = pod.spec?.securityContext?.fsGroup;
  const user = withToken && group === undefined ? commonUser(pod) : undefined;
  return { ...(group === undefined ? {} : { fsGroup: group }), ...(user === undefined ? {} : { uid: user }) };
}
