// NodeRestriction: a kubelet writes only what is its own: its Node (without giving itself labels that others trust), its
// Lease and CSINode, mirror pods on it, status and end of its pods, and tokens for the pods that run on it.
import type { Node, Pod, PersistentVolumeClaim } from '#generated/api/core-v1.ts';
import type { TokenRequest } from '#generated/api/authentication-v1.ts';
import type { Lease } from '#generated/api/coordination-v1.ts';
import type { ResourceSlice } from '#generated/api/resource-v1.ts';
import { SPEAKER_LEASE_PREFIX } from '#netmodel/load-balancers.ts';
import { find, type Lookup } from '../authentication/lookup.ts';
import { agentNodeOf, nodeNameOf } from '../authentication/users.ts';
import type { AdmissionAttributes, AdmissionOperation, AdmissionPlugin } from '../pipeline.ts';
import { admissionForbidden } from './forbidden.ts';
import { MIRROR_ANNOTATION, mirrorPodRefusal } from './serviceaccount.ts';

export interface NodeRestrictionDeps {
  readonly pods: Lookup<Pod>;
  readonly nodes: Lookup<Node>;
}

/** Everything else that a node may write is not narrowed further than its authorization. */
const RESOURCES: ReadonlySet<string> = new Set([
  '/pods',
  '/nodes',
  '/persistentvolumeclaims',
  '/serviceaccounts',
  'coordination.k8s.io/leases',
  'storage.k8s.io/csinodes',
  'resource.k8s.io/resourceslices',
]);

export class NodeRestriction implements AdmissionPlugin {
  readonly name = 'NodeRestriction';
  readonly #deps: NodeRestrictionDeps;

  constructor(deps: NodeRestrictionDeps) {
    this.#deps = deps;
  }

  handles(_operation: AdmissionOperation, group: string, resource: string): boolean {
    return RESOURCES.has(`${group}/${resource}`);
  }

  validate(a: AdmissionAttributes): void | Promise<void> {
    const node = nodeNameOf(a.user);
    if (node === undefined) return agentWrite(a, agentNodeOf(a.user));
    if (node === '') throw admissionForbidden(a, `could not determine node from user ${JSON.stringify(a.user.name)}`);
    switch (`${a.group}/${a.resource}`) {
      case '/pods':
        return this.#pods(a, node);
      case '/nodes':
        return nodeWrite(a, node);
      case '/persistentvolumeclaims':
        return claimWrite(a, node);
      case '/serviceaccounts':
        return a.subresource === 'token' ? this.#token(a, node) : undefined;
      case 'coordination.k8s.io/leases':
        return ownName(a, node, 'lease', (a.object as Lease | undefined)?.metadata.name, 'kube-node-lease');
      case 'storage.k8s.io/csinodes':
        return ownName(a, node, 'CSINode', a.object?.metadata.name);
      case 'resource.k8s.io/resourceslices':
        return slice(a, node);
      default:
        return undefined;
    }
  }

