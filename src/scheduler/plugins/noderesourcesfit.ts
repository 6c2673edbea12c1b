// Requests must fit into what the node has left; of several nodes the emptier is better (LeastAllocated).
import type { Node } from '#generated/api/core-v1.ts';
import { type Plugin, type Rejection } from '../framework.ts';
import type { NodeInfo } from '../node-info.ts';
import type { PodInfo } from '../pod-info.ts';
import { type Resources, resourcesOf } from '../resources.ts';
import { MAX_SCORE } from './normalize.ts';

export const nodeResourcesFit: Plugin<unknown, true> = {
  name: 'NodeResourcesFit',
  interests: [
    { resource: 'AssignedPod', actions: ['Delete', 'Update'] },
    { resource: 'Node', actions: ['Add', 'Update'], helps: (pod, { object }) => couldFit(pod, object as Node) },
  ],
  filter: (_state, pod, node) => fits(pod, node),
  preScore: () => true,
  score: (_state, pod, node) => leastAllocated(pod, node),
};

/** Undefined when it fits; else everything that is short. */
export function fits({ requests }: PodInfo, node: NodeInfo): Rejection | undefined {
  let reasons: string[] | undefined;
  let resolvable = true;
  const { allocatable, requested } = node;
  const short = (name: string, wanted: number, used: number, total: number) => {
    if (wanted === 0 || wanted <= total - used) return;
    (reasons ??= []).push(name);
    // More than the empty node has: nobody's leaving helps.
    if (wanted > total) resolvable = false;
  };
  if (node.pods.length + 1 > node.allowedPods) (reasons ??= []).push('Too many pods');
  short('Insufficient cpu', requests.cpuMillis, requested.cpuMillis, allocatable.cpuMillis);
  short('Insufficient memory', requests.memoryBytes, requested.memoryBytes, allocatable.memoryBytes);
  short(
    'Insufficient ephemeral-storage',
    requests.ephemeralBytes,
    requested.ephemeralBytes,
    allocatable.ephemeralBytes,
  );
  for (const name in requests.others) {
    short(
      `Insufficient ${name}`,
      requests.others[name]!,
      requested.others?.[name] ?? 0,
      allocatable.others?.[name] ?? 0,
    );
  }
  return reasons === undefined ? undefined : { reasons, resolvable };
}

function couldFit({ requests }: PodInfo, node: Node): boolean {
  const total: Resources = resourcesOf(node.status?.allocatable);
  return requests.cpuMillis <= total.cpuMillis && requests.memoryBytes <= total.memoryBytes;
}

function leastAllocated({ scoringRequests }: PodInfo, { allocatable, scoringRequested }: NodeInfo): number {
  const part = (total: number, used: number) =>
    total === 0 || used > total ? 0 : Math.floor(((total - used) * MAX_SCORE) / total);
  const cpu = part(allocatable.cpuMillis, scoringRequested.cpuMillis + scoringRequests.cpuMillis);
  const memory = part(allocatable.memoryBytes, scoringRequested.memoryBytes + scoringRequests.memoryBytes);
  return Math.floor((cpu + memory) / 2);
}
