// Generated clusters in a real kernel: the product's rules for their Services and policies, real connections, and the second packet
// walker of test/models, which knows those rules as little as it knows the kernel.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { KubeObject } from '#machinery/object.ts';
import { describeModel } from '../models/compare.ts';
import { asked, generate, LAPTOP, type Place } from '../models/generate.ts';
import { keyOf, type Listener, type Model } from '../models/model.ts';
import { type Answer, walk } from '../models/walker.ts';
import { eventually, Lab, type LabNode, type LabPod, type Worker } from './lab.ts';
import type { Put } from './worker.ts';

const MODELS = 50;
const QUESTIONS = 6;
/** Half of the models are new each day; a failure prints its seed. */
const DAY = Math.floor(Date.now() / 86_400_000);
/** As long as a silent connection is waited for; on the lab's links an answer takes under a millisecond. */
const SILENCE_MS = 400;
/** How often a wrong answer is asked again, and after which pause each is asked: policies may come some milliseconds after Services. */
const TRIES = 8;
const PAUSE_MS = 30;
const MARKER_PORT = 7000;
const markerAddress = (index: number): string => `10.96.99.${index}`;

const at = (port: number, address = '0.0.0.0'): Listener => ({ port, address, dual: false });
/** In the generator's order: the client, up to three servers, another server. */
const PLACES: readonly Place[] = [
  { node: 'one', ip: '10.244.1.5', listeners: [at(8080)] },
  { node: 'one', ip: '10.244.1.6', listeners: [at(5432), at(9187)] },
  { node: 'two', ip: '10.244.2.7', listeners: [at(5432)] },
  { node: 'two', ip: '10.244.2.8', listeners: [at(5432, '127.0.0.1'), at(5433)] },
  { node: 'one', ip: '10.244.1.9', listeners: [at(8080)] },
];
const OPTIONS = { places: PLACES, noNames: true };

/** Answers of the lab begin with the address of the pod that gave them. */
const isReached = (said: string): boolean => said.startsWith('10.244.');

/** Every choice among the endpoints. */
const answersTo = (model: Model): readonly Answer[] => Array.from({ length: 12 }, (_, i) => walk(model, i / 12));

function disagrees(answers: readonly Answer[], said: string): boolean {
  const reachable = answers.flatMap((a) => (a.kind === 'connects' ? [a.to] : []));
  if (!isReached(said)) return reachable.length === answers.length;
  return reachable.length === 0;
}

