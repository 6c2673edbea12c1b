// Rules and warnings of the volume types that pods and persistent volumes share. Upstream judges them all, also those it has no code
// for any more: objects with them may be stored.
import type { PersistentVolumeSpec, SecretReference, Volume } from '#generated/api/core-v1.ts';
import { inclusiveRangeError, isDns1123Label, isDns1123Subdomain } from '#machinery/names.ts';
import { fieldError } from '#machinery/status.ts';
import { type Errors, isUnset, messages } from '../rules.ts';

type Sources = Omit<Volume, 'name'> & PersistentVolumeSpec;
type Source<K extends keyof Sources> = NonNullable<Sources[K]>;
/** `isPersistent`: of a PersistentVolume, whose secrets have namespaces. */
type Check<K extends keyof Sources> = (source: Source<K>, path: string, errors: Errors, isPersistent: boolean) => void;

const CACHING_MODES = ['None', 'ReadOnly', 'ReadWrite'];
const DISK_KINDS = ['Dedicated', 'Managed', 'Shared'];
const MANAGED_DISK = '/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}';
const BLOB_DISK = 'https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd';
const REGISTRY_ERROR = 'must be a host:port pair or multiple pairs separated by commas';
const IQN = /^iqn\.\d{4}-\d{2}\.([a-z0-9.-]+)(:[^,;*&$|\s]+)$|^eui\.[0-9a-fA-F]{16}$|^naa\.[0-9a-fA-F]{32}$/;
const DRIVER_NAME_MAX = 63;
const TENANT_MAX = 64;

function required(value: unknown, field: string, errors: Errors, detail?: string): void {
  if (isUnset(value)) errors.push(fieldError.required(field, detail));
}

function within(value: number | undefined, low: number, high: number, field: string, errors: Errors): void {
  if (value !== undefined && (value < low || value > high))
    errors.push(fieldError.invalid(field, value, inclusiveRangeError(low, high)));
}

export function validateDriverName(driver: string | undefined, path: string, errors: Errors): void {
  const name = driver ?? '';
  if (name === '') errors.push(fieldError.required(path));
  if (name.length > DRIVER_NAME_MAX) errors.push(fieldError.tooLong(path, DRIVER_NAME_MAX));
  if (name !== '') messages(isDns1123Subdomain(name.toLowerCase()), path, name, errors);
}

function secretReference(ref: SecretReference | undefined, path: string, errors: Errors): void {
  if (ref === undefined) return;
  if (isUnset(ref.name)) errors.push(fieldError.required(`${path}.name`));
  else messages(isDns1123Subdomain(ref.name!), `${path}.name`, ref.name, errors);
  if (isUnset(ref.namespace)) errors.push(fieldError.required(`${path}.namespace`));
  else messages(isDns1123Label(ref.namespace!), `${path}.namespace`, ref.namespace, errors);
}

/** A disk that has partitions: 0 is the whole. */
function partition(value: number | undefined, path: string, errors: Errors): void {
  if (value !== undefined && (value < 0 || value > 255))
    errors.push(fieldError.invalid(`${path}.partition`, value, inclusiveRangeError(1, 255)));
}

function qualifiedInitiator(name: string, path: string, errors: Errors, isPersistent: boolean): void {
  const prefixed = isPersistent || ['iqn', 'eui', 'naa'].some((p) => name.startsWith(p));
  if (!prefixed) errors.push(fieldError.invalid(path, name, 'must be valid format starting with iqn, eui, or naa'));
  else if (!IQN.test(name)) errors.push(fieldError.invalid(path, name, 'must be valid format'));
}

