// Names of Go's types where messages about wrong types show them and the API description does not have them: strings with a type of
// their own, and structs embedded in others, which stand in the path though not in the document.

/** Type → the fields of that type, or lists of it: `Definition.field`. */
const NAMED: Readonly<Record<string, string>> = {
  'types.UID': 'ObjectMeta.uid ObjectReference.uid OwnerReference.uid',
  'v1.AddressType': 'EndpointSlice.addressType',
  'v1.AppArmorProfileType': 'AppArmorProfile.type',
  'v1.AzureDataDiskCachingMode': 'AzureDiskVolumeSource.cachingMode',
  'v1.Capability': 'Capabilities.add Capabilities.drop',
  'v1.CompletionMode': 'JobSpec.completionMode',
  'v1.ConcurrencyPolicy': 'CronJobSpec.concurrencyPolicy',
  'v1.ConditionStatus': 'NodeCondition.status PodFailurePolicyOnPodConditionsPattern.status',
  'v1.ContainerRestartPolicy': 'Container.restartPolicy EphemeralContainer.restartPolicy',
  'v1.ContainerRestartRuleAction': 'ContainerRestartRule.action',
  'v1.ContainerRestartRuleOnExitCodesOperator': 'ContainerRestartRuleOnExitCodes.operator',
  'v1.ConversionStrategyType': 'CustomResourceConversion.strategy',
  'v1.CoordinatedLeaseStrategy': 'LeaseSpec.strategy',
  'v1.DNSPolicy': 'PodSpec.dnsPolicy',
  'v1.DaemonSetUpdateStrategyType': 'DaemonSetUpdateStrategy.type',
  'v1.DeploymentStrategyType': 'DeploymentStrategy.type',
  'v1.DeviceAllocationMode': 'DeviceSubRequest.allocationMode ExactDeviceRequest.allocationMode',
  'v1.DeviceTaintEffect': 'DeviceTaint.effect DeviceToleration.effect',
  'v1.DeviceTolerationOperator': 'DeviceToleration.operator',
  'v1.FSGroupPolicy': 'CSIDriverSpec.fsGroupPolicy',
  'v1.FailurePolicyType':
    'MutatingAdmissionPolicySpec.failurePolicy MutatingWebhook.failurePolicy ValidatingAdmissionPolicySpec.failurePolicy ValidatingWebhook.failurePolicy',
  'v1.FieldSelectorOperator': 'FieldSelectorRequirement.operator',
  'v1.FieldValueErrorReason': 'ValidationRule.reason',
  'v1.FinalizerName': 'NamespaceSpec.finalizers',
  'v1.FlowDistinguisherMethodType': 'FlowDistinguisherMethod.type',
  'v1.FullyQualifiedName': 'DeviceConstraint.matchAttribute',
  'v1.HostPathType': 'HostPathVolumeSource.type',
  'v1.IPFamily': 'ServiceSpec.ipFamilies',
  'v1.IPFamilyPolicy': 'ServiceSpec.ipFamilyPolicy',
  'v1.KeyUsage': 'CertificateSigningRequestSpec.usages',
  'v1.LabelSelectorOperator': 'LabelSelectorRequirement.operator',
  'v1.LimitResponseType': 'LimitResponse.type',
  'v1.LimitType': 'LimitRangeItem.type',
  'v1.MatchPolicyType': 'MatchResources.matchPolicy MutatingWebhook.matchPolicy ValidatingWebhook.matchPolicy',
  'v1.MountPropagationMode': 'VolumeMount.mountPropagation',
  'v1.NodeAddressType': 'NodeAddress.type',
  'v1.NodeConditionType': 'NodeCondition.type',
  'v1.NodeInclusionPolicy': 'TopologySpreadConstraint.nodeAffinityPolicy TopologySpreadConstraint.nodeTaintsPolicy',
  'v1.NodeSelectorOperator': 'NodeSelectorRequirement.operator',
  'v1.OSName': 'PodOS.name',
  'v1.OperationType': 'NamedRuleWithOperations.operations RuleWithOperations.operations',
  'v1.ParameterNotFoundActionType': 'ParamRef.parameterNotFoundAction',
  'v1.PatchType': 'Mutation.patchType',
  'v1.PathType': 'HTTPIngressPath.pathType',
  'v1.PersistentVolumeAccessMode': 'PersistentVolumeClaimSpec.accessModes PersistentVolumeSpec.accessModes',
  'v1.PersistentVolumeClaimRetentionPolicyType':
    'StatefulSetPersistentVolumeClaimRetentionPolicy.whenDeleted StatefulSetPersistentVolumeClaimRetentionPolicy.whenScaled',
  'v1.PersistentVolumeMode': 'PersistentVolumeClaimSpec.volumeMode PersistentVolumeSpec.volumeMode',
  'v1.PersistentVolumeReclaimPolicy': 'PersistentVolumeSpec.persistentVolumeReclaimPolicy StorageClass.reclaimPolicy',
  'v1.PodConditionType': 'PodFailurePolicyOnPodConditionsPattern.type PodReadinessGate.conditionType',
  'v1.PodFSGroupChangePolicy': 'PodSecurityContext.fsGroupChangePolicy',
  'v1.PodFailurePolicyAction': 'PodFailurePolicyRule.action',
  'v1.PodFailurePolicyOnExitCodesOperator': 'PodFailurePolicyOnExitCodesRequirement.operator',
  'v1.PodManagementPolicyType': 'StatefulSetSpec.podManagementPolicy',
  'v1.PodReplacementPolicy': 'JobSpec.podReplacementPolicy',
  'v1.PodSELinuxChangePolicy': 'PodSecurityContext.seLinuxChangePolicy',
  'v1.PolicyType': 'NetworkPolicySpec.policyTypes',
  'v1.PreemptionPolicy': 'PodSpec.preemptionPolicy PriorityClass.preemptionPolicy',
  'v1.PriorityLevelEnablement': 'PriorityLevelConfigurationSpec.type',
  'v1.ProcMountType': 'SecurityContext.procMount',
  'v1.Protocol': 'ContainerPort.protocol EndpointPort.protocol NetworkPolicyPort.protocol ServicePort.protocol',
  'v1.PullPolicy': 'Container.imagePullPolicy EphemeralContainer.imagePullPolicy ImageVolumeSource.pullPolicy',
  'v1.RecursiveReadOnlyMode': 'VolumeMount.recursiveReadOnly',
  'v1.ReinvocationPolicyType': 'MutatingAdmissionPolicySpec.reinvocationPolicy MutatingWebhook.reinvocationPolicy',
  'v1.ResourceName': 'ContainerResizePolicy.resourceName ContainerResourceMetricSource.name ResourceMetricSource.name',
  'v1.ResourceQuotaScope': 'ResourceQuotaSpec.scopes ScopedResourceSelectorRequirement.scopeName',
  'v1.ResourceResizeRestartPolicy': 'ContainerResizePolicy.restartPolicy',
  'v1.ResourceScope': 'CustomResourceDefinitionSpec.scope',
  'v1.RestartPolicy': 'PodSpec.restartPolicy',
  'v1.ScopeSelectorOperator': 'ScopedResourceSelectorRequirement.operator',
  'v1.ScopeType': 'NamedRuleWithOperations.scope RuleWithOperations.scope',
  'v1.SeccompProfileType': 'SeccompProfile.type',
  'v1.SecretType': 'Secret.type',
  'v1.ServiceAffinity': 'ServiceSpec.sessionAffinity',
  'v1.ServiceExternalTrafficPolicy': 'ServiceSpec.externalTrafficPolicy',
  'v1.ServiceInternalTrafficPolicy': 'ServiceSpec.internalTrafficPolicy',
  'v1.ServiceType': 'ServiceSpec.type',
  'v1.SideEffectClass': 'MutatingWebhook.sideEffects ValidatingWebhook.sideEffects',
  'v1.Signal': 'Lifecycle.stopSignal',
  'v1.StatefulSetUpdateStrategyType': 'StatefulSetUpdateStrategy.type',
  'v1.StatusReason': 'Validation.reason',
  'v1.StorageMedium': 'EmptyDirVolumeSource.medium',
  'v1.SupplementalGroupsPolicy': 'PodSecurityContext.supplementalGroupsPolicy',
  'v1.TaintEffect': 'Taint.effect Toleration.effect',
  'v1.TerminationMessagePolicy': 'Container.terminationMessagePolicy EphemeralContainer.terminationMessagePolicy',
  'v1.TolerationOperator': 'Toleration.operator',
  'v1.URIScheme': 'HTTPGetAction.scheme',
  'v1.UnhealthyPodEvictionPolicyType': 'PodDisruptionBudgetSpec.unhealthyPodEvictionPolicy',
  'v1.UnsatisfiableConstraintAction': 'TopologySpreadConstraint.whenUnsatisfiable',
  'v1.ValidationAction': 'ValidatingAdmissionPolicyBindingSpec.validationActions',
  'v1.VolumeBindingMode': 'StorageClass.volumeBindingMode',
  'v1.VolumeLifecycleMode': 'CSIDriverSpec.volumeLifecycleModes',
  'v2.HPAScalingPolicyType': 'HPAScalingPolicy.type',
  'v2.MetricSourceType': 'MetricSpec.type',
  'v2.MetricTargetType': 'MetricTarget.type',
  'v2.ScalingPolicySelect': 'HPAScalingRules.selectPolicy',
};

