// Keeps the number of pods that a ReplicationController asks for: the ReplicaSet's reconciler, with a selector of labels alone.
// Upstream: pkg/controller/replication.
import type { ReplicationController } from '#generated/api/core-v1.ts';
import { replicationcontrollers } from '#generated/resources.ts';
import { buildReplicated, type ReplicatedKind } from './replicaset.ts';
import type { ControllerDefinition } from './runtime/controller.ts';

const REPLICATION_CONTROLLERS: ReplicatedKind<ReplicationController> = {
  resource: replicationcontrollers,
  selector: (rc) => ({ matchLabels: rc.spec?.selector ?? {} }),
  countsTerminating: false,
};

export const replicationController: ControllerDefinition = {
  name: 'replicationcontroller-controller',
  identity: 'replication-controller',
  build: (deps) => buildReplicated(deps, REPLICATION_CONTROLLERS),
};