const checks: { readonly [K in keyof Sources]?: Check<K> } = {
  gcePersistentDisk: (s, path, errors) => {
    const where = path.replace(/gcePersistentDisk$/, 'persistentDisk');
    required(s.pdName, `${where}.pdName`, errors);
    partition(s.partition, where, errors);
  },
  awsElasticBlockStore: (s, path, errors) => {
    required(s.volumeID, `${path}.volumeID`, errors);
    partition(s.partition, path, errors);
  },
  nfs: (s, path, errors) => {
    required(s.server, `${path}.server`, errors);
    required(s.path, `${path}.path`, errors);
    if (!(s.path ?? '').startsWith('/'))
      errors.push(fieldError.invalid(`${path}.path`, s.path ?? '', 'must be an absolute path'));
  },
  iscsi: (s, path, errors, isPersistent) => {
    required(s.targetPortal, `${path}.targetPortal`, errors);
    if (isUnset(s.iqn)) errors.push(fieldError.required(`${path}.iqn`));
    else qualifiedInitiator(s.iqn, `${path}.iqn`, errors, isPersistent);
    within(s.lun, 0, 255, `${path}.lun`, errors);
    if ((s.chapAuthDiscovery === true || s.chapAuthSession === true) && s.secretRef === undefined)
      errors.push(fieldError.required(`${path}.secretRef`));
    if (isPersistent && s.secretRef !== undefined) required(s.secretRef.name, `${path}.secretRef.name`, errors);
    if (s.initiatorName !== undefined)
      qualifiedInitiator(s.initiatorName, `${path}.initiatorname`, errors, isPersistent);
  },
  glusterfs: (s, path, errors) => {
    required(s.endpoints, `${path}.endpoints`, errors);
    required(s.path, `${path}.path`, errors);
    const namespace = (s as { readonly endpointsNamespace?: string }).endpointsNamespace;
    const where = `${path}.endpointsNamespace`;
    if (namespace === '')
      errors.push(
        fieldError.invalid(where, namespace, 'if the endpointnamespace is set, it must be a valid namespace name'),
      );
    else if (namespace !== undefined) messages(isDns1123Label(namespace), where, namespace, errors);
  },
  flocker: (s, path, errors) => {
    if (isUnset(s.datasetName) && isUnset(s.datasetUUID))
      errors.push(fieldError.required(path, 'one of datasetName and datasetUUID is required'));
    if (!isUnset(s.datasetName) && !isUnset(s.datasetUUID))
      errors.push(
        fieldError.invalid(path, 'resource', 'datasetName and datasetUUID can not be specified simultaneously'),
      );
    if ((s.datasetName ?? '').includes('/'))
      errors.push(fieldError.invalid(`${path}.datasetName`, s.datasetName, "must not contain '/'"));
  },
  rbd: (s, path, errors) => {
    required(s.monitors, `${path}.monitors`, errors);
    required(s.image, `${path}.image`, errors);
  },
  cinder: (s, path, errors, isPersistent) => {
    required(s.volumeID, `${path}.volumeID`, errors);
    if (s.secretRef === undefined) return;
    required(s.secretRef.name, `${path}.secretRef.name`, errors);
    if (isPersistent) required((s.secretRef as SecretReference).namespace, `${path}.secretRef.namespace`, errors);
  },
  cephfs: (s, path, errors) => required(s.monitors, `${path}.monitors`, errors),
  quobyte: (s, path, errors) => {
    const registry = s.registry ?? '';
    if (registry === '') errors.push(fieldError.required(`${path}.registry`, REGISTRY_ERROR));
    else if ((s.tenant ?? '').length >= TENANT_MAX + 1)
      errors.push(fieldError.required(`${path}.tenant`, 'must be a UUID and may not exceed a length of 64 characters'));
    else if (!registry.split(',').every((pair) => /^[^:]*:[^:]*$|^\[.*\]:[^:]*$/.test(pair)))
      errors.push(fieldError.invalid(`${path}.registry`, registry, REGISTRY_ERROR));
    required(s.volume, `${path}.volume`, errors);
  },
  fc: (s, path, errors) => {
    const [names, ids] = [s.targetWWNs ?? [], s.wwids ?? []];
    if (names.length === 0 && ids.length === 0)
      errors.push(fieldError.required(`${path}.targetWWNs`, 'must specify either targetWWNs or wwids, but not both'));
    if (names.length > 0 && ids.length > 0)
      errors.push(
        fieldError.invalid(`${path}.targetWWNs`, names, 'targetWWNs and wwids can not be specified simultaneously'),
      );
    if (names.length === 0) return;
    if (s.lun === undefined)
      errors.push(fieldError.required(`${path}.lun`, 'lun is required if targetWWNs is specified'));
    else within(s.lun, 0, 255, `${path}.lun`, errors);
  },
  flexVolume: (s, path, errors) => required(s.driver, `${path}.driver`, errors),
  azureFile: (s, path, errors) => {
    required(s.secretName, `${path}.secretName`, errors);
    required(s.shareName, `${path}.shareName`, errors);
    if ((s as { readonly secretNamespace?: string }).secretNamespace === '')
      errors.push(fieldError.required(`${path}.secretNamespace`));
  },
  vsphereVolume: (s, path, errors) => required(s.volumePath, `${path}.volumePath`, errors),
  photonPersistentDisk: (s, path, errors) => required(s.pdID, `${path}.pdID`, errors),
  portworxVolume: (s, path, errors) => required(s.volumeID, `${path}.volumeID`, errors),
  azureDisk: (s, path, errors) => {
    required(s.diskName, `${path}.diskName`, errors);
    required(s.diskURI, `${path}.diskURI`, errors);
    if (s.cachingMode !== undefined && !CACHING_MODES.includes(s.cachingMode))
      errors.push(fieldError.notSupported(`${path}.cachingMode`, s.cachingMode, CACHING_MODES));
    if (s.kind !== undefined && !DISK_KINDS.includes(s.kind))
      errors.push(fieldError.notSupported(`${path}.kind`, s.kind, DISK_KINDS));
    const [start, example] = s.kind === 'Managed' ? ['/subscriptions/', MANAGED_DISK] : ['https://', BLOB_DISK];
    if (!(s.diskURI ?? '').startsWith(start))
      errors.push(fieldError.notSupported(`${path}.diskURI`, s.diskURI ?? '', [example]));
  },
  storageos: (s, path, errors, isPersistent) => {
    if (isUnset(s.volumeName)) errors.push(fieldError.required(`${path}.volumeName`));
    else messages(isDns1123Label(s.volumeName!), `${path}.volumeName`, s.volumeName, errors);
    if (!isUnset(s.volumeNamespace))
      messages(isDns1123Label(s.volumeNamespace!), `${path}.volumeNamespace`, s.volumeNamespace, errors);
    if (s.secretRef === undefined) return;
    required(s.secretRef.name, `${path}.secretRef.name`, errors);
    if (isPersistent) required((s.secretRef as SecretReference).namespace, `${path}.secretRef.namespace`, errors);
  },
  scaleIO: (s, path, errors) => {
    required(s.gateway, `${path}.gateway`, errors);
    required(s.system, `${path}.system`, errors);
    required(s.volumeName, `${path}.volumeName`, errors);
  },
  csi: (s, path, errors, isPersistent) => {
    validateDriverName(s.driver, `${path}.driver`, errors);
    if (!isPersistent) {
      const name = s.nodePublishSecretRef === undefined ? undefined : (s.nodePublishSecretRef.name ?? '');
      if (name === '') errors.push(fieldError.required(`${path}.nodePublishSecretRef.name`));
      // The path is upstream's.
      else if (name !== undefined) messages(isDns1123Subdomain(name), `${path}.name`, name, errors);
      return;
    }
    required(s.volumeHandle, `${path}.volumeHandle`, errors);
    for (const use of ['controllerPublish', 'controllerExpand', 'nodePublish', 'nodeExpand'] as const)
      secretReference(s[`${use}SecretRef`], `${path}.${use}SecretRef`, errors);
  },
};

