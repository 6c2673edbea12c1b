// Whether a pod bound to this node fits on it beside those it has taken: the scheduler has looked before, but others bind pods too,
// and two of its decisions may have met. Upstream's general predicates. Pure.
import type { ContainerPort, Pod } from '#generated/api/core-v1.ts';
import { type Allocatable, shortage, shortageText } from '../resize/resize.ts';
import type { Refusal } from './admission.ts';
import { initContainers, isSidecar, mainContainers } from './containers.ts';

/** `others` are the pods this node has taken, with what they were given. */
export function refuseUnfit(pod: Pod, others: readonly Pod[], node: Allocatable): Refusal | undefined {
  const short = shortage(pod, others, node);
  if (short !== undefined) return { reason: `OutOf${short.resource}`, message: shortageText(short) };
  const wanted = hostPorts(pod);
  if (wanted.length > 0 && others.some((o) => hostPorts(o).some((held) => wanted.some((w) => conflict(held, w)))))
    return {
      reason: 'NodePorts',
      message: "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
    };
  return undefined;
}

const hostPorts = (pod: Pod): readonly ContainerPort[] =>
  [...mainContainers(pod), ...initContainers(pod).filter(isSidecar)]
    .flatMap((c) => c.ports ?? [])
    .filter((p) => (p.hostPort ?? 0) > 0);

const anyAddress = (ip: string | undefined): boolean =>
  ip === undefined || ip === '' || ip === '0.0.0.0' || ip === '::';

const conflict = (a: ContainerPort, b: ContainerPort): boolean =>
  a.hostPort === b.hostPort &&
  (a.protocol ?? 'TCP') === (b.protocol ?? 'TCP') &&
  (a.hostIP === b.hostIP || anyAddress(a.hostIP) || anyAddress(b.hostIP));
