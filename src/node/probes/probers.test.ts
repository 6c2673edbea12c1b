// Against real sockets on loopback.
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js';
import type { AnyContainer } from '../pods/containers.ts';
import { grpcProbe, httpProbe, resolvePort, tcpProbe } from './probers.ts';

const HOST = '127.0.0.1';
const TIMEOUT_MS = 2000;
const portOf = (server: net.Server) => (server.address() as net.AddressInfo).port;
const listen = (server: net.Server) =>
  new Promise<number>((resolve) => server.listen(0, HOST, () => resolve(portOf(server))));

/** A port where nobody listens. */
async function closedPort(): Promise<number> {
  const server = net.createServer();
  const port = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('HTTP probe', () => {
  const seen: http.IncomingMessage[] = [];
  const server = http.createServer((request, response) => {
    seen.push(request);
    if (request.url === '/silent') return;
    response.statusCode = Number(/^\/(\d+)$/.exec(request.url ?? '')?.[1] ?? 200);
    response.end('body');
  });
  let port = 0;
  before(async () => {
    port = await listen(server);
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  for (const [status, ok] of [
    [200, true],
    [204, true],
    [302, true],
    [399, true],
    [400, false],
    [404, false],
    [500, false],
  ] as const)
    it(`${ok ? 'passes' : 'fails'} on status ${status}`, async () => {
      const result = await httpProbe({ path: `/${status}`, port }, HOST, port, TIMEOUT_MS);
      assert.equal(result.ok, ok);
      if (!ok) assert.equal(result.output, `HTTP probe failed with statuscode: ${status}`);
    });

  it('says who it is, and sends the headers of the spec', async () => {
    await httpProbe({ path: 'ready', port, httpHeaders: [{ name: 'X-Own', value: '1' }] }, HOST, port, TIMEOUT_MS);
    const { headers, url } = seen.at(-1)!;
    assert.equal(url, '/ready');
    assert.match(headers['user-agent']!, /^kube-probe\/1\.\d+$/);
    assert.equal(headers['x-own'], '1');
  });

  it('fails when no answer comes in time', async () => {
    const result = await httpProbe({ path: '/silent', port }, HOST, port, 50);
    assert.equal(result.ok, false);
    assert.match(result.output, /context deadline exceeded/);
  });

  it('fails when the connection is refused', async () => {
    const closed = await closedPort();
    assert.deepEqual(await httpProbe({ port: closed }, HOST, closed, TIMEOUT_MS), {
      ok: false,
      output: `Get "http://127.0.0.1:${closed}/": dial tcp 127.0.0.1:${closed}: connect: connection refused`,
    });
  });
});

describe('TCP probe', () => {
  it('passes when the port accepts, fails when it refuses', async () => {
    const server = net.createServer((socket) => socket.end());
    const port = await listen(server);
    assert.deepEqual(await tcpProbe(HOST, port, TIMEOUT_MS), { ok: true, output: '' });
    await new Promise((resolve) => server.close(resolve));
    assert.deepEqual(await tcpProbe(HOST, port, TIMEOUT_MS), {
      ok: false,
      output: `dial tcp 127.0.0.1:${port}: connect: connection refused`,
    });
  });
});

describe('gRPC probe', () => {
  const asked: string[] = [];
  const server = new GrpcServer();
  const bytes = (b: Buffer) => b;
  server.addService(
    {
      Check: {
        path: '/grpc.health.v1.Health/Check',
        requestStream: false,
        responseStream: false,
        requestSerialize: bytes,
        requestDeserialize: bytes,
        responseSerialize: bytes,
        responseDeserialize: bytes,
      },
    },
    {
      Check: (call: { request: Buffer }, done: (error: null, answer: Buffer) => void) => {
        // Field 1, a string: its length is a varint of one byte or two.
        const { request } = call;
        const long = request.length > 1 && request[1]! > 127;
        const service = request.length === 0 ? '' : request.subarray(long ? 3 : 2).toString();
        const length = request.length === 0 ? 0 : long ? (request[1]! & 127) | (request[2]! << 7) : request[1]!;
        asked.push(length === service.length ? service : 'broken');
        done(null, Buffer.from(service === 'sick' ? [0x08, 2] : [0x08, 1]));
      },
    },
  );
  let port = 0;
  before(async () => {
    port = await new Promise((resolve, reject) =>
      server.bindAsync(`${HOST}:0`, ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      ),
    );
  });
  after(() => server.forceShutdown());

  it('passes when the health service says SERVING, for the service that is asked for', async () => {
    assert.equal((await grpcProbe(HOST, port, '', TIMEOUT_MS, Date.now())).ok, true);
    assert.equal((await grpcProbe(HOST, port, 'own', TIMEOUT_MS, Date.now())).ok, true);
    const long = 'a'.repeat(200);
    assert.equal((await grpcProbe(HOST, port, long, TIMEOUT_MS, Date.now())).ok, true);
    assert.deepEqual(asked, ['', 'own', long]);
  });

  it('fails when it says NOT_SERVING, and where nobody listens', async () => {
    assert.deepEqual(await grpcProbe(HOST, port, 'sick', TIMEOUT_MS, Date.now()), {
      ok: false,
      output: 'service unhealthy (responded with "NOT_SERVING")',
    });
    assert.equal((await grpcProbe(HOST, await closedPort(), '', TIMEOUT_MS, Date.now())).ok, false);
  });
});

describe('resolvePort', () => {
  const container = { name: 'c', ports: [{ name: 'web', containerPort: 8080 }] } as AnyContainer;
  for (const [port, expected] of [
    [80, 80],
    ['web', 8080],
    ['9090', 9090],
    ['nothing', undefined],
    ['70000', undefined],
  ] as const)
    it(`makes ${expected} of ${JSON.stringify(port)}`, () => assert.equal(resolvePort(container, port), expected));
});