/** Judges one source of those above; others are of pods or of persistent volumes alone. */
export function validateSharedSource(
  name: string,
  source: unknown,
  path: string,
  errors: Errors,
  isPersistent: boolean,
): void {
  const check = checks[name as keyof Sources] as Check<'csi'> | undefined;
  check?.(source as Source<'csi'>, `${path}.${name}`, errors, isPersistent);
}

/** Source → when it was deprecated and when it went. */
const GONE: Readonly<Record<string, string>> = {
  photonPersistentDisk: 'deprecated in v1.11, non-functional in v1.16+',
  gitRepo: 'deprecated in v1.11, and disabled by default in v1.33+',
  scaleIO: 'deprecated in v1.16, non-functional in v1.22+',
  flocker: 'deprecated in v1.22, non-functional in v1.25+',
  quobyte: 'deprecated in v1.22, non-functional in v1.25+',
  storageos: 'deprecated in v1.22, non-functional in v1.25+',
  glusterfs: 'deprecated in v1.25, non-functional in v1.26+',
  cephfs: 'deprecated in v1.28, non-functional in v1.31+',
  rbd: 'deprecated in v1.28, non-functional in v1.31+',
};

export function sourceWarnings(sources: object, path: string): string[] {
  return Object.keys(GONE)
    .filter((name) => (sources as Readonly<Record<string, unknown>>)[name] !== undefined)
    .map((name) => `${path}.${name === 'storageos' ? 'storageOS' : name}: ${GONE[name]}`);
}
