import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Affinity, Node, PersistentVolume, PersistentVolumeClaim, Pod } from '#generated/api/core-v1.ts';
import { SteppedClock } from '#base/clock.ts';
import { SeededRandom } from '#base/random.ts';
import { createClient } from '#client/rest-client.ts';
import { TestApi } from '#client/testing.ts';
import { createInProcessTransport } from '#client/transports/in-process.ts';
import { matcherOfMap } from '#machinery/selectors.ts';
import { snapshotOf } from './cache.ts';
import { formatFailure } from './diagnosis.ts';
import { makeNodeInfo } from './node-info.ts';
import { makePodInfo } from './pod-info.ts';
import { createPlugins } from './plugins.ts';
import { feasibleNodesToFind, schedule } from './schedule.ts';
import { type ListerParts, listerOf, makeNode, makePod } from './testing.ts';

interface Where {
  readonly pod: Pod;
  readonly nodes: readonly Node[];
  /** Node → pods on it. */
  readonly on?: Readonly<Record<string, readonly Pod[]>>;
  readonly lister?: ListerParts;
  readonly seed?: number;
}

/** The node the pod lands on, or the message it gets; and who must go for it. */
function place({ pod, nodes, on = {}, lister = {}, seed = 1 }: Where): {
  node?: string;
  message?: string;
  victims?: readonly string[];
} {
  const clock = new SteppedClock();
  const client = createClient({
    transport: createInProcessTransport(new TestApi().exchange, { name: 't', groups: [] }),
    clock,
    userAgent: 'test',
  });
  const infos = nodes.map((n) => makeNodeInfo(n, (on[n.metadata.name!] ?? []).map(makePodInfo)));
  const snapshot = snapshotOf(infos);
  const plugins = createPlugins({
    lister: listerOf(lister),
    client,
    clock,
    onClaimChange: () => () => {},
    node: (name) => snapshot.get(name),
  });
  const info = makePodInfo(pod);
  const decision = schedule(info, snapshot, { plugins, random: new SeededRandom(seed), start: 0 });
  if (decision.kind === 'placed') return { node: decision.node };
  const results = plugins.flatMap(({ plugin }) => plugin.postFilter?.(info, snapshot, decision.failure) ?? []);
  const victims = results.find((r) => r.nominate !== undefined)?.nominate;
  if (victims !== undefined) return { node: victims.node, victims: victims.victims.map((v) => v.pod.metadata.name!) };
  return { message: formatFailure(decision.failure, results.map((r) => r.message).join(', ')) };
}

const three = [makeNode({ name: 'a' }), makeNode({ name: 'b' }), makeNode({ name: 'c' })];
const zoned = [
  makeNode({ name: 'a1', labels: { 'topology.kubernetes.io/zone': 'a' } }),
  makeNode({ name: 'a2', labels: { 'topology.kubernetes.io/zone': 'a' } }),
  makeNode({ name: 'b1', labels: { 'topology.kubernetes.io/zone': 'b' } }),
];
const noVictims = (n: number, of = n) =>
  `preemption: 0/${of} nodes are available: ${n} No preemption victims found for incoming pod.`;
const notHelpful = (n: number) =>
  `preemption: 0/${n} nodes are available: ${n} Preemption is not helpful for scheduling.`;
const web = { app: 'web' };
const podTerm = (topologyKey: string, labels: Record<string, string> = web) => ({
  topologyKey,
  labelSelector: { matchLabels: labels },
});
const nodeTerm = (key: string, operator: string, ...values: string[]) => ({
  matchExpressions: [{ key, operator, values }],
});
const required = (...nodeSelectorTerms: ReturnType<typeof nodeTerm>[]): Affinity => ({
  nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } },
});

