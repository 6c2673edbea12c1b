// Attaches the cluster's own volumes to the nodes whose pods use them, one node at a time, and detaches them when that is proven
// safe; see volume-driver.ts for the protocol. Differs from upstream in one point, on purpose: there is no forced detach after
// six minutes, only the out-of-service taint forces. Upstream: pkg/controller/volume/attachdetach.
import type { Node, PersistentVolume, PersistentVolumeClaim, Pod } from '#generated/api/core-v1.ts';
import type { VolumeAttachment } from '#generated/api/storage-v1.ts';
import { nodes, persistentvolumeclaims, persistentvolumes, pods, volumeattachments } from '#generated/resources.ts';
import type { Informer, ResourceClient } from '#client/client.ts';
import { isPodTerminal } from '#kinds/core/pod/readiness.ts';
import { isNodeReady } from '#kinds/core/node.ts';
import { isStatus } from '#machinery/status.ts';
import {
  type ControllerDefinition,
  type ControllerDeps,
  done,
  type Outcome,
  ownKey,
  watch,
} from './runtime/controller.ts';
import { ATTACHER_FINALIZER, attachedName, attachmentName, isOurVolume, VOLUME_DRIVER } from './volume-driver.ts';

export const OUT_OF_SERVICE = 'node.kubernetes.io/out-of-service';
/** Events wake the controller; this is for what no event announces (a node's status read fresh). */
const DETACH_RETRY_MS = 2_000;
/** How often a pod that waits for a volume held elsewhere is told so. */
const MULTI_ATTACH_RETRY_MS = 10_000;

export const attachDetachController: ControllerDefinition = {
  name: 'persistentvolume-attach-detach-controller',
  identity: 'attachdetach-controller',
  build: (deps) => {
    const podInformer = deps.informers.informer(pods);
    const claims = deps.informers.informer(persistentvolumeclaims);
    const volumes = deps.informers.informer(persistentvolumes);
    const attachments = deps.informers.informer(volumeattachments);
    const nodeInformer = deps.informers.informer(nodes);
    podInformer.addIndex(CLAIM_INDEX, claimsOfPod);
    const controller = new AttachDetach({ ...deps, pods: podInformer, claims, volumes, attachments });
    const volumeOfClaim = (key: string) => claims.get(key)?.spec?.volumeName;
    const attachedTo = (node: string) =>
      attachments.list().flatMap((a) => (a.spec.nodeName === node ? volumeOf(a) : []));
    return {
      // Keys are names of volumes.
      watches: [
        watch(volumes, ownKey),
        watch(claims, ({ old, object }) => [
          ...new Set([old, object].flatMap((c) => (c?.spec?.volumeName ? [c.spec.volumeName] : []))),
        ]),
        watch(podInformer, ({ old, object }) => [
          ...new Set(
            [old, object].flatMap((p) =>
              p?.spec?.nodeName ? claimsOfPod(p).flatMap((k) => volumeOfClaim(k) ?? []) : [],
            ),
          ),
        ]),
        watch(attachments, ({ old, object }) => [
          ...new Set([old, object].flatMap((a) => (a === undefined ? [] : volumeOf(a)))),
        ]),
        watch(nodeInformer, ({ key, old, object }) => (bearsOnDetach(old, object) ? attachedTo(key) : [])),
      ],
      reconcile: (name) => controller.reconcile(name),
    };
  },
};

const volumeOf = (a: VolumeAttachment): readonly string[] =>
  a.spec.attacher === VOLUME_DRIVER && a.spec.source.persistentVolumeName ? [a.spec.source.persistentVolumeName] : [];

/** Pods by the claims they use, generic ephemeral ones included. */
const CLAIM_INDEX = 'claim';

export function claimsOfPod(pod: Pod): readonly string[] {
  return (pod.spec?.volumes ?? []).flatMap((v) => {
    const name =
      v.persistentVolumeClaim?.claimName ?? (v.ephemeral === undefined ? undefined : `${pod.metadata.name}-${v.name}`);
    return name === undefined ? [] : [`${pod.metadata.namespace}/${name}`];
  });
}

function bearsOnDetach(old: Node | undefined, node: Node | undefined): boolean {
  const view = (n: Node | undefined) =>
    n === undefined ? '' : JSON.stringify([n.status?.volumesInUse, isNodeReady(n), isOutOfService(n)]);
  return view(old) !== view(node);
}

