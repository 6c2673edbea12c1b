import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { rebuild } from '#schema/decode.ts';
import type { Schema } from '#schema/types.ts';
import { builtinKinds } from './registry.ts';

// Lists and maps that upstream writes even when they were never set, as null: whoever reads them must bear that
// (`?? []`), although their types do not say so. A new row here means: look at its readers.
const NULLABLE = `
admissionregistration.v1.MutatingWebhook.admissionReviewVersions
admissionregistration.v1.ValidatingWebhook.admissionReviewVersions
apiextensions.v1.CustomResourceDefinitionSpec.versions
apiextensions.v1.CustomResourceDefinitionStatus.conditions
apiextensions.v1.CustomResourceDefinitionStatus.storedVersions
apiextensions.v1.WebhookConversion.conversionReviewVersions
authorization.v1.NonResourceRule.verbs
authorization.v1.ResourceRule.verbs
authorization.v1.SubjectRulesReviewStatus.nonResourceRules
authorization.v1.SubjectRulesReviewStatus.resourceRules
autoscaling.v2.HorizontalPodAutoscalerStatus.currentMetrics
batch.v1.PodFailurePolicy.rules
batch.v1.PodFailurePolicyOnExitCodesRequirement.values
batch.v1.SuccessPolicy.rules
core.v1.CephFSPersistentVolumeSource.monitors
core.v1.CephFSVolumeSource.monitors
core.v1.ContainerImage.names
core.v1.LimitRangeSpec.limits
core.v1.NodeAllocatableResourceClaimStatus.resources
core.v1.NodeSelector.nodeSelectorTerms
core.v1.PodExtendedResourceClaimStatus.requestMappings
core.v1.PodSpec.containers
core.v1.ProjectedVolumeSource.sources
core.v1.RBDPersistentVolumeSource.monitors
core.v1.RBDVolumeSource.monitors
core.v1.TopologySelectorLabelRequirement.values
discovery.v1.Endpoint.addresses
discovery.v1.EndpointSlice.endpoints
discovery.v1.EndpointSlice.ports
flowcontrol.v1.NonResourcePolicyRule.nonResourceURLs
flowcontrol.v1.NonResourcePolicyRule.verbs
flowcontrol.v1.PolicyRulesWithSubjects.subjects
flowcontrol.v1.ResourcePolicyRule.apiGroups
flowcontrol.v1.ResourcePolicyRule.namespaces
flowcontrol.v1.ResourcePolicyRule.resources
flowcontrol.v1.ResourcePolicyRule.verbs
networking.v1.HTTPIngressRuleValue.paths
rbac.v1.ClusterRole.rules
rbac.v1.PolicyRule.verbs
rbac.v1.Role.rules
resource.v1.AllocatedDeviceStatus.conditions
resource.v1.DeviceClaim.requests
storage.v1.CSINodeDriver.topologyKeys
storage.v1.CSINodeSpec.drivers
`;

function nullableOf(schema: Schema, seen: Set<Schema>, out: Set<string>): void {
  if (seen.has(schema)) return;
  seen.add(schema);
  if (schema.type === 'list') nullableOf(schema.items, seen, out);
  if (schema.type === 'map') nullableOf(schema.values, seen, out);
  if (schema.type !== 'object') return;
  for (const field of schema.fields) {
    if (field.emitEmpty === true && (field.schema.type === 'list' || field.schema.type === 'map'))
      out.add(`${schema.name!.split('.').slice(-3).join('.')}.${field.name}`);
    nullableOf(field.schema, seen, out);
  }
}

const served = builtinKinds().filter((k) => k.versions.some((v) => v.served));

describe('Lists that may be null', () => {
  it('are known', () => {
    const out = new Set<string>();
    const seen = new Set<Schema>();
    for (const kind of served) for (const v of kind.versions) if (v.served) nullableOf(v.schema, seen, out);
    assert.deepEqual([...out].sort(), NULLABLE.trim().split('\n'));
  });

  for (const kind of served) {
    it(`do not trouble the rules and columns of ${kind.group}/${kind.resource}`, () => {
      const { schema } = kind.versions.find((v) => v.version === kind.storageVersion)!;
      const bare = rebuild({ metadata: { name: 'a', namespace: 'b', uid: 'u' } }, kind.storedAs?.schema ?? schema);
      const { strategy } = kind;
      const context = { now: '2026-01-01T00:00:00Z', uid: () => 'u', user: { name: 'tester', groups: [] } };
      const object = strategy.default?.(bare as never) ?? (bare as never);
      const prepared = strategy.prepareForCreate?.(object, context) ?? object;
      // Nothing of this may throw; what the answers are is for the kinds' own tests.
      assert.ok(Array.isArray(strategy.validateCreate?.(prepared) ?? []));
      assert.ok(Array.isArray(strategy.validateUpdate?.(prepared, prepared) ?? []));
      assert.equal(kind.table.cells(prepared, 0).length, kind.table.columns.length);
    });
  }
});
