// Controllers and scheduler over any transport: the wiring that the control thread and the simulation share.
import { scheduling } from './scheduling.ts';
import type { Clock } from '#base/clock.ts';
import type { Component } from '#base/lifecycle.ts';
import type { Log } from '#base/log.ts';
import type { MetricsRegistry } from '#base/metrics.ts';
import type { Random } from '#base/random.ts';
import type { Client } from '#client/client.ts';
import { QueuedEventRecorder } from '#client/events.ts';
import { createInformers } from '#client/informers.ts';
import { createClient } from '#client/rest-client.ts';
import type { Transport } from '#client/transports/transport.ts';
import { createControllers } from '#controllers/controllers.ts';

export interface ControlOptions {
  readonly podCIDR: string;
  /** A range of the other family, of which every node takes a part as well. */
  readonly secondaryPodCIDR?: string;
  /** PEM, published to every namespace. */
  readonly rootCa: string;
  /** Where addresses of load balancers are taken from, one range a family. */
  readonly loadBalancerRanges?: readonly string[];
  /** `scheduler`, `controllers`. */
  readonly disabled: readonly string[];
}

export interface ControlDeps {
  /** Acts as a member of system:masters; every component impersonates its own identity over it. */
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
  /** Objects are frozen deeply, so that whoever changes one fails: tests and simulation. */
  readonly freeze?: boolean;
}

/** Every node gets one range of this many bits. */
const NODE_CIDR_BITS = 24;

/** The parts in the order to start them. */
export function createControl(options: ControlOptions, deps: ControlDeps): readonly Component[] {
  const { clock, random, log, metrics, freeze = false } = deps;
  const parts: Component[] = [];
  const clientOf = (user: string, agent: string): Client =>
    createClient({ transport: actingAs(deps.transport, user), clock, userAgent: agent, freeze });
  const recorderOf = (client: Client, component: string) => {
    const recorder = new QueuedEventRecorder({ client, clock, random, log }, { component });
    parts.push(recorder);
    return recorder;
  };
  if (!options.disabled.includes('controllers')) {
    const shared = clientOf('system:kube-controller-manager', 'kube-controller-manager');
    const informers = createInformers({ client: shared, clock, random, log }, { freeze });
    // The controllers start them and leave them running: they are stopped behind them.
    parts.push({ name: 'controller-informers', start: async () => {}, stop: () => informers.stop() });
    const serviceAccount = (identity: string): Client =>
      clientOf(`system:serviceaccount:kube-system:${identity}`, `kube-controller-manager/${identity}`);
    parts.push(
      createControllers({
        clientFor: serviceAccount,
        eventsFor: (identity, source = identity) => recorderOf(serviceAccount(identity), source),
        informers,
        clock,
        random,
        log,
        metrics,
        options: {
          clusterCidrs: [options.podCIDR, options.secondaryPodCIDR ?? []].flat(),
          nodeCidrMaskSize: NODE_CIDR_BITS,
          rootCa: options.rootCa,
          loadBalancerRanges: options.loadBalancerRanges ?? [],
        },
        disabled: new Set(options.disabled.includes('ingress') ? ['ingress-controller'] : []),
      }),
    );
  }
  if (!options.disabled.includes('scheduler')) {
    const client = clientOf('system:kube-scheduler', 'kube-scheduler');
    parts.push(
      scheduling({ client, events: recorderOf(client, 'default-scheduler'), clock, random, log, metrics, freeze }),
    );
  }
  return parts;
}

/** A transport whose requests are made as somebody else: impersonation, checked and audited like anybody's. */
export function actingAs(transport: Transport, user: string): Transport {
  const headers = { 'impersonate-user': user };
  return {
    request: (request) => transport.request({ ...request, headers: { ...request.headers, ...headers } }),
    close: () => transport.close(),
  };
}