  #pods(a: AdmissionAttributes, node: string): void | Promise<void> {
    if (a.subresource === '') {
      if (a.operation === 'CREATE') return this.#createPod(a, node);
      if (a.operation === 'DELETE') return this.#ownPod(a, node, 'delete pods');
      throw admissionForbidden(
        a,
        `unexpected operation ${JSON.stringify(a.operation)}, node ${JSON.stringify(node)} can only create and delete mirror pods`,
      );
    }
    if (a.subresource === 'status') {
      if (a.operation !== 'UPDATE') throw admissionForbidden(a, `unexpected operation ${JSON.stringify(a.operation)}`);
      const old = a.oldObject as Pod;
      if (old.spec?.nodeName !== node)
        throw admissionForbidden(
          a,
          `node ${JSON.stringify(node)} can only update pod status for pods with spec.nodeName set to itself`,
        );
      if (!sameEntries(old.metadata.labels, a.object!.metadata.labels)) {
        throw admissionForbidden(a, `node ${JSON.stringify(node)} cannot update labels through pod status`);
      }
      return;
    }
    if (a.subresource === 'eviction') {
      if (a.operation !== 'CREATE') throw admissionForbidden(a, `unexpected operation ${a.operation}`);
      return this.#ownPod(a, node, 'evict pods');
    }
    throw admissionForbidden(
      a,
      `unexpected pod subresource ${JSON.stringify(a.subresource)}, only 'status' and 'eviction' are allowed`,
    );
  }

  async #createPod(a: AdmissionAttributes, node: string): Promise<void> {
    const pod = a.object as Pod;
    if (pod.metadata.annotations?.[MIRROR_ANNOTATION] === undefined) {
      throw admissionForbidden(
        a,
        `pod does not have ${JSON.stringify(MIRROR_ANNOTATION)} annotation, node ${JSON.stringify(node)} can only create mirror pods`,
      );
    }
    if (pod.spec?.nodeName !== node) {
      throw admissionForbidden(a, `node ${JSON.stringify(node)} can only create pods with spec.nodeName set to itself`);
    }
    const owners = pod.metadata.ownerReferences ?? [];
    const owner = owners[0];
    if (owners.length !== 1 || owner?.apiVersion !== 'v1' || owner.kind !== 'Node' || owner.name !== node) {
      throw admissionForbidden(
        a,
        `node ${JSON.stringify(node)} can only create pods with an owner reference set to itself`,
      );
    }
    if (owner.controller !== true)
      throw admissionForbidden(
        a,
        `node ${JSON.stringify(node)} can only create pods with a controller owner reference set to itself`,
      );
    if (owner.blockOwnerDeletion === true) {
      throw admissionForbidden(a, `node ${JSON.stringify(node)} must not set blockOwnerDeletion on an owner reference`);
    }
    const own = await find(this.#deps.nodes, undefined, node);
    if (own !== undefined && own.metadata.uid !== owner.uid) {
      throw admissionForbidden(
        a,
        `node ${JSON.stringify(node)} UID mismatch: expected ${owner.uid} got ${own.metadata.uid}`,
      );
    }
    const refusal = mirrorPodRefusal(pod);
    if (refusal !== undefined)
      throw admissionForbidden(
        a,
        `node ${JSON.stringify(node)} can not create pods that reference secrets or a service account: ${refusal}`,
      );
    if (pod.spec.volumes?.some((v) => v.persistentVolumeClaim !== undefined)) {
      throw admissionForbidden(
        a,
        `node ${JSON.stringify(node)} can not create pods that reference persistentvolumeclaims`,
      );
    }
  }

  async #ownPod(a: AdmissionAttributes, node: string, what: string): Promise<void> {
    // An eviction's body names its pod; deletes carry the stored pod.
    const name = a.name || a.object?.metadata.name || '';
    const stored = a.subresource === '' ? (a.oldObject as Pod | undefined) : undefined;
    const pod = stored ?? (await find(this.#deps.pods, a.namespace, name));
    // Gone already: the verb itself answers NotFound.
    if (pod !== undefined && pod.spec?.nodeName !== node) {
      throw admissionForbidden(a, `node ${JSON.stringify(node)} can only ${what} with spec.nodeName set to itself`);
    }
  }

  async #token(a: AdmissionAttributes, node: string): Promise<void> {
    if (a.operation !== 'CREATE') throw admissionForbidden(a, `unexpected operation ${a.operation}`);
    const ref = (a.object as TokenRequest).spec?.boundObjectRef;
    if (ref === undefined || ref.apiVersion !== 'v1' || ref.kind !== 'Pod' || !ref.name)
      throw admissionForbidden(a, 'node requested token not bound to a pod');
    if (!ref.uid) throw admissionForbidden(a, 'node requested token with a pod binding without a uid');
    let pod = await find(this.#deps.pods, a.namespace, ref.name);
    if (pod !== undefined && (pod.metadata.uid !== ref.uid || pod.spec?.nodeName !== node))
      pod = await this.#deps.pods.live(a.namespace, ref.name);
    if (pod === undefined) throw admissionForbidden(a, `pod ${JSON.stringify(ref.name)} not found`);
    if (pod.metadata.uid !== ref.uid)
      throw admissionForbidden(
        a,
        `the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
      );
    if (pod.spec?.nodeName !== node)
      throw admissionForbidden(a, 'node requested token bound to a pod scheduled on a different node');
  }
}

function nodeWrite(a: AdmissionAttributes, node: string): void {
  const name = a.name || a.object?.metadata.name || '';
  if (name !== node)
    throw admissionForbidden(a, `node ${JSON.stringify(node)} is not allowed to modify node ${JSON.stringify(name)}`);
  const made = a.object as Node | undefined;
  const old = a.oldObject as Node | undefined;
  if (made === undefined) return;
  if (a.operation === 'CREATE') {
    if (made.spec?.configSource !== undefined)
      throw admissionForbidden(
        a,
        `node ${JSON.stringify(node)} is not allowed to create pods with a non-nil configSource`,
      );
    const bad = changedLabels(undefined, made.metadata.labels).filter((l) => !isOwnLabel(l));
    if (bad.length > 0)
      throw admissionForbidden(
        a,
        `node ${JSON.stringify(node)} is not allowed to set the following labels: ${bad.join(', ')}`,
      );
    return;
  }
  if (a.operation !== 'UPDATE') return;
  if (
    made.spec?.configSource !== undefined &&
    JSON.stringify(made.spec.configSource) !== JSON.stringify(old?.spec?.configSource)
  ) {
    throw admissionForbidden(
      a,
      `node ${JSON.stringify(node)} is not allowed to update configSource to a new non-nil configSource`,
    );
  }
  if (JSON.stringify(made.spec?.taints ?? []) !== JSON.stringify(old?.spec?.taints ?? [])) {
    throw admissionForbidden(a, `node ${JSON.stringify(node)} is not allowed to modify taints`);
  }
  if (JSON.stringify(made.metadata.ownerReferences ?? []) !== JSON.stringify(old?.metadata.ownerReferences ?? [])) {
    throw admissionForbidden(a, `node ${JSON.stringify(node)} is not allowed to modify ownerReferences`);
  }
  const bad = changedLabels(old?.metadata.labels, made.metadata.labels).filter((l) => !isOwnLabel(l));
  if (bad.length > 0) throw admissionForbidden(a, `is not allowed to modify labels: ${bad.join(', ')}`);
}

/** The labels a kubelet may set on its own node under Kubernetes' domains; upstream's list. */
const KUBELET_LABELS: ReadonlySet<string> = new Set([
  'kubernetes.io/hostname',
  'kubernetes.io/arch',
  'kubernetes.io/os',
  'beta.kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'node.kubernetes.io/windows-build',
  'failure-domain.beta.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'topology.kubernetes.io/zone',
]);
const KUBELET_DOMAINS = ['kubelet.kubernetes.io', 'node.kubernetes.io'];
const RESTRICTED_DOMAIN = 'node-restriction.kubernetes.io';
const KUBERNETES_DOMAINS = ['kubernetes.io', 'k8s.io'];

/** Labels outside Kubernetes' domains are free; node-restriction.kubernetes.io is for administrators alone. */
function isOwnLabel(label: string): boolean {
  const slash = label.indexOf('/');
  if (slash < 0 || KUBELET_LABELS.has(label)) return true;
  const domain = label.slice(0, slash);
  const within = (parent: string): boolean => domain === parent || domain.endsWith(`.${parent}`);
  if (within(RESTRICTED_DOMAIN)) return false;
  return KUBELET_DOMAINS.some(within) || !KUBERNETES_DOMAINS.some(within);
}

type Labels = Readonly<Record<string, string>> | undefined;

function changedLabels(old: Labels, made: Labels): string[] {
  const keys = new Set([...Object.keys(old ?? {}), ...Object.keys(made ?? {})]);
  return [...keys].filter((k) => old?.[k] !== made?.[k]).toSorted();
}

const sameEntries = (a: Labels, b: Labels): boolean => changedLabels(a, b).length === 0;

/** A kubelet that expands a volume writes capacity and conditions, nothing else. */
function claimWrite(a: AdmissionAttributes, node: string): void {
  if (a.subresource !== 'status' || a.operation !== 'UPDATE') {
    throw admissionForbidden(a, `node ${JSON.stringify(node)} may only update PVC status`);
  }
  const bare = (claim: PersistentVolumeClaim): string => {
    const { managedFields: _managed, resourceVersion: _version, ...metadata } = claim.metadata;
    const {
      capacity: _capacity,
      conditions: _conditions,
      allocatedResources: _a,
      allocatedResourceStatuses: _s,
      ...status
    } = claim.status ?? {};
    return JSON.stringify({ ...claim, metadata, status });
  };
  if (bare(a.object as PersistentVolumeClaim) !== bare(a.oldObject as PersistentVolumeClaim)) {
    throw admissionForbidden(
      a,
      `node ${JSON.stringify(node)} is not allowed to update fields other than status.quantity and status.conditions of PVCs`,
    );
  }
}

/** A node's agent is kept to its own as its kubelet is: of Leases it has the one that says its load balancing lives. */
function agentWrite(a: AdmissionAttributes, node: string | undefined): void {
  if (node === undefined || a.resource !== 'leases') return;
  const name = writtenName(a, (a.object as Lease | undefined)?.metadata.name);
  const own = `${SPEAKER_LEASE_PREFIX}${node}`;
  if (name !== own)
    throw admissionForbidden(
      a,
      `the agent of node ${JSON.stringify(node)} can only access lease ${JSON.stringify(own)}`,
    );
}

/** A create says the name in its body alone. */
const writtenName = (a: AdmissionAttributes, made: string | undefined): string =>
  a.operation === 'CREATE' ? (made ?? a.name) : a.name;

function ownName(
  a: AdmissionAttributes,
  node: string,
  what: string,
  made: string | undefined,
  namespace?: string,
): void {
  if (namespace !== undefined && a.namespace !== namespace) {
    throw admissionForbidden(a, `can only access leases in the ${JSON.stringify(namespace)} system namespace`);
  }
  if (writtenName(a, made) !== node)
    throw admissionForbidden(a, `can only access ${what} with the same name as the requesting node`);
}

function slice(a: AdmissionAttributes, node: string): void {
  const nodeName = ((a.operation === 'DELETE' ? a.oldObject : a.object) as ResourceSlice | undefined)?.spec?.nodeName;
  if (nodeName !== node)
    throw admissionForbidden(
      a,
      'can only create, update or delete ResourceSlice with the same NodeName as the requesting node',
    );
}