/** Definition → [the struct embedded in it, its fields]; with `*` all but those named are of the embedded struct. */
const EMBEDDED: Readonly<Record<string, readonly [struct: string, fields: string]>> = {
  ConfigMapEnvSource: ['LocalObjectReference', 'name'],
  ConfigMapKeySelector: ['LocalObjectReference', 'name'],
  ConfigMapProjection: ['LocalObjectReference', 'name'],
  ConfigMapVolumeSource: ['LocalObjectReference', 'name'],
  SecretEnvSource: ['LocalObjectReference', 'name'],
  SecretKeySelector: ['LocalObjectReference', 'name'],
  SecretProjection: ['LocalObjectReference', 'name'],
  DeviceClaimConfiguration: ['DeviceConfiguration', 'opaque'],
  DeviceClassConfiguration: ['DeviceConfiguration', 'opaque'],
  EphemeralContainer: ['EphemeralContainerCommon', '* targetContainerName'],
  IngressRule: ['IngressRuleValue', 'http'],
  Probe: ['ProbeHandler', 'exec httpGet tcpSocket grpc'],
  RuleWithOperations: ['Rule', '* operations'],
  PersistentVolumeSpec: [
    'PersistentVolumeSource',
    '* accessModes capacity claimRef mountOptions nodeAffinity persistentVolumeReclaimPolicy storageClassName volumeAttributesClassName volumeMode',
  ],
  Volume: ['VolumeSource', '* name'],
};

const namedByField: ReadonlyMap<string, string> = new Map(
  Object.entries(NAMED).flatMap(([type, fields]) => fields.split(' ').map((field) => [field, type] as const)),
);

/** `v1.PullPolicy` for Container, imagePullPolicy. */
export const goTypeOfField = (definition: string, field: string): string | undefined =>
  namedByField.get(`${definition}.${field}`);

/** What stands before the field in a path: `VolumeSource.` for Volume, hostPath. */
export function embeddingOf(definition: string, field: string): string {
  if (definition === 'NamedRuleWithOperations') {
    if (field === 'resourceNames') return '';
    return `RuleWithOperations.${embeddingOf('RuleWithOperations', field)}`;
  }
  const [struct, fields] = EMBEDDED[definition] ?? ['', ''];
  if (struct === '') return '';
  const names = fields.split(' ');
  return names.includes(field) !== names.includes('*') ? `${struct}.` : '';
}
