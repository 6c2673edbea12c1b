// What the machine itself, the article's laptop, reaches and what it does not; and what a node's terminal reaches.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { Pod, Service } from '#generated/api/core-v1.ts';
import { makeClientPod, pause } from '../cluster.ts';
import type { Article } from './article.ts';
import { postgres, PRIMARY_IP, queryForwarded } from './database.ts';

/** As /proc/net/tcp writes it: a SYN is out, nothing came back. */
const SYN_SENT = '02';
const PATIENCE_MS = 3_000;
const API_NODE_PORT = 30_080;
const HELLO_NODE_PORT = 30_090;
const UNDECLARED_PORT = 7_777;

export function laptopTests(article: Article): void {
  describe('the laptop', () => {
    before(() =>
      article.cluster.apply({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'hello', namespace: 'default' },
        spec: {
          type: 'NodePort',
          selector: { app: 'hello' },
          ports: [{ port: 80, targetPort: 80, nodePort: HELLO_NODE_PORT }],
        },
      } satisfies Service),
    );
    after(() => article.cluster.kubectl(['delete', 'service', 'hello', '--ignore-not-found']));

    it('still waits in SYN-SENT after 3 s for a pod’s address and for a ClusterIP', async () => {
      const pod = (await postgres(article.cluster, 0)).status!.podIP!;
      const hello = (await article.cluster.get<Pod>('default', 'pod', 'hello-pod')).status!.podIP!;
      const targets = [
        [pod, 5432],
        [PRIMARY_IP, 5432],
        // Without any policy it is the same.
        [hello, 80],
        ['10.96.0.1', 443],
      ] as const;
      const sockets = targets.map(([host, port]) => begin(host, port));
      try {
        await pause(PATIENCE_MS);
        assert.deepEqual(
          sockets.map((s) => s.failed),
          targets.map(() => undefined),
        );
        assert.deepEqual(
          sockets.map((s) => tcpState(s.socket)),
          targets.map(() => SYN_SENT),
        );
      } finally {
        for (const { socket } of sockets) socket.destroy();
      }
    });

    it('gets an answer from a NodePort on all three node addresses', async () => {
      const addresses = [...(await article.cluster.nodeAddresses()).values()];
      assert.equal(addresses.length, 3);
      for (const address of addresses)
        assert.equal((await get(`http://${address}:${API_NODE_PORT}/livez`)).status, 200);
    });

    it('gets an answer from a NodePort also where no backend is local', async () => {
      const addresses = [...(await article.cluster.nodeAddresses()).values()];
      assert.equal((await article.cluster.list<Pod>('default', 'pods', 'app=hello')).length, 1);
      for (const address of addresses)
        assert.equal((await get(`http://${address}:${HELLO_NODE_PORT}/`)).status, 200, address);
    });

    for (const target of ['pod/postgres-0', 'service/postgres-primary']) {
      it(`reaches ${target} by port-forward, under default-deny`, async () => {
        const forward = await article.cluster.portForward('db', target, 5432);
        try {
          assert.deepEqual(await queryForwarded(forward.port, 'SELECT pg_is_in_recovery() AS standby, 40 + 2 AS n'), {
            standby: false,
            n: 42,
          });
          assert.deepEqual(await queryForwarded(forward.port, 'SELECT 43 AS n'), { n: 43 }, 'a second connection');
        } finally {
          forward.stop();
        }
      });
    }

    it('reaches a ClusterIP from each node’s terminal', async () => {
      const { cluster } = article;
      const api = (await cluster.get<Service>('app', 'service', 'api')).spec!.clusterIP!;
      for (const node of await cluster.nodeNames()) {
        const said = await cluster.nodeShell(
          node,
          `exec 3<>/dev/tcp/${api}/80; printf 'GET /livez HTTP/1.0\\r\\n\\r\\n' >&3; head -1 <&3`,
          { timeoutMs: 10_000 },
        );
        assert.match(said.stdout, /200 OK/, `${node}: ${said.stderr}`);
      }
    });

    it('reaches the database’s ClusterIP from the terminal of its own node, whatever policies say', async () => {
      const node = (await postgres(article.cluster, 0)).spec!.nodeName!;
      const said = await article.cluster.nodeShell(node, `exec 3<>/dev/tcp/${PRIMARY_IP}/5432 && echo open`, {
        timeoutMs: 10_000,
      });
      assert.equal(said.stdout.trim(), 'open', said.stderr);
    });

    it('is told nothing by containerPort: an undeclared port is as reachable as a declared one', async () => {
      const { cluster, far } = article;
      const command = ['nc', '-lk', String(UNDECLARED_PORT)];
      const declared = makeClientPod({ name: 'declared', namespace: 'app', command });
      await cluster.apply(makeClientPod({ name: 'undeclared', namespace: 'app', command }), {
        ...declared,
        spec: {
          ...declared.spec,
          containers: declared.spec!.containers.map((c) => ({ ...c, ports: [{ containerPort: UNDECLARED_PORT }] })),
        },
      });
      for (const name of ['undeclared', 'declared']) {
        const ip = (await cluster.ready('app', name)).status!.podIP!;
        const output = await cluster.exec('app', far.name, ['nc', '-z', '-v', '-w', '3', ip, String(UNDECLARED_PORT)]);
        assert.equal(output.code, 0, `${name}: ${output.stderr}`);
      }
      await cluster.kubectl(['-n', 'app', 'delete', 'pod', 'undeclared', 'declared']);
    });
  });
}

interface Attempt {
  readonly socket: Socket;
  failed: string | undefined;
}

function begin(host: string, port: number): Attempt {
  const attempt: Attempt = { socket: connect({ host, port }), failed: undefined };
  attempt.socket.on('error', (error) => (attempt.failed = error.message));
  attempt.socket.on('connect', () => (attempt.failed = 'it connected'));
  return attempt;
}

/** The kernel's state of a socket, by its local port. */
function tcpState(socket: Socket): string | undefined {
  const port = socket.localPort!.toString(16).toUpperCase().padStart(4, '0');
  const lines = readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1);
  return lines.map((l) => l.trim().split(/\s+/)).find((f) => f[1]?.endsWith(`:${port}`))?.[3];
}

const get = (url: string): Promise<Response> =>
  fetch(url, { headers: { connection: 'close' }, signal: AbortSignal.timeout(5_000) });
