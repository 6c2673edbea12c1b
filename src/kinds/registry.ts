// Every built-in kind. The order is that of discovery: groups in upstream's priority, kinds by name within a group, so that a
// name that two groups share (events) means the first.
import type { ResourceDefinition } from '#schema/resource.ts';
import { apiService } from './apiregistration/apiservice.ts';
import { binding } from './core/binding.ts';
import { certificateSigningRequest } from './certificates/certificatesigningrequest.ts';
import { clusterRole } from './rbac/clusterrole.ts';
import { clusterRoleBinding } from './rbac/clusterrolebinding.ts';
import { clusterTrustBundle } from './certificates/clustertrustbundle.ts';
import { componentStatus } from './core/componentstatus.ts';
import { configMap } from './core/configmap.ts';
import { controllerRevision } from './apps/controllerrevision.ts';
import { cronJob } from './batch/cronjob.ts';
import { csiDriver } from './storage/csidriver.ts';
import { csiNode } from './storage/csinode.ts';
import { csiStorageCapacity } from './storage/csistoragecapacity.ts';
import { customResourceDefinition } from './apiextensions/customresourcedefinition.ts';
import { daemonSet } from './apps/daemonset.ts';
import { deployment } from './apps/deployment.ts';
import { deviceClass } from './resource/deviceclass.ts';
import { deviceTaintRule } from './resource/devicetaintrule.ts';
import { endpointSlice } from './discovery/endpointslice.ts';
import { endpoints } from './core/endpoints.ts';
import { event } from './core/event.ts';
import { flowSchema } from './flowcontrol/flowschema.ts';
import { horizontalPodAutoscaler } from './autoscaling/horizontalpodautoscaler.ts';
import { ingress } from './networking/ingress.ts';
import { ingressClass } from './networking/ingressclass.ts';
import { ipAddress } from './networking/ipaddress.ts';
import { job } from './batch/job.ts';
import { lease } from './coordination/lease.ts';
import { leaseCandidate } from './coordination/leasecandidate.ts';
import { limitRange } from './core/limitrange.ts';
import { localSubjectAccessReview } from './authorization/localsubjectaccessreview.ts';
import { mutatingAdmissionPolicy } from './admissionregistration/mutatingadmissionpolicy.ts';
import { mutatingAdmissionPolicyBinding } from './admissionregistration/mutatingadmissionpolicybinding.ts';
import { mutatingWebhookConfiguration } from './admissionregistration/mutatingwebhookconfiguration.ts';
import { namespace } from './core/namespace.ts';
import { networkPolicy } from './networking/networkpolicy.ts';
import { newEvent } from './events/event.ts';
import { node } from './core/node.ts';
import { persistentVolume } from './core/persistentvolume.ts';
import { persistentVolumeClaim } from './core/persistentvolumeclaim.ts';
import { pod } from './core/pod/pod.ts';
import { podCertificateRequest } from './certificates/podcertificaterequest.ts';
import { podDisruptionBudget } from './policy/poddisruptionbudget.ts';
import { podGroup } from './scheduling/podgroup.ts';
import { podTemplate } from './core/podtemplate.ts';
import { priorityClass } from './scheduling/priorityclass.ts';
import { priorityLevelConfiguration } from './flowcontrol/prioritylevelconfiguration.ts';
import { replicaSet } from './apps/replicaset.ts';
import { replicationController } from './core/replicationcontroller.ts';
import { resourceClaim } from './resource/resourceclaim.ts';
import { resourceClaimTemplate } from './resource/resourceclaimtemplate.ts';
import { resourcePoolStatusRequest } from './resource/resourcepoolstatusrequest.ts';
import { resourceQuota } from './core/resourcequota.ts';
import { resourceSlice } from './resource/resourceslice.ts';
import { role } from './rbac/role.ts';
import { roleBinding } from './rbac/rolebinding.ts';
import { runtimeClass } from './node/runtimeclass.ts';
import { secret } from './core/secret.ts';
import { selfSubjectAccessReview } from './authorization/selfsubjectaccessreview.ts';
import { selfSubjectReview } from './authentication/selfsubjectreview.ts';
import { selfSubjectRulesReview } from './authorization/selfsubjectrulesreview.ts';
import { service } from './core/service.ts';
import { serviceAccount } from './core/serviceaccount.ts';
import { serviceCIDR } from './networking/servicecidr.ts';
import { statefulSet } from './apps/statefulset.ts';
import { storageClass } from './storage/storageclass.ts';
import { storageVersion } from './apiserverinternal/storageversion.ts';
import { storageVersionMigration } from './storagemigration/storageversionmigration.ts';
import { subjectAccessReview } from './authorization/subjectaccessreview.ts';
import { tokenReview } from './authentication/tokenreview.ts';
import { validatingAdmissionPolicy } from './admissionregistration/validatingadmissionpolicy.ts';
import { validatingAdmissionPolicyBinding } from './admissionregistration/validatingadmissionpolicybinding.ts';
import { validatingWebhookConfiguration } from './admissionregistration/validatingwebhookconfiguration.ts';
import { volumeAttachment } from './storage/volumeattachment.ts';
import { volumeAttributesClass } from './storage/volumeattributesclass.ts';
import { workload } from './scheduling/workload.ts';