const claim = (
  name: string,
  parts: Partial<PersistentVolumeClaim['spec']> = {},
  bound = false,
): PersistentVolumeClaim => ({
  metadata: { namespace: 'default', name, uid: `uid-${name}` },
  spec: {
    accessModes: ['ReadWriteOnce'],
    storageClassName: 'late',
    resources: { requests: { storage: '1Gi' } },
    ...parts,
  },
  status: { phase: bound ? 'Bound' : 'Pending' },
});
const volume = (name: string, size: string, node?: string): PersistentVolume => ({
  metadata: { name },
  spec: {
    storageClassName: 'late',
    capacity: { storage: size },
    accessModes: ['ReadWriteOnce'],
    ...(node === undefined
      ? {}
      : { nodeAffinity: { required: { nodeSelectorTerms: [nodeTerm('kubernetes.io/hostname', 'In', node)] } } }),
  },
  status: { phase: 'Available' },
});
const late = (
  provisioner: string,
  allowedTopologies?: { matchLabelExpressions: { key: string; values: string[] }[] }[],
) => ({
  metadata: { name: 'late' },
  provisioner,
  volumeBindingMode: 'WaitForFirstConsumer',
  ...(allowedTopologies === undefined ? {} : { allowedTopologies }),
});

type Case = [condition: string, where: Where, expected: ReturnType<typeof place>];

