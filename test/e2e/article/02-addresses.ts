// The four rules of the flat network, asked by packets: who does the database see?
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod } from '#generated/api/core-v1.ts';
import type { Article } from './article.ts';
import { postgres, PRIMARY_IP, query } from './database.ts';

export function addressTests(article: Article): void {
  describe('the flat network', () => {
    it('gives every pod an address of its own, from the pod range and outside the nodes’', async () => {
      const namespaces = ['app', 'db', 'default'];
      const pods = (await Promise.all(namespaces.map((n) => article.cluster.list<Pod>(n, 'pods')))).flat();
      const own = pods.map((p) => p.status!.podIP!);
      assert.ok(own.length >= 10);
      assert.equal(new Set(own).size, pods.length);
      assert.deepEqual(
        own.filter((ip) => !ip.startsWith('10.244.')),
        [],
      );
      const nodes = [...(await article.cluster.nodeAddresses()).values()];
      assert.deepEqual(
        nodes.filter((ip) => ip.startsWith('10.244.')),
        [],
      );
    });

    it('shows a pod as its own address what others see', async () => {
      const { cluster, near, far } = article;
      for (const client of [near, far]) {
        const inside = await ownAddress(article, client.name);
        assert.equal(inside, (await cluster.get<Pod>('app', 'pod', client.name)).status!.podIP);
      }
    });

    const paths = [
      { title: 'to a pod on the same node', from: 'near', to: 'pod' },
      { title: 'to a pod on another node', from: 'far', to: 'pod' },
      { title: 'through the ClusterIP to the same node', from: 'near', to: 'service' },
      { title: 'through the ClusterIP to another node', from: 'far', to: 'service' },
    ] as const;
    for (const { title, from, to } of paths) {
      it(`translates no source address ${title}`, async () => {
        const { cluster } = article;
        const client = article[from];
        const server = await postgres(cluster, 0);
        const clientNode = (await cluster.get<Pod>('app', 'pod', client.name)).spec!.nodeName;
        assert.equal(clientNode === server.spec!.nodeName, from === 'near');
        const host = to === 'pod' ? server.status!.podIP! : PRIMARY_IP;
        const seen = await query(cluster, client, host, 'SELECT host(inet_client_addr()), host(inet_server_addr())');
        assert.equal(seen, `${await ownAddress(article, client.name)}|${server.status!.podIP}`);
      });
    }
  });
}

/** As `ip addr` shows it inside the pod. */
async function ownAddress({ cluster }: Article, pod: string): Promise<string> {
  const text = await cluster.mustExec('app', pod, ['ip', '-4', '-o', 'addr', 'show', 'dev', 'eth0']);
  return / inet ([\d.]+)\//.exec(text)![1]!;
}
