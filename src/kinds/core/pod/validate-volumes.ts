// Rules for volumes and where they are mounted.
import type {
  Container,
  EmptyDirVolumeSource,
  EphemeralContainer,
  KeyToPath,
  Volume,
  VolumeMount,
} from '#generated/api/core-v1.ts';
import { isDns1123Label, isQualifiedName } from '#machinery/names.ts';
import { fieldError } from '#machinery/status.ts';
import { tryParseQuantity } from '#machinery/quantity.ts';
import { type Errors, at, child } from '../../rules.ts';
import { validateClaimSpec } from '../persistentvolumeclaim.ts';
import { sourceWarnings, validateSharedSource } from '../volume-sources.ts';

const SOURCES = [
  'emptyDir',
  'hostPath',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'gitRepo',
  'secret',
  'nfs',
  'iscsi',
  'glusterfs',
  'persistentVolumeClaim',
  'rbd',
  'flexVolume',
  'cinder',
  'cephfs',
  'flocker',
  'downwardAPI',
  'fc',
  'azureFile',
  'configMap',
  'vsphereVolume',
  'quobyte',
  'azureDisk',
  'photonPersistentDisk',
  'projected',
  'portworxVolume',
  'scaleIO',
  'storageos',
  'csi',
  'ephemeral',
  'image',
] as const satisfies readonly (keyof Volume)[];

const HOST_PATH_TYPES = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
];
const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'];
const INTERFACE_NAME_MAX = 64;
const DOWNWARD_FILES = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
];
const MODE_MESSAGE = 'must be a number between 0 and 0777 (octal), both inclusive';

export function validateVolumes(
  volumes: readonly Volume[] | undefined,
  path: string,
  errors: Errors,
): ReadonlyMap<string, Volume> {
  const byName = new Map<string, Volume>();
  for (const [index, volume] of (volumes ?? []).entries()) {
    const where = at(path, index);
    validateSource(volume, where, errors);
    if ((volume.name ?? '') === '') errors.push(fieldError.required(`${where}.name`));
    else {
      for (const message of isDns1123Label(volume.name))
        errors.push(fieldError.invalid(`${where}.name`, volume.name, message));
      if (byName.has(volume.name)) errors.push(fieldError.duplicate(`${where}.name`, volume.name));
    }
    byName.set(volume.name, volume);
  }
  return byName;
}

/** Only the first source is judged when there are several. */
function validateSource(volume: Volume, path: string, errors: Errors): void {
  const [first, ...extra] = SOURCES.filter((s) => volume[s] !== undefined);
  if (first === undefined) {
    errors.push(fieldError.required(path, 'must specify a volume type'));
    return;
  }
  validateOwnSource({ name: volume.name, [first]: volume[first] }, path, errors);
  validateSharedSource(first, volume[first], path, errors, false);
  for (const other of extra)
    errors.push(fieldError.forbidden(child(path, other), 'may not specify more than 1 volume type'));
}

