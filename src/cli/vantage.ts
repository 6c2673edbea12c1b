// The explainer's eyes and hands for a cluster that a command has access to: probes from laptop, nodes and pods, and facts of nodes.
import { SystemRandom } from '#base/random.ts';
import { openExec } from '#client/transports/streaming.ts';
import { localProbeDeps } from '#cluster/probe-deps.ts';
import type { NodeSight } from '#why/node/facts.ts';
import { hiddenNodes, ProxiedNodeSight } from '#why/node/node-sight.ts';
import { AgentProber } from '#why/probe/agent-prober.ts';
import { ChosenProber } from '#why/probe/chosen-prober.ts';
import { ExecProber } from '#why/probe/exec-prober.ts';
import { LaptopProber } from '#why/probe/laptop-prober.ts';
import type { Prober } from '#why/probe/result.ts';
import { clock } from './context.ts';
import type { Access } from './kube-access.ts';

export interface VantageOptions {
  /** As on a cluster that is not Coracle's: for tests of what is left then. */
  readonly hideNodes?: boolean;
  /** --debug-pod: image of the ephemeral container that probes where the pod's own containers have nothing to probe with. */
  readonly debugImage?: string;
}

/** Of images that most registries mirror the smallest with sh and nc; the cluster's own example images have it. */
export const DEFAULT_DEBUG_IMAGE = 'docker.io/library/busybox:1.35';

export interface VantageKit {
  readonly prober: Prober;
  readonly sight: NodeSight;
  /** Ends what probes have added to the cluster. */
  close(): Promise<void>;
}

export function vantageKit({ client, transport }: Access, { hideNodes, debugImage }: VantageOptions = {}): VantageKit {
  const local = localProbeDeps(clock);
  const exec = new ExecProber({
    client,
    clock,
    random: new SystemRandom(),
    open: (namespace, pod, container, command) => openExec(transport, { namespace, pod, container }, command),
    local: local.sockets,
    ...(debugImage === undefined ? {} : { debugImage }),
  });
  const laptop = new LaptopProber(local);
  const agent = hideNodes === true ? {} : { agent: new AgentProber(client) };
  return {
    prober: new ChosenProber({ laptop, exec, ...agent }),
    sight: hideNodes === true ? hiddenNodes : new ProxiedNodeSight(client),
    close: () => exec.close(),
  };
}
