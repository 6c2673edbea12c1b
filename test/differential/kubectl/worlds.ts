// The two clusters that scripts run on: the original's control plane and Coracle's own, both with hollow nodes of the same names and
// sizes, since what kubectl shows of pods needs somebody who plays them.
import { readFileSync } from 'node:fs';
import { SystemClock } from '#base/clock.ts';
import { startAll, stopAll } from '#base/lifecycle.ts';
import { silentLog } from '#base/log.ts';
import { SystemRandom } from '#base/random.ts';
import { ALL_AUTHENTICATED, NODE_USER_PREFIX, NODES_GROUP } from '#apiserver/authentication/users.ts';
import { createHttpsTransport } from '#client/transports/https.ts';
import type { Transport } from '#client/transports/transport.ts';
import { TestCluster } from '#test/e2e/cluster.ts';
import { type Reference, startReference } from '#test/reference/control-plane.ts';
import { hollowNode } from '#test/simulation/node.ts';
import type { DiffServer } from '../engine/server.ts';

export interface World extends DiffServer {
  /** Text of a kubeconfig of kubernetes-admin. */
  readonly kubeconfig: string;
}

const NODES = ['node-1', 'node-2', 'node-3'];
/** Where nobody answers: nothing is asked of these nodes. */
const NODE_IP = '192.0.2.11';
const SHAPE = { cpus: '4', memory: '8Gi' };

export async function startCoracleWorld(): Promise<World> {
  const { cluster } = await TestCluster.up([
    '--hollow',
    `--nodes=${NODES.length}`,
    `--node-cpus=${SHAPE.cpus}`,
    `--node-memory=${SHAPE.memory}`,
    '--no-examples',
    // Parts that the original's control plane does not have.
    '--disable=ingress,metrics,loadbalancer',
  ]);
  return {
    name: 'coracle',
    url: `https://127.0.0.1:${cluster.port}`,
    ca: '',
    token: '',
    kubeconfig: readFileSync(cluster.kubeconfig, 'utf8'),
    stop: () => cluster.down(),
  };
}

export async function startReferenceWorld(log?: (line: string) => void): Promise<World> {
  const reference = await startReference({
    controllers: true,
    scheduler: true,
    controllerArgs: [
      '--allocate-node-cidrs=true',
      '--cluster-cidr=10.244.0.0/16',
      '--service-cluster-ip-range=10.96.0.0/12',
    ],
    ...(log === undefined ? {} : { log }),
  });
  const stopNodes = await startNodes(reference);
  return {
    name: 'reference',
    url: reference.url,
    ca: reference.ca,
    token: reference.token,
    kubeconfig: readFileSync(reference.kubeconfig, 'utf8'),
    stop: async () => {
      await stopNodes();
      await reference.stop();
    },
  };
}

/** Our hollow nodes on a foreign control plane. */
async function startNodes(reference: Reference): Promise<() => Promise<void>> {
  const clock = new SystemClock();
  const admin = createHttpsTransport({ server: reference.url, ca: reference.ca, token: reference.token, clock });
  const groups = [NODES_GROUP, ALL_AUTHENTICATED];
  const parts = NODES.flatMap((name) =>
    hollowNode(name, NODE_IP, SHAPE, {
      links: { kubelet: actingAs(admin, `${NODE_USER_PREFIX}${name}`, groups), agent: admin },
      clock,
      random: new SystemRandom(),
      log: silentLog,
    }),
  );
  await startAll(parts, new AbortController().signal);
  return async () => {
    await stopAll(parts);
    await admin.close();
  };
}

/** Node's client sends a header of several values as so many headers. */
function actingAs(transport: Transport, user: string, groups: readonly string[]): Transport {
  const headers = { 'impersonate-user': user, 'impersonate-group': groups as unknown as string };
  return {
    request: (request) => transport.request({ ...request, headers: { ...request.headers, ...headers } }),
    close: async () => undefined,
  };
}