/** Sources that only pods have. */
function validateOwnSource(volume: Volume, path: string, errors: Errors): void {
  if (volume.emptyDir !== undefined) validateEmptyDir(volume.emptyDir, `${path}.emptyDir`, errors);
  if (volume.hostPath !== undefined) {
    if ((volume.hostPath.path ?? '') === '') errors.push(fieldError.required(`${path}.hostPath.path`));
    else noBackSteps(volume.hostPath.path, `${path}.hostPath.path`, errors);
    if (volume.hostPath.type !== undefined && !HOST_PATH_TYPES.includes(volume.hostPath.type)) {
      errors.push(fieldError.notSupported(`${path}.hostPath.type`, volume.hostPath.type, HOST_PATH_TYPES.toSorted()));
    }
  }
  if (volume.gitRepo !== undefined) {
    if ((volume.gitRepo.repository ?? '') === '') errors.push(fieldError.required(`${path}.gitRepo.repository`));
    relativePath(volume.gitRepo.directory ?? '', `${path}.gitRepo.directory`, errors);
  }
  if (volume.secret !== undefined) {
    if ((volume.secret.secretName ?? '') === '') errors.push(fieldError.required(`${path}.secret.secretName`));
    validateMode(volume.secret.defaultMode, `${path}.secret.defaultMode`, errors);
    validateItems(volume.secret.items, `${path}.secret.items`, errors);
  }
  if (volume.configMap !== undefined) {
    if ((volume.configMap.name ?? '') === '') errors.push(fieldError.required(`${path}.configMap.name`));
    validateMode(volume.configMap.defaultMode, `${path}.configMap.defaultMode`, errors);
    validateItems(volume.configMap.items, `${path}.configMap.items`, errors);
  }
  if (volume.persistentVolumeClaim !== undefined && (volume.persistentVolumeClaim.claimName ?? '') === '') {
    errors.push(fieldError.required(`${path}.persistentVolumeClaim.claimName`));
  }
  if (volume.iscsi?.initiatorName !== undefined) {
    // Upstream makes an interface's name of both.
    if (`${volume.name}:${volume.iscsi.targetPortal ?? ''}`.length > INTERFACE_NAME_MAX)
      errors.push(
        fieldError.invalid(
          `${path}.name`,
          volume.name,
          'Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.',
        ),
      );
  }
  if (volume.downwardAPI !== undefined) {
    validateMode(volume.downwardAPI.defaultMode, `${path}.downwardAPI.defaultMode`, errors);
    validateDownwardItems(volume.downwardAPI.items, `${path}.downwardAPI`, errors);
  }
  if (volume.projected !== undefined) validateProjected(volume, `${path}.projected`, errors);
  if (volume.ephemeral !== undefined) {
    const template = volume.ephemeral.volumeClaimTemplate;
    const where = `${path}.ephemeral.volumeClaimTemplate`;
    if (template === undefined) errors.push(fieldError.required(where));
    else {
      if ((template.metadata?.name ?? '') !== '')
        errors.push(fieldError.forbidden(`${where}.metadata.name`, 'cannot be set'));
      validateClaimSpec(template.spec ?? {}, `${where}.spec`, errors);
    }
  }
  if (volume.image !== undefined) {
    const { reference, pullPolicy } = volume.image;
    if ((reference ?? '') === '') errors.push(fieldError.required(`${path}.image.reference`));
    if (pullPolicy !== undefined && !PULL_POLICIES.includes(pullPolicy))
      errors.push(fieldError.notSupported(`${path}.image.pullPolicy`, pullPolicy, PULL_POLICIES));
  }
}

function validateEmptyDir(source: EmptyDirVolumeSource, path: string, errors: Errors): void {
  const limit = source.sizeLimit === undefined ? undefined : tryParseQuantity(source.sizeLimit);
  if (limit !== undefined && limit.unscaled < 0n)
    errors.push(fieldError.forbidden(`${path}.sizeLimit`, 'SizeLimit field must be a valid resource quantity'));
}

function validateMode(mode: number | undefined, path: string, errors: Errors): void {
  if (mode !== undefined && (mode < 0 || mode > 0o777)) errors.push(fieldError.invalid(path, mode, MODE_MESSAGE));
}

function validateItems(items: readonly KeyToPath[] | undefined, path: string, errors: Errors): void {
  for (const [index, item] of (items ?? []).entries()) {
    const where = at(path, index);
    if ((item.key ?? '') === '') errors.push(fieldError.required(`${where}.key`));
    if ((item.path ?? '') === '') errors.push(fieldError.required(`${where}.path`));
    else relativePath(item.path, `${where}.path`, errors);
    validateMode(item.mode, `${where}.mode`, errors);
  }
}