describe('Generated clusters in the kernel', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  const lab = new Lab('mod');
  let nodes: Record<'one' | 'two', LabNode>;
  let laptop: Worker;
  const pods: LabPod[] = [];

  before(async () => {
    await lab.start();
    const one = await lab.addNode('one', '192.168.77.1', '10.244.1');
    const two = await lab.addNode('two', '192.168.77.2', '10.244.2');
    nodes = { one, two };
    laptop = await lab.addMachine('laptop', LAPTOP);
    await laptop.do({ do: 'listen', port: MARKER_PORT, protocol: 'tcp', name: 'laptop' });
    for (const [i, place] of PLACES.entries()) {
      const pod = await lab.addPod(nodes[place.node], `pod${i}`, Number(place.ip.split('.')[3]));
      assert.equal(pod.ip, place.ip);
      for (const l of place.listeners)
        await pod.worker.do({ do: 'listen', port: l.port, protocol: 'tcp', name: place.ip, address: l.address });
      pods.push(pod);
    }
    const base = generate(0, OPTIONS).nodes.map((object): Put => ({ resource: 'nodes', object }));
    await Promise.all([lab.startNetwork(one, base), lab.startNetwork(two, base)]);
  });
  after(() => lab.close());

  const objectsOf = (model: Model): readonly Put[] => [
    ...model.namespaces.map((object): Put => ({ resource: 'namespaces', object })),
    ...model.pods.map(({ object }): Put => ({ resource: 'pods', object })),
    ...model.policies.map((object): Put => ({ resource: 'networkpolicies', object })),
    ...model.services.filter(isServed).map((object): Put => ({ resource: 'services', object })),
    ...model.slices.filter(isServed).map((object): Put => ({ resource: 'endpointslices', object })),
  ];
  /** The lab's nodes answer for the name server's address themselves. */
  const isServed = (object: KubeObject): boolean => object.metadata.namespace !== 'kube-system';
  const place = (model: Model): Worker => {
    const { source } = model.question;
    if (source.at === 'laptop') return laptop;
    return source.at === 'node' ? nodes[source.node as 'one' | 'two'].worker : pods[0]!.worker;
  };
  /** A Service that is put last, to the laptop: when a node sends there, it has taken in the model, and not the rules of the one before. */
  const marker = (index: number): readonly Put[] => [
    {
      resource: 'services',
      object: {
        metadata: { name: 'marker', namespace: 'mark' },
        spec: { clusterIP: markerAddress(index), ports: [{ port: MARKER_PORT, protocol: 'TCP' }] },
      } as KubeObject,
    },
    {
      resource: 'endpointslices',
      object: {
        metadata: { name: 'marker-0', namespace: 'mark', labels: { 'kubernetes.io/service-name': 'marker' } },
        addressType: 'IPv4',
        ports: [{ name: '', port: MARKER_PORT, protocol: 'TCP' }],
        endpoints: [{ addresses: [LAPTOP], conditions: { ready: true } }],
      } as KubeObject,
    },
  ];
  const arrival = async (node: LabNode, index: number) => {
    const said = await eventually(
      () => node.worker.reach(markerAddress(index), MARKER_PORT),
      (s) => s.startsWith('laptop '),
      100,
    );
    assert.match(said, /^laptop /, `node ${node.name} has not taken in model ${index}`);
  };
  const everywhere = (command: object) => Promise.all([nodes.one, nodes.two].map((n) => n.worker.do(command)));

  it('lets those connections come about that the walker does, and no other', async (t) => {
    const seeds = Array.from({ length: MODELS }, (_, i) => (i < MODELS / 2 ? i : DAY * 1000 + i));
    const wrong: string[] = [];
    let [connected, refused, open, marked] = [0, 0, 0, 1];
    for (const seed of seeds) {
      const model = generate(seed, OPTIONS);
      await everywhere({ do: 'put', objects: [...objectsOf(model), ...marker(marked)] });
      await Promise.all([nodes.one, nodes.two].map((n) => arrival(n, marked)));
      marked++;
      await Promise.all(
        asked(model, QUESTIONS, OPTIONS).map(async (m) => {
          const answers = answersTo(m);
          const isBalanced = /^192\.168\.77\.2\d\d$/.test(m.question.host) && m.question.source.at === 'laptop';
          // The address of a load balancer is announced by nobody here: test/kernel/loadbalancer.test.ts does that.
          if (isBalanced || answers.some((a) => a.kind === 'open')) return void open++;
          let said = '';
          for (let i = 0; i < TRIES; i++) {
            await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
            said = await place(m).reach(m.question.host, m.question.port, { timeoutMs: SILENCE_MS });
            if (!disagrees(answers, said)) break;
          }
          if (disagrees(answers, said)) wrong.push(`${describeModel(m)}\nkernel: ${said}`);
          else if (isReached(said)) connected++;
          else refused++;
        }),
      );
      for (const { resource, object } of objectsOf(model))
        if (resource !== 'namespaces') await everywhere({ do: 'remove', resource, key: keyOf(object) });
      if (wrong.length > 2) break;
    }
    t.diagnostic(`${connected} connected, ${refused} did not, ${open} left open`);
    assert.equal(wrong.join('\n\n'), '');
    // Otherwise the comparison would say little.
    assert.ok(connected > MODELS / 2 && refused > MODELS / 2, `${connected} connected, ${refused} did not`);
  });
});
