// The one list of controllers, in the order they start, and the component that runs them.
import type { Clock } from '#base/clock.ts';
import { type Component, startAll, stopAll } from '#base/lifecycle.ts';
import type { Log } from '#base/log.ts';
import type { MetricsRegistry } from '#base/metrics.ts';
import type { Random } from '#base/random.ts';
import type { Client, EventRecorder, Informers } from '#client/client.ts';
import { attachDetachController } from './attachdetach.ts';
import { clusterRoleAggregationController } from './clusterrole-aggregation.ts';
import { cronJobController } from './cronjob/cronjob.ts';
import { nodeIpamController } from './node-ipam.ts';
import { nodeLifecycleController } from './node-lifecycle/node-lifecycle.ts';
import { persistentVolumeBinder } from './persistentvolume/binder.ts';
import { podGarbageCollector } from './podgc.ts';
import { pvProtectionController } from './pv-protection.ts';
import { pvcProtectionController } from './pvc-protection.ts';
import { taintEvictionController } from './taint-eviction.ts';
import { volumeProvisioner } from './volume-provisioner.ts';
import { daemonSetController } from './daemonset/daemonset.ts';
import { deploymentController } from './deployment/deployment.ts';
import { disruptionController } from './disruption/disruption.ts';
import { endpointsController } from './endpoints.ts';
import { endpointSliceController } from './endpointslice/endpointslice.ts';
import { endpointSliceMirroringController } from './endpointslicemirroring.ts';
import { garbageCollector } from './garbagecollector.ts';
import { jobController } from './job/job.ts';
import { ingressController } from './ingress.ts';
import { horizontalPodAutoscalerController } from './horizontalpodautoscaler/horizontalpodautoscaler.ts';
import { namespaceController } from './namespace.ts';
import { replicaSetController } from './replicaset.ts';
import { replicationController } from './replicationcontroller.ts';
import { rootCaCertPublisher } from './root-ca-cert-publisher.ts';
import { Controller, type ControllerDefinition, type ControllerOptions } from './runtime/controller.ts';
import { serviceLoadBalancerController } from './service-lb.ts';
import { serviceAccountController } from './serviceaccount.ts';
import { statefulSetController } from './statefulset/statefulset.ts';
import { ttlAfterFinishedController } from './ttl-after-finished.ts';
import { vacProtectionController } from './vac-protection.ts';

/** What each row waits for stands above it. Level-triggered controllers need no order; it only makes a fresh cluster settle sooner. */
export const controllers: readonly ControllerDefinition[] = [
  // Every pod needs its namespace's account and certificate authority.
  serviceAccountController,
  rootCaCertPublisher,
  // Rights that others act by.
  clusterRoleAggregationController,
  // Nodes become usable: addresses, then taints lifted.
  nodeIpamController,
  nodeLifecycleController,
  taintEvictionController,
  // Owners before what they own.
  deploymentController,
  replicaSetController,
  replicationController,
  statefulSetController,
  cronJobController,
  jobController,
  daemonSetController,
  disruptionController,
  // Behind those that own what it scales.
  horizontalPodAutoscalerController,
  // What makes pods reachable.
  endpointSliceController,
  endpointSliceMirroringController,
  endpointsController,
  serviceLoadBalancerController,
  // After it: its Service wants an address from there.
  ingressController,
  // Volumes, in the order a claim meets them.
  persistentVolumeBinder,
  volumeProvisioner,
  attachDetachController,
  pvcProtectionController,
  pvProtectionController,
  vacProtectionController,
  // Clearing up last: it needs to know most.
  ttlAfterFinishedController,
  podGarbageCollector,
  namespaceController,
  garbageCollector,
];

export interface ControllersDeps {
  /** A client that acts as `system:serviceaccount:kube-system:<identity>`. */
  readonly clientFor: (identity: string) => Client;
  /** Records events with the controller's name as their source. */
  readonly eventsFor: (identity: string, source?: string) => EventRecorder;
  readonly informers: Informers;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
  readonly options: ControllerOptions;
  /** Names of controllers that do not run (`--disable`). */
  readonly disabled?: ReadonlySet<string>;
}

/**
 * All controllers as one component. Informers are started here and left running at stop: others may share them. For leader
 * election make a new one each time the Lease is won, and stop it when it is lost.
 */
export function createControllers(deps: ControllersDeps): Component {
  checkList(controllers, deps.disabled ?? new Set());
  let running: readonly Controller[] = [];
  return {
    name: 'controllers',
    async start(signal) {
      running = controllers
        .filter((c) => !deps.disabled?.has(c.name))
        .map(
          (c) =>
            new Controller(c, {
              ...deps,
              client: deps.clientFor(c.identity),
              events: deps.eventsFor(c.identity, c.eventSource),
            }),
        );
      await deps.informers.start(signal);
      await startAll(running, signal);
    },
    async stop() {
      const stopping = running;
      running = [];
      await stopAll(stopping);
    },
  };
}

/** Throws when names repeat, or when an unknown controller is to be disabled. */
export function checkList(list: readonly ControllerDefinition[], disabled: ReadonlySet<string>): void {
  const names = new Set<string>();
  for (const { name } of list) {
    if (names.has(name)) throw new Error(`two controllers are called ${name}`);
    names.add(name);
  }
  const unknown = [...disabled].filter((name) => !names.has(name));
  if (unknown.length > 0)
    throw new Error(`no controller is called ${unknown.join(', ')}; there are ${[...names].join(', ')}`);
}