function validateDownwardItems(items: NonNullable<Volume['downwardAPI']>['items'], path: string, errors: Errors): void {
  for (const item of items ?? []) {
    if ((item.path ?? '') === '') errors.push(fieldError.required(`${path}.path`));
    else relativePath(item.path, `${path}.path`, errors);
    if (item.fieldRef !== undefined && item.resourceFieldRef !== undefined) {
      errors.push(
        fieldError.invalid(path, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'),
      );
    } else if (item.fieldRef !== undefined) {
      validateDownwardField(item.fieldRef.fieldPath ?? '', `${path}.fieldRef`, errors);
    } else if (item.resourceFieldRef === undefined) {
      errors.push(fieldError.required(path, 'one of fieldRef and resourceFieldRef is required'));
    } else if ((item.resourceFieldRef.containerName ?? '') === '') {
      errors.push(fieldError.required(`${path}.resourceFieldRef.containerName`));
    }
    validateMode(item.mode, `${path}.mode`, errors);
  }
}

function validateDownwardField(field: string, path: string, errors: Errors): void {
  const subscript = /^metadata\.(?:labels|annotations)\['(.*)'\]$/.exec(field);
  if (field === '') errors.push(fieldError.required(`${path}.fieldPath`));
  else if (subscript !== null)
    for (const message of isQualifiedName(subscript[1]!)) errors.push(fieldError.invalid(path, subscript[1], message));
  else if (!DOWNWARD_FILES.includes(field) && POD_FIELDS.has(field))
    errors.push(fieldError.notSupported(`${path}.fieldPath`, field, DOWNWARD_FILES));
  else if (!DOWNWARD_FILES.includes(field))
    errors.push(
      fieldError.invalid(`${path}.fieldPath`, field, `error converting fieldPath: field label not supported: ${field}`),
    );
}

/** Fields of pods that there are, and that are not for files. */
const POD_FIELDS = new Set([
  'spec.nodeName',
  'spec.restartPolicy',
  'spec.schedulerName',
  'spec.serviceAccountName',
  'spec.hostNetwork',
  'status.phase',
  'status.podIP',
  'status.podIPs',
  'status.hostIP',
  'status.hostIPs',
  'status.nominatedNodeName',
]);

const PROJECTIONS = [
  'secret',
  'configMap',
  'downwardAPI',
  'serviceAccountToken',
  'clusterTrustBundle',
  'podCertificate',
] as const;

function validateProjected(volume: Volume, path: string, errors: Errors): void {
  validateMode(volume.projected?.defaultMode, `${path}.defaultMode`, errors);
  const files = new Set<string>();
  for (const [index, source] of (volume.projected?.sources ?? []).entries()) {
    const where = at(`${path}.sources`, index);
    const set = PROJECTIONS.filter((p) => source[p] !== undefined);
    if (set.length > 1) errors.push(fieldError.forbidden(where, 'may not specify more than 1 volume type per source'));
    if (source.secret !== undefined) {
      if ((source.secret.name ?? '') === '') errors.push(fieldError.required(`${where}.secret.name`));
      validateItems(source.secret.items, `${where}.secret.items`, errors);
    }
    if (source.configMap !== undefined) {
      if ((source.configMap.name ?? '') === '') errors.push(fieldError.required(`${where}.configMap.name`));
      validateItems(source.configMap.items, `${where}.configMap.items`, errors);
    }
    if (source.downwardAPI !== undefined)
      validateDownwardItems(source.downwardAPI.items, `${where}.downwardAPI`, errors);
    const token = source.serviceAccountToken;
    if (token !== undefined) {
      const seconds = token.expirationSeconds ?? 3600;
      if (seconds < 600)
        errors.push(
          fieldError.invalid(
            `${where}.serviceAccountToken.expirationSeconds`,
            seconds,
            'may not specify a duration less than 10 minutes',
          ),
        );
      if (seconds > 2 ** 32)
        errors.push(
          fieldError.invalid(
            `${where}.serviceAccountToken.expirationSeconds`,
            seconds,
            'may not specify a duration larger than 2^32 seconds',
          ),
        );
      // The path is upstream's.
      if ((token.path ?? '') === '') errors.push(fieldError.required(`${path}.path`));
      else relativePath(token.path, `${path}.path`, errors);
    }
    for (const [name, file] of filesOf(source)) {
      if (file !== '' && files.has(file)) errors.push(fieldError.invalid(path, name, 'conflicting duplicate paths'));
      files.add(file);
    }
  }
}

/** [what a conflict is reported as, path] of what a projection says it puts into the volume. */
function filesOf(source: NonNullable<NonNullable<Volume['projected']>['sources']>[number]): [string, string][] {
  return [
    ...(source.secret?.items ?? []).map((i): [string, string] => [source.secret?.name ?? '', i.path ?? '']),
    ...(source.configMap?.items ?? []).map((i): [string, string] => [source.configMap?.name ?? '', i.path ?? '']),
    ...(source.downwardAPI?.items ?? []).map((i): [string, string] => [i.path ?? '', i.path ?? '']),
    ...(source.serviceAccountToken === undefined
      ? []
      : [[source.serviceAccountToken.path ?? '', source.serviceAccountToken.path ?? ''] as [string, string]]),
  ];
}

export function volumeWarnings(volumes: readonly Volume[] | undefined, path: string): string[] {
  return (volumes ?? []).flatMap((volume, index) => [
    ...sourceWarnings(volume, at(path, index)),
    ...(volume.projected?.sources ?? [])
      .filter((s) => PROJECTIONS.every((p) => s[p] === undefined))
      .map(() => `volume ${JSON.stringify(volume.name)} (Projected) has no sources provided`),
  ]);
}

function relativePath(path: string, field: string, errors: Errors): void {
  if (path.startsWith('/')) errors.push(fieldError.invalid(field, path, 'must be a relative path'));
  if (path.startsWith('..') && path.split('/')[0] !== '..')
    errors.push(fieldError.invalid(field, path, "must not start with '..'"));
  noBackSteps(path, field, errors);
}

function noBackSteps(path: string, field: string, errors: Errors): void {
  if (path.split('/').includes('..')) errors.push(fieldError.invalid(field, path, "must not contain '..'"));
}

export function validateVolumeMounts(
  container: Container | EphemeralContainer,
  volumes: ReadonlyMap<string, Volume>,
  path: string,
  errors: Errors,
): void {
  const mountPaths = new Set<string>();
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    const where = at(`${path}.volumeMounts`, index);
    if ((mount.name ?? '') === '') errors.push(fieldError.required(`${where}.name`));
    if (!volumes.has(mount.name)) errors.push(fieldError.notFound(`${where}.name`, mount.name));
    if ((mount.mountPath ?? '') === '') errors.push(fieldError.required(`${where}.mountPath`));
    if (mountPaths.has(mount.mountPath))
      errors.push(fieldError.invalid(`${where}.mountPath`, mount.mountPath, 'must be unique'));
    mountPaths.add(mount.mountPath);
    if ((mount.subPath ?? '') !== '') relativePath(mount.subPath!, `${where}.subPath`, errors);
    if ((mount.subPathExpr ?? '') !== '') {
      if ((mount.subPath ?? '') !== '')
        errors.push(
          fieldError.invalid(
            `${where}.subPathExpr`,
            mount.subPathExpr,
            'subPathExpr and subPath are mutually exclusive',
          ),
        );
      relativePath(mount.subPathExpr!, `${where}.subPathExpr`, errors);
    }
    if (
      mount.mountPropagation !== undefined &&
      !['Bidirectional', 'HostToContainer', 'None'].includes(mount.mountPropagation)
    ) {
      errors.push(
        fieldError.notSupported(`${path}.volumeMounts.mountPropagation`, mount.mountPropagation, [
          'Bidirectional',
          'HostToContainer',
          'None',
        ]),
      );
    }
    validateRecursiveReadOnly(mount, `${path}.volumeMounts.recursiveReadOnly`, errors);
  }
}

function validateRecursiveReadOnly(mount: VolumeMount, path: string, errors: Errors): void {
  const { recursiveReadOnly, readOnly, mountPropagation = 'None' } = mount;
  if (recursiveReadOnly === undefined || recursiveReadOnly === 'Disabled') return;
  if (!['Enabled', 'IfPossible'].includes(recursiveReadOnly))
    return void errors.push(fieldError.notSupported(path, recursiveReadOnly, ['Disabled', 'Enabled', 'IfPossible']));
  if (readOnly !== true) errors.push(fieldError.forbidden(path, 'may only be specified when readOnly is true'));
  if (mountPropagation !== 'None')
    errors.push(fieldError.forbidden(path, 'may only be specified when mountPropagation is None or not specified'));
}