const kinds = [
  // the core group
  binding,
  componentStatus,
  configMap,
  endpoints,
  event,
  limitRange,
  namespace,
  node,
  persistentVolumeClaim,
  persistentVolume,
  pod,
  podTemplate,
  replicationController,
  resourceQuota,
  secret,
  serviceAccount,
  service,
  // apps
  controllerRevision,
  daemonSet,
  deployment,
  replicaSet,
  statefulSet,
  // batch
  cronJob,
  job,
  // autoscaling
  horizontalPodAutoscaler,
  // policy
  podDisruptionBudget,
  // networking.k8s.io
  ingress,
  ingressClass,
  networkPolicy,
  ipAddress,
  serviceCIDR,
  // discovery.k8s.io
  endpointSlice,
  // events.k8s.io
  newEvent,
  // rbac.authorization.k8s.io
  role,
  roleBinding,
  clusterRole,
  clusterRoleBinding,
  // coordination.k8s.io
  lease,
  leaseCandidate,
  // scheduling.k8s.io
  priorityClass,
  podGroup,
  workload,
  // storage.k8s.io
  csiDriver,
  csiNode,
  csiStorageCapacity,
  storageClass,
  volumeAttachment,
  volumeAttributesClass,
  // certificates.k8s.io
  certificateSigningRequest,
  clusterTrustBundle,
  podCertificateRequest,
  // node.k8s.io
  runtimeClass,
  // authentication.k8s.io
  tokenReview,
  selfSubjectReview,
  // authorization.k8s.io
  localSubjectAccessReview,
  selfSubjectAccessReview,
  selfSubjectRulesReview,
  subjectAccessReview,
  // admissionregistration.k8s.io
  mutatingWebhookConfiguration,
  validatingWebhookConfiguration,
  validatingAdmissionPolicy,
  validatingAdmissionPolicyBinding,
  mutatingAdmissionPolicy,
  mutatingAdmissionPolicyBinding,
  // apiextensions.k8s.io
  customResourceDefinition,
  // apiregistration.k8s.io
  apiService,
  // flowcontrol.apiserver.k8s.io
  flowSchema,
  priorityLevelConfiguration,
  // resource.k8s.io
  deviceClass,
  deviceTaintRule,
  resourceClaim,
  resourceClaimTemplate,
  resourceSlice,
  resourcePoolStatusRequest,
  // storagemigration.k8s.io
  storageVersionMigration,
  // internal.apiserver.k8s.io
  storageVersion,
] as unknown as readonly ResourceDefinition[];

/** Definitions of all built-in resources, those behind --runtime-config included (their versions have `served: false`). */
export function builtinKinds(): readonly ResourceDefinition[] {
  return kinds;
}
