// Where built-in groups and versions stand in discovery: upstream's numbers, which their APIServices show too.

export interface Priority {
  /** spec.groupPriorityMinimum: the highest of a group's counts. */
  readonly group: number;
  /** spec.versionPriority */
  readonly version: number;
}

/** Group → its priority and that of each version. */
const BUILT_IN: Readonly<Record<string, readonly [number, Readonly<Record<string, number>>]>> = {
  '': [18_000, { v1: 1 }],
  apps: [17_800, { v1: 15 }],
  'events.k8s.io': [17_750, { v1: 15, v1beta1: 5 }],
  'authentication.k8s.io': [17_700, { v1: 15, v1beta1: 9, v1alpha1: 1 }],
  'authorization.k8s.io': [17_600, { v1: 15 }],
  autoscaling: [17_500, { v1: 15, v2: 30 }],
  batch: [17_400, { v1: 15, v1beta1: 9 }],
  'certificates.k8s.io': [17_300, { v1: 15, v1beta1: 9, v1alpha1: 1 }],
  'networking.k8s.io': [17_200, { v1: 15, v1beta1: 9 }],
  policy: [17_100, { v1: 15, v1beta1: 9 }],
  'rbac.authorization.k8s.io': [17_000, { v1: 15 }],
  'storage.k8s.io': [16_800, { v1: 15, v1beta1: 9, v1alpha1: 1 }],
  'apiextensions.k8s.io': [16_700, { v1: 15 }],
  'admissionregistration.k8s.io': [16_700, { v1: 15, v1beta1: 12, v1alpha1: 9 }],
  'scheduling.k8s.io': [16_600, { v1: 15, v1alpha2: 2 }],
  'coordination.k8s.io': [16_500, { v1: 15, v1beta1: 13, v1alpha2: 12 }],
  'node.k8s.io': [16_300, { v1: 15, v1beta1: 9, v1alpha1: 1 }],
  'discovery.k8s.io': [16_200, { v1: 15, v1beta1: 12 }],
  'resource.k8s.io': [16_200, { v1: 21, v1beta2: 15, v1beta1: 9, v1alpha3: 1 }],
  'flowcontrol.apiserver.k8s.io': [16_100, { v1: 21, v1beta3: 18, v1beta2: 15, v1beta1: 12, v1alpha1: 9 }],
  'internal.apiserver.k8s.io': [16_000, { v1alpha1: 9 }],
  'storagemigration.k8s.io': [15_800, { v1beta1: 9 }],
};

/** Groups and versions of CustomResourceDefinitions. */
export const CUSTOM: Priority = { group: 1_000, version: 100 };
/** The group that APIServices themselves are in comes before all others and has no APIService. */
const FIRST: Priority = { group: 20_001, version: 1 };
/** What metrics-server asks for: the built-in metrics API stands where it would. */
const METRICS: Priority = { group: 100, version: 100 };

export function builtInPriority(group: string, version: string): Priority | undefined {
  const [groupPriority, versions] = BUILT_IN[group] ?? [];
  const versionPriority = versions?.[version];
  return groupPriority === undefined || versionPriority === undefined
    ? undefined
    : { group: groupPriority, version: versionPriority };
}

/** Of anything that this server answers itself. */
export function localPriority(group: string, version: string): Priority {
  if (group === 'apiregistration.k8s.io') return FIRST;
  if (group === 'metrics.k8s.io') return METRICS;
  return builtInPriority(group, version) ?? CUSTOM;
}
