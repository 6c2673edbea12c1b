// The one list of scheduler plugins, in order: upstream's default profile. Filters run in this order and the first
// rejection counts, so cheap and decisive ones stand first, and what a pod is told is what upstream would tell it.
import type { Clock } from '#base/clock.ts';
import type { Client } from '#client/client.ts';
import type { ListedPlugin } from './framework.ts';
import type { Lister } from './lister.ts';
import type { NodeInfo } from './node-info.ts';
import { createDefaultBinder } from './plugins/defaultbinder.ts';
import { createDefaultPreemption } from './plugins/defaultpreemption.ts';
import { imageLocality } from './plugins/imagelocality.ts';
import { createInterPodAffinity } from './plugins/interpodaffinity.ts';
import { nodeAffinity } from './plugins/nodeaffinity.ts';
import { nodeName } from './plugins/nodename.ts';
import { nodePorts } from './plugins/nodeports.ts';
import { nodeResourcesBalancedAllocation } from './plugins/noderesourcesbalancedallocation.ts';
import { nodeResourcesFit } from './plugins/noderesourcesfit.ts';
import { nodeUnschedulable } from './plugins/nodeunschedulable.ts';
import { createNodeVolumeLimits } from './plugins/nodevolumelimits.ts';
import { createPodTopologySpread } from './plugins/podtopologyspread.ts';
import { prioritySort } from './plugins/prioritysort.ts';
import { schedulingGates } from './plugins/schedulinggates.ts';
import { taintToleration } from './plugins/tainttoleration.ts';
import { createVolumeBinding } from './plugins/volumebinding.ts';
import { createVolumeRestrictions } from './plugins/volumerestrictions.ts';
import { createVolumeZone } from './plugins/volumezone.ts';

export interface PluginDeps {
  readonly lister: Lister;
  readonly client: Client;
  readonly clock: Clock;
  readonly onClaimChange: (handler: () => void) => () => void;
  readonly node: (name: string) => NodeInfo | undefined;
}

export function createPlugins(deps: PluginDeps): readonly ListedPlugin[] {
  const { lister, client } = deps;
  const list: readonly ListedPlugin[] = [
    // Gates decide before the queue does anything.
    { plugin: schedulingGates, weight: 0 },
    { plugin: prioritySort, weight: 0 },
    // Facts of the node alone, cheapest first.
    { plugin: nodeUnschedulable, weight: 0 },
    { plugin: nodeName, weight: 0 },
    // Weight 3: preferring untainted nodes stands above all other preferences.
    { plugin: taintToleration, weight: 3 },
    // Weight 2: what users ask for stands above what the plugins below think best.
    { plugin: nodeAffinity, weight: 2 },
    { plugin: nodePorts, weight: 0 },
    { plugin: nodeResourcesFit, weight: 1 },
    // Volumes look at several objects a claim.
    { plugin: createVolumeRestrictions(lister), weight: 0 },
    { plugin: createNodeVolumeLimits(lister), weight: 0 },
    { plugin: createVolumeBinding(deps), weight: 0 },
    { plugin: createVolumeZone(lister), weight: 0 },
    // These look at the pods of all nodes. Weight 2: users ask for them.
    { plugin: createPodTopologySpread(lister), weight: 2 },
    { plugin: createInterPodAffinity(lister), weight: 2 },
    { plugin: createDefaultPreemption(lister, () => list), weight: 0 },
    { plugin: nodeResourcesBalancedAllocation, weight: 1 },
    { plugin: imageLocality, weight: 1 },
    { plugin: createDefaultBinder(client), weight: 0 },
  ];
  return list;
}