const suites: Record<string, Case[]> = {
  NodeResourcesFit: [
    [
      'only one node has the memory',
      {
        pod: makePod({ memory: '6Gi' }),
        nodes: [makeNode({ name: 'small', memory: '4Gi' }), makeNode({ name: 'large' })],
      },
      { node: 'large' },
    ],
    [
      'nobody has it',
      { pod: makePod({ memory: '64Gi', cpu: '100' }), nodes: three },
      { message: `0/3 nodes are available: 3 Insufficient cpu, 3 Insufficient memory. ${notHelpful(3)}` },
    ],
    [
      'everything is used',
      { pod: makePod({ cpu: '3' }), nodes: [three[0]!], on: { a: [makePod({ cpu: '2' })] } },
      { message: `0/1 nodes are available: 1 Insufficient cpu. ${noVictims(1)}` },
    ],
    [
      'the node is full of pods',
      { pod: makePod(), nodes: [makeNode({ name: 'a', pods: '1' })], on: { a: [makePod({ name: 'x' })] } },
      { message: `0/1 nodes are available: 1 Too many pods. ${noVictims(1)}` },
    ],
    [
      'an extended resource is missing',
      {
        pod: makePod({ containers: [{ name: 'c', resources: { requests: { 'example.com/gpu': '1' } } }] }),
        nodes: [three[0]!, makeNode({ name: 'g', resources: { 'example.com/gpu': '2' } })],
      },
      { node: 'g' },
    ],
    [
      'a node is emptier',
      {
        pod: makePod({ cpu: '1', memory: '1Gi' }),
        nodes: three,
        on: {
          a: [makePod({ name: 'x', cpu: '2', memory: '4Gi' })],
          c: [makePod({ name: 'y', cpu: '1', memory: '2Gi' })],
        },
      },
      { node: 'b' },
    ],
    [
      'an init container needs more than the containers',
      { pod: makePod({ initContainers: [{ name: 'i', resources: { requests: { cpu: '5' } } }] }), nodes: [three[0]!] },
      { message: `0/1 nodes are available: 1 Insufficient cpu. ${notHelpful(1)}` },
    ],
  ],
  TaintToleration: [
    [
      "the article's message is asked for",
      {
        pod: makePod({ memory: '6Gi' }),
        nodes: [
          makeNode({ name: 'a', memory: '4Gi' }),
          makeNode({ name: 'b', taints: [{ key: 'k', effect: 'NoSchedule' }] }),
          makeNode({ name: 'c', taints: [{ key: 'k', effect: 'NoExecute' }] }),
        ],
      },
      {
        message:
          '0/3 nodes are available: 1 Insufficient memory, 2 node(s) had untolerated taint(s). preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.',
      },
    ],
    [
      'the pod tolerates',
      {
        pod: makePod({ tolerations: [{ key: 'k', operator: 'Exists' }] }),
        nodes: [makeNode({ name: 'a', taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }] })],
      },
      { node: 'a' },
    ],
    [
      'a node would rather not',
      {
        pod: makePod(),
        nodes: [
          makeNode({ name: 'a', taints: [{ key: 'k', effect: 'PreferNoSchedule' }] }),
          makeNode({ name: 'b', cpu: '2' }),
        ],
      },
      { node: 'b' },
    ],
  ],
  NodeName: [
    ['a node is named', { pod: makePod({ nodeName: 'b' }), nodes: three }, { node: 'b' }],
    [
      'the named node is not there',
      { pod: makePod({ nodeName: 'z' }), nodes: three },
      { message: `0/3 nodes are available: 3 node(s) didn't match the requested node name. ${notHelpful(3)}` },
    ],
  ],
  NodeUnschedulable: [
    [
      'a node is cordoned',
      { pod: makePod(), nodes: [makeNode({ name: 'a', unschedulable: true })] },
      { message: `0/1 nodes are available: 1 node(s) were unschedulable. ${notHelpful(1)}` },
    ],
    [
      'the pod tolerates it',
      {
        pod: makePod({ tolerations: [{ operator: 'Exists' }] }),
        nodes: [makeNode({ name: 'a', unschedulable: true })],
      },
      { node: 'a' },
    ],
  ],
  NodeAffinity: [
    [
      'nodeSelector matches one',
      {
        pod: makePod({ nodeSelector: { disk: 'ssd' } }),
        nodes: [three[0]!, makeNode({ name: 's', labels: { disk: 'ssd' } })],
      },
      { node: 's' },
    ],
    [
      'nothing matches',
      { pod: makePod({ nodeSelector: { disk: 'ssd' } }), nodes: three },
      { message: `0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector. ${notHelpful(3)}` },
    ],
    [
      'terms are alternatives',
      {
        pod: makePod({ affinity: required(nodeTerm('x', 'Exists'), nodeTerm('kubernetes.io/hostname', 'In', 'c')) }),
        nodes: three,
      },
      { node: 'c' },
    ],
    [
      'Gt compares numbers',
      {
        pod: makePod({ affinity: required(nodeTerm('gen', 'Gt', '9')) }),
        nodes: [makeNode({ name: 'old', labels: { gen: '2' } }), makeNode({ name: 'new', labels: { gen: '10' } })],
      },
      { node: 'new' },
    ],
    [
      'a preferred term outweighs an emptier node',
      {
        pod: makePod({
          affinity: {
            nodeAffinity: {
              preferredDuringSchedulingIgnoredDuringExecution: [
                { weight: 1, preference: nodeTerm('disk', 'In', 'ssd') },
              ],
            },
          },
        }),
        nodes: [three[0]!, makeNode({ name: 's', labels: { disk: 'ssd' } })],
        on: { s: [makePod({ name: 'x', cpu: '1', memory: '2Gi' })] },
      },
      { node: 's' },
    ],
    [
      'the named node has no room (a DaemonSet pod)',
      {
        pod: makePod({
          cpu: '9',
          affinity: {
            nodeAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: {
                nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['b'] }] }],
              },
            },
          },
        }),
        nodes: three,
      },
      {
        message: `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) [NodeAffinity]. ${notHelpful(3)}`,
      },
    ],
  ],
  NodePorts: [
    [
      'the port is held',
      {
        pod: makePod({ hostPort: 80 }),
        nodes: [three[0]!, three[1]!],
        on: { a: [makePod({ name: 'x', hostPort: 80 })] },
      },
      { node: 'b' },
    ],
    [
      'it is held everywhere',
      { pod: makePod({ hostPort: 80 }), nodes: [three[0]!], on: { a: [makePod({ name: 'x', hostPort: 80 })] } },
      {
        message: `0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports. ${noVictims(1)}`,
      },
    ],
  ],
  ImageLocality: [
    [
      'one node has the large image',
      {
        pod: makePod({ image: 'big' }),
        nodes: [three[0]!, makeNode({ name: 'has', images: { 'big:latest': 2_000_000_000 } })],
      },
      { node: 'has' },
    ],
  ],
  InterPodAffinity: [
    [
      'it wants to be in the zone of its friend',
      {
        pod: makePod({
          affinity: {
            podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [podTerm('topology.kubernetes.io/zone')] },
          },
        }),
        nodes: zoned,
        on: { b1: [makePod({ name: 'w', labels: web })] },
      },
      { node: 'b1' },
    ],
    [
      'there is no friend',
      {
        pod: makePod({
          affinity: {
            podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [podTerm('topology.kubernetes.io/zone')] },
          },
        }),
        nodes: zoned,
      },
      { message: `0/3 nodes are available: 3 node(s) didn't match pod affinity rules. ${notHelpful(3)}` },
    ],
    [
      'it is the first of its own friends',
      {
        pod: makePod({
          labels: web,
          affinity: {
            podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [podTerm('kubernetes.io/hostname')] },
          },
        }),
        nodes: [three[0]!],
      },
      { node: 'a' },
    ],
    [
      'it avoids its like',
      {
        pod: makePod({
          labels: web,
          affinity: {
            podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [podTerm('kubernetes.io/hostname')] },
          },
        }),
        nodes: three,
        on: { a: [makePod({ name: 'x', labels: web })], c: [makePod({ name: 'y', labels: web })] },
      },
      { node: 'b' },
    ],
    [
      'its like is everywhere',
      {
        pod: makePod({
          labels: web,
          affinity: {
            podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [podTerm('kubernetes.io/hostname')] },
          },
        }),
        nodes: [three[0]!],
        on: { a: [makePod({ name: 'x', labels: web })] },
      },
      { message: `0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules. ${noVictims(1)}` },
    ],
    [
      'those there avoid it',
      {
        pod: makePod({ labels: web }),
        nodes: [three[0]!],
        on: {
          a: [
            makePod({
              name: 'x',
              affinity: {
                podAntiAffinity: {
                  requiredDuringSchedulingIgnoredDuringExecution: [podTerm('kubernetes.io/hostname')],
                },
              },
            }),
          ],
        },
      },
      {
        message: `0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules. ${noVictims(1)}`,
      },
    ],
    [
      'the friend is in a namespace chosen by label',
      {
        pod: makePod({
          affinity: {
            podAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: [
                { ...podTerm('kubernetes.io/hostname'), namespaceSelector: { matchLabels: { team: 'x' } } },
              ],
            },
          },
        }),
        nodes: three,
        on: { b: [makePod({ name: 'w', namespace: 'other', labels: web })] },
        lister: { namespaces: { other: { team: 'x' } } },
      },
      { node: 'b' },
    ],
  ],
  PodTopologySpread: [
    [
      'one zone is behind',
      {
        pod: makePod({
          labels: web,
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: 'topology.kubernetes.io/zone',
              whenUnsatisfiable: 'DoNotSchedule',
              labelSelector: { matchLabels: web },
            },
          ],
        }),
        nodes: zoned,
        on: { a1: [makePod({ name: 'x', labels: web })] },
      },
      { node: 'b1' },
    ],
    [
      'only the full zone has room',
      {
        pod: makePod({
          labels: web,
          cpu: '3',
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: 'topology.kubernetes.io/zone',
              whenUnsatisfiable: 'DoNotSchedule',
              labelSelector: { matchLabels: web },
            },
          ],
        }),
        nodes: [zoned[0]!, makeNode({ name: 'b1', cpu: '1', labels: { 'topology.kubernetes.io/zone': 'b' } })],
        on: { a1: [makePod({ name: 'x', labels: web })] },
      },
      {
        message:
          "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match pod topology spread constraints. preemption: 0/2 nodes are available: 1 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling.",
      },
    ],
    [
      'the nodes lack the label',
      {
        pod: makePod({
          labels: web,
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: 'rack',
              whenUnsatisfiable: 'DoNotSchedule',
              labelSelector: { matchLabels: web },
            },
          ],
        }),
        nodes: [three[0]!],
      },
      {
        message: `0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints (missing required label). ${notHelpful(1)}`,
      },
    ],
    [
      'a Service spreads its pods by default',
      {
        pod: makePod({ labels: web }),
        nodes: three,
        on: {
          a: [makePod({ name: 'x', labels: web })],
          b: [makePod({ name: 'y', labels: { app: 'else' } })],
          c: [makePod({ name: 'z', labels: web })],
        },
        lister: { siblings: matcherOfMap(web) },
      },
      { node: 'b' },
    ],
  ],
  VolumeBinding: [
    [
      'the claim is not there',
      { pod: makePod({ claims: ['data'] }), nodes: three },
      { message: `0/3 nodes are available: persistentvolumeclaim "data" not found. ${notHelpful(3)}` },
    ],
    [
      'an immediate claim is not bound yet',
      {
        pod: makePod({ claims: ['data'] }),
        nodes: three,
        lister: {
          claims: [claim('data', { storageClassName: 'now' })],
          classes: [{ metadata: { name: 'now' }, provisioner: 'p', volumeBindingMode: 'Immediate' }],
        },
      },
      { message: `0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. ${notHelpful(3)}` },
    ],
    [
      'the bound volume is on one node',
      {
        pod: makePod({ claims: ['data'] }),
        nodes: three,
        lister: { claims: [claim('data', { volumeName: 'pv' }, true)], volumes: [volume('pv', '1Gi', 'b')] },
      },
      { node: 'b' },
    ],
    [
      'the bound volume is elsewhere',
      {
        pod: makePod({ claims: ['data'] }),
        nodes: [three[0]!],
        lister: { claims: [claim('data', { volumeName: 'pv' }, true)], volumes: [volume('pv', '1Gi', 'b')] },
      },
      { message: `0/1 nodes are available: 1 node(s) didn't match PersistentVolume's node affinity. ${notHelpful(1)}` },
    ],
    [
      'the bound volume is gone',
      {
        pod: makePod({ claims: ['data'] }),
        nodes: [three[0]!],
        lister: { claims: [claim('data', { volumeName: 'pv' }, true)] },
      },
      {
        message: `0/1 nodes are available: 1 node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s). ${notHelpful(1)}`,
      },
    ],
    [
      'a waiting claim has a volume on one node',
      {
        pod: makePod({ claims: ['data'] }),
        nodes: three,
        lister: {
          claims: [claim('data')],
          classes: [late('kubernetes.io/no-provisioner')],
          volumes: [volume('small', '100Mi', 'a'), volume('fits', '2Gi', 'c')],
        },
      },
      { node: 'c' },
    ],
    [
      'a waiting claim has none',
      {
        pod: makePod({ claims: ['data'] }),
        nodes: three,
        lister: { claims: [claim('data')], classes: [late('kubernetes.io/no-provisioner')] },
      },
      {
        message: `0/3 nodes are available: 3 node(s) didn't find available persistent volumes to bind. ${notHelpful(3)}`,
      },
    ],
    [
      'a waiting claim can be provisioned in one place',
      {
        pod: makePod({ claims: ['data'] }),
        nodes: zoned,
        lister: {
          claims: [claim('data')],
          classes: [
            late('csi.example', [{ matchLabelExpressions: [{ key: 'topology.kubernetes.io/zone', values: ['b'] }] }]),
          ],
        },
      },
      { node: 'b1' },
    ],
    [
      'provisioning has begun for a node',
      {
        pod: makePod({ claims: ['data'] }),
        nodes: three,
        lister: {
          claims: [
            {
              ...claim('data'),
              metadata: {
                namespace: 'default',
                name: 'data',
                annotations: { 'volume.kubernetes.io/selected-node': 'b' },
              },
            },
          ],
          classes: [late('csi.example')],
        },
      },
      { node: 'b' },
    ],
  ],
  VolumeRestrictions: [
    [
      'a ReadWriteOncePod claim is in use',
      {
        pod: makePod({ claims: ['data'] }),
        nodes: three,
        on: { a: [makePod({ name: 'x', claims: ['data'] })] },
        lister: {
          claims: [claim('data', { volumeName: 'pv', accessModes: ['ReadWriteOncePod'] }, true)],
          volumes: [volume('pv', '1Gi')],
        },
      },
      {
        message: `0/3 nodes are available: 3 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode. ${noVictims(3)}`,
      },
    ],
  ],
  VolumeZone: [
    [
      'the volume is in another zone',
      {
        pod: makePod({ claims: ['data'] }),
        nodes: zoned,
        lister: {
          claims: [claim('data', { volumeName: 'pv' }, true)],
          volumes: [
            { ...volume('pv', '1Gi'), metadata: { name: 'pv', labels: { 'topology.kubernetes.io/zone': 'b' } } },
          ],
        },
      },
      { node: 'b1' },
    ],
  ],
  NodeVolumeLimits: [
    [
      'the node has all the volumes it takes',
      {
        pod: makePod({ claims: ['data'] }),
        nodes: [three[0]!],
        on: { a: [makePod({ name: 'x', claims: ['other'] })] },
        lister: {
          claims: [claim('data'), claim('other')],
          classes: [late('csi.example')],
          csiNodes: [
            {
              metadata: { name: 'a' },
              spec: { drivers: [{ name: 'csi.example', nodeID: 'a', allocatable: { count: 1 } }] },
            },
          ],
        },
      },
      { message: `0/1 nodes are available: 1 node(s) exceed max volume count. ${noVictims(1)}` },
    ],
  ],
  DefaultPreemption: [
    [
      'a lower pod holds the room',
      {
        pod: makePod({ priority: 10, cpu: '3' }),
        nodes: [three[0]!],
        on: { a: [makePod({ name: 'low', cpu: '2' }), makePod({ name: 'tiny', cpu: '1' })] },
      },
      { node: 'a', victims: ['low'] },
    ],
    [
      'the lowest priority goes',
      {
        pod: makePod({ priority: 10, cpu: '4' }),
        nodes: three,
        on: {
          a: [makePod({ name: 'p5', cpu: '2', priority: 5 })],
          b: [makePod({ name: 'p1', cpu: '2', priority: 1 })],
          c: [makePod({ name: 'p7', cpu: '2', priority: 7 })],
        },
      },
      { node: 'b', victims: ['p1'] },
    ],
    [
      'a budget protects one of them',
      {
        pod: makePod({ priority: 10, cpu: '4' }),
        nodes: [three[0]!, three[1]!],
        on: {
          a: [makePod({ name: 'guarded', cpu: '2', labels: web })],
          b: [makePod({ name: 'free', cpu: '2', priority: 5 })],
        },
        lister: {
          budgets: [
            {
              metadata: { namespace: 'default', name: 'b' },
              spec: { selector: { matchLabels: web } },
              status: { disruptionsAllowed: 0, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 },
            },
          ],
        },
      },
      { node: 'b', victims: ['free'] },
    ],
    [
      'the pod never preempts',
      {
        pod: makePod({ priority: 10, cpu: '3', preemptionPolicy: 'Never' }),
        nodes: [three[0]!],
        on: { a: [makePod({ name: 'low', cpu: '2' })] },
      },
      {
        message: '0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never.',
      },
    ],
    [
      'equals hold the room',
      { pod: makePod({ cpu: '3' }), nodes: [three[0]!], on: { a: [makePod({ name: 'x', cpu: '2' })] } },
      { message: `0/1 nodes are available: 1 Insufficient cpu. ${noVictims(1)}` },
    ],
    [
      'anti-affinity is what stands in the way',
      {
        pod: makePod({ priority: 10, labels: web }),
        nodes: [three[0]!],
        on: {
          a: [
            makePod({
              name: 'hermit',
              affinity: {
                podAntiAffinity: {
                  requiredDuringSchedulingIgnoredDuringExecution: [podTerm('kubernetes.io/hostname')],
                },
              },
            }),
          ],
        },
      },
      { node: 'a', victims: ['hermit'] },
    ],
  ],
};

for (const [plugin, cases] of Object.entries(suites)) {
  describe(`schedule: ${plugin}`, () => {
    for (const [condition, where, expected] of cases) {
      it(`places the pod, or says why not, when ${condition}`, () => {
        // What is decided by chance would differ between seeds.
        for (let seed = 1; seed <= 12; seed++) assert.deepEqual(place({ ...where, seed }), expected);
      });
    }
  });
}

describe('feasibleNodesToFind', () => {
  it("is upstream's adaptive share", () => {
    assert.deepEqual([10, 99, 100, 250, 1000, 5000, 6000].map(feasibleNodesToFind), [10, 99, 100, 120, 420, 500, 300]);
  });
});
