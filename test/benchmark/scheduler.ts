// Pods bound a second, from the first binding that a watch sees to the last: nodes and pods are there before the scheduler is started, so
// neither its start nor the making of pods is in the figure. Nodes are objects that nobody runs; no controllers.
import { addMemory, Figures, makeNamespace } from './api.ts';
import { BindingWatch } from './binding-watch.ts';
import { type Contender, startCoracle, startOriginal } from './contenders.ts';
import type { Generator } from './load/generator.ts';
import { named, NODE, SMALL_POD } from './objects.ts';
import { cpuSeconds } from './processes.ts';
import type { Subject } from './subject.ts';

const PODS = 3_000;
const NODES = [1_000, 5_000] as const;
const PENDING = 'bench-pending';

export const scheduler: Subject = async ({ generator, rounds, scale, say }) => {
  const figures = new Figures(say);
  for (const nodes of NODES) {
    for (let round = 0; round < rounds; round++) {
      say(`round ${round + 1} of ${rounds}: ${nodes.toLocaleString('en')} nodes`);
      // One after the other: each has the machine for itself, and its memory back afterwards.
      for (const start of [startCoracle, startOriginal]) {
        const side = await start();
        try {
          await schedule(generator, side, figures, Math.round(nodes * scale), Math.round(PODS * scale));
        } finally {
          await side.stop();
        }
      }
    }
  }
  return figures.all();
};

async function schedule(
  generator: Generator,
  side: Contender,
  figures: Figures,
  nodes: number,
  pods: number,
): Promise<void> {
  const { target } = side;
  const clients = 16;
  await makeNamespace(side, PENDING);
  await generator.run(target, {
    kind: 'requests',
    method: 'POST',
    path: '/api/v1/nodes',
    body: named(NODE, 'node'),
    count: nodes,
    clients,
  });
  // A new node is tainted as not ready until a controller takes that away; there is none here.
  await generator.run(target, {
    kind: 'requests',
    method: 'PATCH',
    path: '/api/v1/nodes/node-%',
    body: '{"spec":{"taints":null}}',
    contentType: 'application/merge-patch+json',
    count: nodes,
    clients,
  });
  await generator.run(target, {
    kind: 'requests',
    method: 'POST',
    path: `/api/v1/namespaces/${PENDING}/pods`,
    body: named(SMALL_POD, 'pod'),
    count: pods,
    clients,
  });
  const list = await side.ask('GET', `/api/v1/namespaces/${PENDING}/pods?limit=1`);
  const { resourceVersion } = (JSON.parse(list.text) as { metadata: { resourceVersion: string } }).metadata;
  const path = `/api/v1/namespaces/${PENDING}/pods?watch=true&resourceVersion=${resourceVersion}`;
  // Coracle's scheduler lives in its server, which starts again; history survives that, so a watch opened then misses nothing.
  const early = side.name === 'coracle' ? undefined : await BindingWatch.open(target, path);
  const before = cpuSeconds(Object.values(side.pids));
  await side.addScheduler();
  const pids = Object.values(side.pids);
  const bindings = early ?? (await BindingWatch.open(target, path));
  try {
    const seconds = await bindings.whenBound(pods);
    const what = `${pods.toLocaleString('en')} pods on ${nodes.toLocaleString('en')} nodes`;
    // All that the scheduler's start cost is in it on both sides; on Coracle's it is that of the whole server.
    const cpu = cpuSeconds(pids) - (side.name === 'coracle' ? 0 : before);
    figures.add(`${what}: bound`, '/s', side, { value: (pods - 1) / seconds, cpuMicros: (cpu / pods) * 1e6 });
    addMemory(figures, `memory after ${what}`, side);
  } finally {
    bindings.close();
  }
}
