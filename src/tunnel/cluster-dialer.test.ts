import assert from 'node:assert/strict';
import https from 'node:https';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { SystemClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { createAuthority, createLeaf } from '#pki/certificates.ts';
import type { CertificatePair } from '#pki/keys.ts';
import { responseHead } from '#streams/http-upgrade.ts';
import { createBackends } from './backends.ts';
import { type ClusterDialer, createClusterDialer, DialError, type ServiceEndpoint } from './cluster-dialer.ts';
import { NODE_HOST, TUNNEL_PATH } from './protocol.ts';
import { parseTarget, TunnelAgent } from './tunnel-agent.ts';
import { TunnelServer } from './tunnel-server.ts';

const clock = new SystemClock();
const deps = { clock, log: silentLog };

describe('parseTarget', () => {
  const cases: readonly [string, ReturnType<typeof parseTarget>][] = [
    ['10.244.0.7:5432', { host: '10.244.0.7', port: 5432 }],
    ['[fd00::7]:80', { host: 'fd00::7', port: 80 }],
    [`${NODE_HOST}:10250`, { host: 'node', port: 10250 }],
    ['10.244.0.7', undefined],
    ['10.244.0.7:0', undefined],
    ['10.244.0.7:70000', undefined],
    ['a:b:1', undefined],
  ];
  for (const [target, expected] of cases)
    it(`${expected === undefined ? 'refuses' : 'reads'} ${target}`, () =>
      assert.deepEqual(parseTarget(target), expected));
});

describe('ClusterDialer', () => {
  let authority: CertificatePair;
  let identity: CertificatePair;
  const tunnels = new TunnelServer(deps);
  let front: https.Server;
  let agent: TunnelAgent;
  let dialer: ClusterDialer;
  let endpoint: () => ServiceEndpoint;
  /** A backend that answers with what it got once the client has ended its side. */
  let echo: net.Server;
  /** Writes until nobody takes it. */
  let flood: net.Server;
  let flooded = 0;
  /** Connections of agents. */
  const sockets = new Set<net.Socket>();
  const portOf = (server: net.Server): number => (server.address() as net.AddressInfo).port;
  const listening = (server: net.Server | https.Server) =>
    new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', () => resolve()));

  before(async () => {
    const now = Date.now();
    const validity = { notBeforeMs: now - 60_000, notAfterMs: now + 3_600_000 };
    authority = await createAuthority('test', now);
    identity = await createLeaf(authority, {
      commonName: 'node-1',
      names: { dnsNames: ['node-1'], ipAddresses: ['127.0.0.1'] },
      extendedUsages: ['server auth', 'client auth'],
      ...validity,
    });
    front = https.createServer({
      cert: identity.certificate,
      key: identity.key,
      ca: [authority.certificate],
      requestCert: true,
    });
    front.on('upgrade', (message, socket) => {
      const url = new URL(message.url!, 'https://x');
      assert.equal(url.pathname, TUNNEL_PATH);
      socket.write(
        responseHead(101, 'Switching Protocols', ['Connection', 'Upgrade', 'Upgrade', 'coracle-tunnel']),
        () => {
          void tunnels.serve(url.searchParams.get('node')!, socket);
        },
      );
    });
    front.on('connection', (socket: net.Socket) => void sockets.add(socket));
    echo = net.createServer({ allowHalfOpen: true }, (socket) => {
      const chunks: Buffer[] = [];
      socket.on('data', (chunk: Buffer) => void chunks.push(chunk));
      socket.on('end', () => void socket.end(Buffer.concat(chunks)));
      socket.on('error', () => {});
    });
    flood = net.createServer((socket) => {
      socket.on('error', () => {});
      const chunk = Buffer.alloc(64 * 1024);
      const write = () => {
        while (!socket.destroyed && socket.write(chunk)) flooded += chunk.length;
      };
      socket.on('drain', write);
      write();
    });
    await Promise.all([listening(front), listening(echo), listening(flood)]);
    agent = agentOf('node-1');
    await agent.start();
    dialer = createClusterDialer({ tunnels, resolveService: () => endpoint() });
  });
  after(async () => {
    await agent.stop();
    await tunnels.stop();
    for (const server of [front, echo, flood]) server.close();
    front.closeAllConnections();
  });
  const agentOf = (nodeName: string): TunnelAgent =>
    new TunnelAgent(
      {
        nodeName,
        server: `https://127.0.0.1:${portOf(front)}`,
        ca: authority.certificate,
        cert: identity.certificate,
        key: identity.key,
        nodePort: (port) => ({ host: '127.0.0.1', port }),
      },
      deps,
    );
  const rejects = (dialing: Promise<Duplex>, code: string, message: RegExp) =>
    assert.rejects(
      dialing,
      (error) => error instanceof DialError && error.code === code && message.test(error.message),
    );

  it('waits for a node whose agent is just connecting, and ends each direction by itself', async () => {
    const stream = await dialer.dialNode('node-1', portOf(echo));
    stream.end('question');
    assert.equal(await text(stream), 'question');
  });

  it('reaches pods by address', async () => {
    const stream = await dialer.dialPod('node-1', '127.0.0.1', portOf(echo));
    stream.end('to a pod');
    assert.equal(await text(stream), 'to a pod');
  });

  it('reaches the endpoint that the Service resolves to, through its own node', async () => {
    endpoint = () => ({ ip: '127.0.0.1', port: portOf(echo), nodeName: 'node-1' });
    const stream = await dialer.dialService('db', 'postgres', '5432');
    stream.end('by name');
    assert.equal(await text(stream), 'by name');
  });

  it('carries megabytes both ways unchanged, many connections at once', async () => {
    const sent = Array.from({ length: 8 }, (_, i) => Buffer.alloc(3_000_000 + i, i + 1));
    const got = await Promise.all(
      sent.map(async (data) => {
        const stream = await dialer.dialNode('node-1', portOf(echo));
        stream.end(data);
        return buffer(stream);
      }),
    );
    for (const [i, data] of got.entries()) assert.ok(data.equals(sent[i]!), `connection ${i}`);
  });

  it('stops a backend that writes more than the reader takes, and others go on', async () => {
    const stuck = await dialer.dialNode('node-1', portOf(flood));
    const other = await dialer.dialNode('node-1', portOf(echo));
    other.end(Buffer.alloc(2_000_000, 7));
    assert.equal((await buffer(other)).length, 2_000_000);
    // What fits into windows and socket buffers; without flow control it would grow until memory ends.
    assert.ok(flooded < 40_000_000, `${flooded} bytes were taken`);
    stuck.destroy();
  });

  it('says in the words users know why a connection failed', async () => {
    const closed = net.createServer();
    await listening(closed);
    const port = portOf(closed);
    await new Promise((resolve) => void closed.close(resolve));
    await rejects(
      dialer.dialNode('node-1', port),
      'UNREACHABLE',
      /^dial tcp 127\.0\.0\.1:\d+: connect: connection refused$/,
    );
  });

  it('passes a failure to find an endpoint on', async () => {
    endpoint = () => {
      throw new DialError('NO_ENDPOINTS', 'no endpoints available for service "postgres"');
    };
    await rejects(dialer.dialService('db', 'postgres', ''), 'NO_ENDPOINTS', /no endpoints available/);
  });

  it('ends the stream when the backend dies', async () => {
    const dying = net.createServer((socket) => void socket.once('data', () => socket.resetAndDestroy()));
    await listening(dying);
    const stream = await dialer.dialNode('node-1', portOf(dying));
    stream.on('error', () => {});
    stream.write('x');
    await new Promise<void>((resolve) => void stream.once('close', () => resolve()));
    dying.close();
  });

  it('speaks TLS to kubelets and checks that the certificate is the node’s', async () => {
    const kubelet = https.createServer({ cert: identity.certificate, key: identity.key }, (_, response) =>
      response.end('ok'),
    );
    await listening(kubelet);
    const backends = createBackends(dialer, {
      ca: authority.certificate,
      certificate: identity.certificate,
      privateKey: identity.key,
    });
    const stream = await backends.kubelet('node-1', portOf(kubelet));
    stream.write('GET /healthz HTTP/1.1\r\nHost: node-1\r\nConnection: close\r\n\r\n');
    assert.match(await text(stream), /^HTTP\/1.1 200 OK[^]*ok$/);
    const impostor = agentOf('node-2');
    await impostor.start();
    await rejects(backends.kubelet('node-2', portOf(kubelet)), 'UNREACHABLE', /node-2/);
    await impostor.stop();
    kubelet.close();
  });

  it('goes on after the tunnel broke', async () => {
    const before = await dialer.dialNode('node-1', portOf(echo));
    const lost = new Promise<void>((resolve) => void before.once('close', () => resolve()));
    before.on('error', () => {});
    front.closeAllConnections();
    for (const socket of sockets) socket.destroy();
    await lost;
    const stream = await dialer.dialNode('node-1', portOf(echo));
    stream.end('again');
    assert.equal(await text(stream), 'again');
  });

  it('names a node without an agent', async () => {
    await rejects(dialer.dialNode('nobody', 1), 'NO_TUNNEL', /no agent is connected for node "nobody"/);
  });
});
