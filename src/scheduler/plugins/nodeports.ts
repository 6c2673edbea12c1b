// Two pods cannot hold the same host port on one node.
import { type Plugin, reject } from '../framework.ts';
import type { HostPort } from '../pod-info.ts';

const REJECTION = reject("node(s) didn't have free ports for the requested pod ports");

export const nodePorts: Plugin<true> = {
  name: 'NodePorts',
  interests: [
    { resource: 'AssignedPod', actions: ['Delete'] },
    { resource: 'Node', actions: ['Add', 'Update'] },
  ],
  preFilter: (pod) => (pod.hostPorts.length === 0 ? { skip: true } : { state: true }),
  filter: (_state, pod, node) =>
    node.pods.some((other) => other.hostPorts.some((held) => pod.hostPorts.some((wanted) => conflicts(held, wanted))))
      ? REJECTION
      : undefined,
};

const ANY = '0.0.0.0';
const conflicts = (a: HostPort, b: HostPort): boolean =>
  a.port === b.port && a.protocol === b.protocol && (a.ip === b.ip || a.ip === ANY || b.ip === ANY);
