// Which node may read what because of the pods on it: Secrets, ConfigMaps, claims, volumes, service accounts and
// resource claims, kept up to date from pods, volumes and attachments. Answers cost a few look-ups.
import type { PersistentVolume, Pod } from '#generated/api/core-v1.ts';
import type { VolumeAttachment } from '#generated/api/storage-v1.ts';
import { persistentvolumes, pods, volumeattachments } from '#generated/resources.ts';
import type { Informer, Informers } from '#client/client.ts';

export type GraphResource =
  | 'secrets'
  | 'configmaps'
  | 'persistentvolumeclaims'
  | 'persistentvolumes'
  | 'serviceaccounts'
  | 'resourceclaims'
  | 'volumeattachments'
  | 'pods';

export interface NodeGraph {
  /** Whether a pod on `node`, or what such a pod uses, refers to the object. Namespace '' for cluster-scoped ones. */
  refers(node: string, resource: GraphResource, namespace: string, name: string): boolean;
}

/** Index of pods: `<node>|<resource>|<namespace>/<name>` → the pods that refer to it from that node. */
const BY_REFERENCE = 'nodeReference';
/** Index of volumes: the Secrets they need, and the claim they are bound to. */
const BY_SECRET = 'nodeSecret';

export function nodeGraphOf(informers: Informers): NodeGraph {
  const podInformer = informers.informer(pods);
  const volumeInformer: Informer<PersistentVolume> = informers.informer(persistentvolumes);
  const attachmentInformer: Informer<VolumeAttachment> = informers.informer(volumeattachments);
  podInformer.addIndex(BY_REFERENCE, (pod) => podReferences(pod).map((r) => `${pod.spec!.nodeName}|${r}`));
  volumeInformer.addIndex(BY_SECRET, volumeSecrets);
  const uses = (node: string, reference: string): boolean =>
    podInformer.byIndex(BY_REFERENCE, `${node}|${reference}`).length > 0;
  const usesVolume = (node: string, volume: PersistentVolume | undefined): boolean => {
    const claim = volume?.spec?.claimRef;
    return claim !== undefined && uses(node, `persistentvolumeclaims|${claim.namespace}/${claim.name}`);
  };
  return {
    refers(node, resource, namespace, name) {
      switch (resource) {
        case 'pods':
          return podInformer.get(`${namespace}/${name}`)?.spec?.nodeName === node;
        case 'volumeattachments':
          return attachmentInformer.get(name)?.spec.nodeName === node;
        case 'persistentvolumes':
          return usesVolume(node, volumeInformer.get(name));
        case 'secrets':
          return (
            uses(node, `secrets|${namespace}/${name}`) ||
            volumeInformer.byIndex(BY_SECRET, `${namespace}/${name}`).some((volume) => usesVolume(node, volume))
          );
        default:
          return uses(node, `${resource}|${namespace}/${name}`);
      }
    },
  };
}

/** `<resource>|<namespace>/<name>` of everything a pod on a node makes readable there. Mirror pods give nothing: their node
 *  made them itself. */
export function podReferences(pod: Pod): readonly string[] {
  const { spec, status } = pod;
  if (spec?.nodeName === undefined || spec.nodeName === '') return [];
  if (pod.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined) return [];
  const found = new Set<string>();
  const namespace = pod.metadata.namespace!;
  const add = (resource: GraphResource, name: string | undefined): void => {
    if (name !== undefined && name !== '') found.add(`${resource}|${namespace}/${name}`);
  };
  add('serviceaccounts', spec.serviceAccountName);
  for (const secret of spec.imagePullSecrets ?? []) add('secrets', secret.name);
  for (const container of [...spec.containers, ...(spec.initContainers ?? []), ...(spec.ephemeralContainers ?? [])]) {
    for (const env of container.env ?? []) {
      add('secrets', env.valueFrom?.secretKeyRef?.name);
      add('configmaps', env.valueFrom?.configMapKeyRef?.name);
    }
    for (const from of container.envFrom ?? []) {
      add('secrets', from.secretRef?.name);
      add('configmaps', from.configMapRef?.name);
    }
  }
  for (const volume of spec.volumes ?? []) {
    add('secrets', volume.secret?.secretName);
    add('configmaps', volume.configMap?.name);
    add('persistentvolumeclaims', volume.persistentVolumeClaim?.claimName);
    if (volume.ephemeral !== undefined) add('persistentvolumeclaims', `${pod.metadata.name}-${volume.name}`);
    add('secrets', volume.azureFile?.secretName);
    for (const ref of [
      volume.cephfs,
      volume.cinder,
      volume.flexVolume,
      volume.rbd,
      volume.scaleIO,
      volume.iscsi,
      volume.storageos,
    ]) {
      add('secrets', ref?.secretRef?.name);
    }
    add('secrets', volume.csi?.nodePublishSecretRef?.name);
    for (const source of volume.projected?.sources ?? []) {
      add('secrets', source.secret?.name);
      add('configmaps', source.configMap?.name);
    }
  }
  for (const claim of spec.resourceClaims ?? []) add('resourceclaims', claim.resourceClaimName);
  for (const claim of status?.resourceClaimStatuses ?? []) add('resourceclaims', claim.resourceClaimName);
  return [...found];
}

/** `<namespace>/<name>` of the Secrets that mounting the volume needs. */
export function volumeSecrets(volume: PersistentVolume): readonly string[] {
  const spec = volume.spec;
  if (spec === undefined) return [];
  const claimNamespace = spec.claimRef?.namespace ?? '';
  const refs = [
    spec.csi?.nodePublishSecretRef,
    spec.csi?.nodeStageSecretRef,
    spec.csi?.controllerPublishSecretRef,
    spec.csi?.controllerExpandSecretRef,
    spec.csi?.nodeExpandSecretRef,
    spec.cephfs?.secretRef,
    spec.cinder?.secretRef,
    spec.flexVolume?.secretRef,
    spec.rbd?.secretRef,
    spec.scaleIO?.secretRef,
    spec.iscsi?.secretRef,
    spec.storageos?.secretRef,
    spec.azureFile === undefined
      ? undefined
      : { name: spec.azureFile.secretName, namespace: spec.azureFile.secretNamespace },
  ];
  return refs.flatMap((ref) => (ref?.name === undefined ? [] : [`${ref.namespace || claimNamespace}/${ref.name}`]));
}