export const isOutOfService = (node: Node): boolean =>
  node.spec?.taints?.some((t) => t.key === OUT_OF_SERVICE) === true;

interface AttachDetachDeps extends Pick<ControllerDeps, 'client' | 'events' | 'clock' | 'log'> {
  readonly pods: Informer<Pod>;
  readonly claims: Informer<PersistentVolumeClaim>;
  readonly volumes: Informer<PersistentVolume>;
  readonly attachments: Informer<VolumeAttachment>;
}

export class AttachDetach {
  readonly #deps: AttachDetachDeps;
  readonly #attachments: ResourceClient<VolumeAttachment>;

  constructor(deps: AttachDetachDeps) {
    this.#deps = deps;
    this.#attachments = deps.client.resource(volumeattachments);
  }

  async reconcile(name: string): Promise<Outcome> {
    const volume = this.#deps.volumes.get(name);
    const cached = this.#deps.attachments.list().filter((a) => volumeOf(a)[0] === name);
    const users = volume === undefined || !isOurVolume(volume) ? [] : this.#users(volume);
    if (cached.length === 0 && users.length === 0) return done;
    // Attaching twice destroys data: decide on what is there, not on what the cache has seen.
    const present = (await this.#attachments.list()).items.filter((a) => volumeOf(a)[0] === name);
    const plan = planAttachments(present, users);
    let wait: number | undefined;
    for (const attachment of plan.detach) if (!(await this.#detach(attachment, volume))) wait = DETACH_RETRY_MS;
    for (const attachment of plan.confirm) await this.#confirm(attachment, users);
    if (plan.attach !== undefined) await this.#attach(volume!, plan.attach, users);
    for (const pod of plan.blocked) {
      this.#event(pod, 'Warning', 'FailedAttachVolume', multiAttachMessage(name, pod, users, present));
      wait ??= MULTI_ATTACH_RETRY_MS;
    }
    return wait === undefined ? done : { requeueAfterMs: wait };
  }

  /** Pods placed on a node that use the volume's claim and have not ended; those on their way out still do. */
  #users(volume: PersistentVolume): readonly Pod[] {
    const ref = volume.spec?.claimRef;
    const claim = ref === undefined ? undefined : this.#deps.claims.get(`${ref.namespace}/${ref.name}`);
    if (claim === undefined || claim.spec?.volumeName !== volume.metadata.name) return [];
    return this.#deps.pods
      .byIndex(CLAIM_INDEX, `${ref!.namespace}/${ref!.name}`)
      .filter((pod) => pod.spec?.nodeName && !isPodTerminal(pod));
  }

  async #attach(volume: PersistentVolume, nodeName: string, users: readonly Pod[]): Promise<void> {
    const handle = volume.spec!.csi!.volumeHandle;
    try {
      const made = await this.#attachments.create({
        metadata: {
          name: attachmentName(handle, nodeName),
          finalizers: [ATTACHER_FINALIZER],
          annotations: { 'csi.alpha.kubernetes.io/node-id': nodeName },
        },
        spec: { attacher: VOLUME_DRIVER, nodeName, source: { persistentVolumeName: volume.metadata.name } },
      });
      await this.#confirm(made, users);
    } catch (error) {
      for (const pod of users.filter((p) => p.spec!.nodeName === nodeName)) {
        this.#event(
          pod,
          'Warning',
          'FailedAttachVolume',
          `AttachVolume.Attach failed for volume ${JSON.stringify(volume.metadata.name)} : ${(error as Error).message}`,
        );
      }
      throw error;
    }
  }

  async #confirm(attachment: VolumeAttachment, users: readonly Pod[]): Promise<void> {
    const { name } = attachment.metadata;
    await this.#attachments.patch(
      undefined,
      name!,
      'application/merge-patch+json',
      { metadata: { uid: attachment.metadata.uid }, status: { attached: true } },
      { subresource: 'status' },
    );
    for (const pod of users.filter((p) => p.spec!.nodeName === attachment.spec.nodeName)) {
      this.#event(
        pod,
        'Normal',
        'SuccessfulAttachVolume',
        `AttachVolume.Attach succeeded for volume ${JSON.stringify(attachment.spec.source.persistentVolumeName)} `,
      );
    }
  }

  /** First marks it as going, so that the agent mounts no more, then reads the node. True when it is gone. */
  async #detach(attachment: VolumeAttachment, volume: PersistentVolume | undefined): Promise<boolean> {
    const { name, uid } = attachment.metadata;
    const going =
      attachment.metadata.deletionTimestamp === undefined
        ? await this.#attachments.delete(undefined, name!, { preconditions: { uid } })
        : attachment;
    if (going === undefined) return true;
    const node = await this.#deps.client.resource(nodes).get(undefined, attachment.spec.nodeName);
    const handle = volume?.spec?.csi?.volumeHandle ?? attachment.spec.source.persistentVolumeName!;
    if (!mayDetach(node, handle)) return false;
    const finalizers = (going.metadata.finalizers ?? []).filter((f) => f !== ATTACHER_FINALIZER);
    if (finalizers.length === (going.metadata.finalizers ?? []).length) return true;
    try {
      await this.#attachments.patch(undefined, name!, 'application/merge-patch+json', {
        metadata: { uid, resourceVersion: going.metadata.resourceVersion, finalizers },
      });
    } catch (error) {
      if (!isStatus(error, 'NotFound')) throw error;
    }
    this.#deps.log.info('volume detached', {
      volume: attachment.spec.source.persistentVolumeName,
      node: attachment.spec.nodeName,
      forced: node !== undefined && isOutOfService(node),
    });
    return true;
  }

  #event(pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#deps.events.event(pod, pods, type, reason, message);
  }
}

