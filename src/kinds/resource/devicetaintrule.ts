// DeviceTaintRule.
import type { DeviceTaintRule } from '#generated/api/resource-v1beta2.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';

export const deviceTaintRule: ResourceDefinition<DeviceTaintRule> = defineKind<DeviceTaintRule>({
  group: 'resource.k8s.io',
  resource: 'devicetaintrules',
});
