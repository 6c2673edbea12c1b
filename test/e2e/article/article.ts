// What the parts of the article's suite share: the cluster with the article on it, and two client pods that its policy lets in.
import { join } from 'node:path';
import type { Pod } from '#generated/api/core-v1.ts';
import { makeClientPod, type Output, TestCluster } from '../cluster.ts';

const MANIFESTS = join(import.meta.dirname, '..', '..', '..', 'examples', 'article');

interface Named {
  readonly namespace: string;
  readonly name: string;
}

export class Article {
  #cluster: TestCluster | undefined;
  #upOutput: Output | undefined;
  /** A client on the node of postgres-0, as the stack began. */
  readonly near: Named = { namespace: 'app', name: 'client-near' };
  /** A client on another node. */
  readonly far: Named = { namespace: 'app', name: 'client-far' };

  get cluster(): TestCluster {
    if (this.#cluster === undefined) throw new Error('the cluster did not come up');
    return this.#cluster;
  }

  get upOutput(): Output {
    return this.#upOutput!;
  }

  /** From an empty directory to the whole stack Ready. */
  async begin(): Promise<void> {
    const { cluster, output } = await TestCluster.up();
    this.#cluster = cluster;
    this.#upOutput = output;
    await cluster.kubectl(['apply', '-f', MANIFESTS]);
    await cluster.kubectl(['-n', 'db', 'rollout', 'status', 'statefulset/postgres', '--timeout=120s'], {
      timeoutMs: 130_000,
    });
    await cluster.kubectl(['-n', 'app', 'rollout', 'status', 'deployment/api', '--timeout=60s'], { timeoutMs: 70_000 });
    await cluster.kubectl(['-n', 'app', 'rollout', 'status', 'deployment/loki', '--timeout=60s'], {
      timeoutMs: 70_000,
    });
    await cluster.ready('default', 'hello-pod');
    await this.placeClients();
  }

  /** (Again) one client on the node of postgres-0 and one elsewhere. */
  async placeClients(): Promise<void> {
    const { cluster } = this;
    const home = (await cluster.get<Pod>('db', 'pod', 'postgres-0')).spec!.nodeName!;
    const other = (await cluster.nodeNames()).find((n) => n !== home)!;
    const clients = [
      { ...this.near, node: home },
      { ...this.far, node: other },
    ];
    await cluster.kubectl(['-n', 'app', 'delete', 'pods', '--ignore-not-found', ...clients.map((c) => c.name)]);
    await cluster.apply(...clients.map((c) => makeClientPod({ ...c, labels: { role: 'api' } })));
    for (const client of clients) await cluster.ready(client.namespace, client.name);
  }

  async end(): Promise<void> {
    await this.#cluster?.down();
    this.#cluster = undefined;
  }
}
