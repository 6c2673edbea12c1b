// The admission plugins, in order. Upstream's order (AllOrderedPlugins) is kept: a plugin sees what those before it made.
// All mutating steps run first, in this order, then all validating ones. On Coracle's rows: those that upstream has on by
// default, and NodeRestriction, which every installer switches on.
import type { Clock } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import {
  ingressclasses,
  limitranges,
  namespaces,
  nodes,
  pods,
  priorityclasses,
  runtimeclasses,
  serviceaccounts,
  storageclasses,
} from '#generated/resources.ts';
import type { Client, Informers } from '#client/client.ts';
import { lookupOf } from '../authentication/lookup.ts';
import { EscalationCheck } from '../authorization/escalation.ts';
import type { RbacAuthorizer } from '../authorization/rbac.ts';
import type { AdmissionPlugin, Authorizer } from '../pipeline.ts';
import { CertificateApproval } from './certificateapproval.ts';
import { CertificateSigning } from './certificatesigning.ts';
import { CertificateSubjectRestriction } from './certificatesubjectrestriction.ts';
import { DefaultIngressClass } from './defaultingressclass.ts';
import { DefaultStorageClass } from './defaultstorageclass.ts';
import { DefaultTolerationSeconds } from './defaulttolerationseconds.ts';
import { LimitRanger } from './limitranger.ts';
import { NamespaceLifecycle } from './namespacelifecycle.ts';
import { NodeRestriction } from './noderestriction.ts';
import { PersistentVolumeClaimResize } from './persistentvolumeclaimresize.ts';
import { Priority } from './priority.ts';
import { RuntimeClassPlugin } from './runtimeclass.ts';
import { ServiceAccountPlugin } from './serviceaccount.ts';
import { StorageObjectInUseProtection } from './storageobjectinuseprotection.ts';
import { TaintNodesByCondition } from './taintnodesbycondition.ts';

export interface AdmissionDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** Copies of what the plugins look at. Informers are asked for here and need not be synced yet. */
  readonly informers: Informers;
  /** Reads live what a copy may not have yet; must be allowed everything (the API server's own identity). */
  readonly client: Client;
  readonly authorizer: Authorizer;
  readonly rbac: RbacAuthorizer;
}

export function admissionPlugins(deps: AdmissionDeps): readonly AdmissionPlugin[] {
  const { clock, random, informers, client, authorizer, rbac } = deps;

  const limitRangeInformer = informers.informer(limitranges);
  const priorityClassInformer = informers.informer(priorityclasses);
  const storageClassInformer = informers.informer(storageclasses);
  const ingressClassInformer = informers.informer(ingressclasses);
  return [
    // First: nothing else need be asked about an object that has no namespace to live in.
    new NamespaceLifecycle({ clock, namespaces: lookupOf(informers, client, namespaces) }),
    // Before everything that counts resources: fills in the requests that later plugins and quota add up.
    new LimitRanger({ limitRanges: limitRangeInformer }),
    // Adds volumes and mounts, so before plugins that judge a pod's volumes.
    new ServiceAccountPlugin({ clock, random, serviceAccounts: lookupOf(informers, client, serviceaccounts) }),
    // After ServiceAccount: a node's mirror pods are judged as they will be stored.
    new NodeRestriction({ pods: lookupOf(informers, client, pods), nodes: lookupOf(informers, client, nodes) }),
    new TaintNodesByCondition(),
    // Here: PodSecurity (the namespace's pod security standard), once it is there.
    // Before DefaultTolerationSeconds, as upstream: both only fill in what is absent.
    new Priority({
      priorityClasses: { ...lookupOf(informers, client, priorityclasses), list: () => priorityClassInformer.list() },
    }),
    new DefaultTolerationSeconds(),
    new DefaultStorageClass({ storageClasses: storageClassInformer }),
    new StorageObjectInUseProtection(),
    new PersistentVolumeClaimResize({ storageClasses: lookupOf(informers, client, storageclasses) }),
    // After the plugins above have put in tolerations: it adds those of the class and refuses contradictions.
    new RuntimeClassPlugin({ runtimeClasses: lookupOf(informers, client, runtimeclasses) }),
    new CertificateApproval({ authorizer }),
    new CertificateSigning({ authorizer }),
    new CertificateSubjectRestriction(),
    new DefaultIngressClass({ ingressClasses: ingressClassInformer }),
    // Here, in this order: MutatingAdmissionPolicy, MutatingAdmissionWebhook (they see every built-in default),
    // ValidatingAdmissionPolicy, ValidatingAdmissionWebhook (they see the final object).
    // Upstream checks grants in the storage of the RBAC kinds, after admission: so it is the last to validate what came out.
    new EscalationCheck({ rbac, authorizer }),
    // Here, last of all: ResourceQuota, which charges only what everything else has let through.
  ];
}