export interface AttachmentPlan {
  /** Node to attach to. */
  readonly attach: string | undefined;
  /** Ours already, only not yet said to be attached. */
  readonly confirm: readonly VolumeAttachment[];
  readonly detach: readonly VolumeAttachment[];
  /** Pods that wait for the volume to be given up by another node. */
  readonly blocked: readonly Pod[];
}

/** One node holds the volume: the one that has it as long as its pods use it, else the node of the oldest waiting pod. */
export function planAttachments(present: readonly VolumeAttachment[], users: readonly Pod[]): AttachmentPlan {
  const wanted = new Set(users.map((p) => p.spec!.nodeName!));
  const detach = present.filter((a) => a.metadata.deletionTimestamp !== undefined || !wanted.has(a.spec.nodeName));
  const kept = present.filter((a) => !detach.includes(a));
  const blocked = users.filter(
    (p) =>
      present.length > 0 &&
      !kept.some((a) => a.spec.nodeName === p.spec!.nodeName) &&
      p.metadata.deletionTimestamp === undefined,
  );
  if (present.length > 0) {
    const confirm = present.length === 1 ? kept.filter((a) => a.status?.attached !== true) : [];
    return {
      attach: undefined,
      confirm,
      detach,
      blocked: blocked.filter((p) => present.some((a) => a.spec.nodeName !== p.spec!.nodeName)),
    };
  }
  const first = users
    .filter((p) => p.metadata.deletionTimestamp === undefined)
    .sort((a, b) => ((a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? -1 : 1))[0];
  return {
    attach: first?.spec?.nodeName,
    confirm: [],
    detach,
    blocked: users.filter(
      (p) =>
        first !== undefined && p.metadata.deletionTimestamp === undefined && p.spec!.nodeName !== first.spec!.nodeName,
    ),
  };
}

/** Whether every process that used the volume on the node is proven gone. A node that is not there proves nothing. */
export function mayDetach(node: Node | undefined, handle: string): boolean {
  if (node === undefined) return false;
  if (isOutOfService(node)) return true;
  return isNodeReady(node) && !(node.status?.volumesInUse ?? []).includes(attachedName(handle));
}

/** Upstream's words. */
function multiAttachMessage(
  volume: string,
  pod: Pod,
  users: readonly Pod[],
  present: readonly VolumeAttachment[],
): string {
  const others = users.filter(
    (p) => p.spec!.nodeName !== pod.spec!.nodeName && present.some((a) => a.spec.nodeName === p.spec!.nodeName),
  );
  const head = `Multi-Attach error for volume ${JSON.stringify(volume)} `;
  if (others.length === 0)
    return `${head}Volume is already exclusively attached to one node and can't be attached to another`;
  return `${head}Volume is already used by pod(s) ${others.map((p) => p.metadata.name).join(', ')}`;
}
