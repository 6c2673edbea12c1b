import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { SteppedClock, SystemClock } from '#base/clock.ts';
import { type Exchange, readBody } from '#machinery/exchange.ts';
import { createAuthority, createLeaf } from '#pki/certificates.ts';
import { createHttpsTransport, type HttpsTransportOptions, tokenFile } from './https.ts';
import { describeTransport } from './transport.suite.ts';

const nowMs = Date.now();
const validity = { notBeforeMs: nowMs - 60_000, notAfterMs: nowMs + 3_600_000 };
const authority = await createAuthority('test-ca', nowMs);
const serverPair = await createLeaf(authority, {
  commonName: 'server',
  names: { dnsNames: ['api.test'], ipAddresses: ['127.0.0.1'] },
  extendedUsages: ['server auth'],
  ...validity,
});
const clientPair = await createLeaf(authority, {
  commonName: 'alice',
  organizations: ['devs'],
  extendedUsages: ['client auth'],
  ...validity,
});

type Kind = 'h2' | 'https1' | 'http1';
const { signal } = new AbortController();

async function serve(
  kind: Kind,
  exchange: Exchange,
  port = 0,
): Promise<{ url: string; port: number; close(): Promise<void> }> {
  const tlsOptions = {
    cert: serverPair.certificate,
    key: serverPair.key,
    ca: authority.certificate,
    requestCert: true,
    rejectUnauthorized: false,
  };
  const handler = (req: http.IncomingMessage | http2.Http2ServerRequest, res: http.ServerResponse) =>
    void answer(exchange, req, res);
  const server =
    kind === 'h2'
      ? http2.createSecureServer({ ...tlsOptions, settings: { maxConcurrentStreams: 64 } }, handler as never)
      : kind === 'https1'
        ? https.createServer(tlsOptions, handler)
        : http.createServer(handler);
  const sockets = new Set<net.Socket>();
  server.on('connection', (s: net.Socket) => {
    sockets.add(s);
    s.on('close', () => sockets.delete(s));
    s.on('error', () => undefined);
  });
  server.on('secureConnection', (s: TLSSocket) => s.on('error', () => undefined));
  server.on('sessionError', () => undefined);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const bound = (server.address() as AddressInfo).port;
  return {
    url: `${kind === 'http1' ? 'http' : 'https'}://127.0.0.1:${bound}`,
    port: bound,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const s of sockets) s.destroy();
      await closed;
    },
  };
}

async function answer(
  exchange: Exchange,
  req: http.IncomingMessage | http2.Http2ServerRequest,
  res: http.ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  res.on('close', () => gone.abort());
  res.on('error', () => gone.abort());
  const body = await readBody(req as AsyncIterable<Uint8Array>).catch(() => new Uint8Array());
  const headers = Object.fromEntries(Object.entries(req.headers).map(([k, v]) => [k, String(v)]));
  const certificate = (req.socket as TLSSocket).getPeerCertificate?.();
  const peer =
    certificate?.subject === undefined
      ? {}
      : {
          certificate: {
            commonName: String(certificate.subject.CN),
            organizations: [String(certificate.subject.O)],
            raw: certificate.raw,
          },
        };
  const response = await exchange({ method: req.method!, path: req.url!, headers, body, peer, signal: gone.signal });
  res.writeHead(response.status, response.headers);
  if (response.body instanceof Uint8Array) return void res.end(response.body);
  for await (const chunk of response.body) {
    if (gone.signal.aborted) break;
    if (!res.write(chunk))
      await new Promise<void>((resolve) => {
        const go = () => {
          res.off('drain', go);
          res.off('close', go);
          resolve();
        };
        res.once('drain', go);
        res.once('close', go);
      });
    if (gone.signal.aborted) break;
  }
  res.end();
}

const connect = (url: string, more: Partial<HttpsTransportOptions> = {}) =>
  createHttpsTransport({ server: url, ca: authority.certificate, clock: new SystemClock(), ...more });

for (const kind of ['h2', 'https1', 'http1'] as const) {
  describeTransport(`HttpsTransport against ${kind}`, async (exchange) => {
    const server = await serve(kind, exchange);
    const transport = connect(server.url);
    return {
      transport,
      close: async () => {
        await transport.close();
        await server.close();
      },
    };
  });
}

const get = async (transport: ReturnType<typeof connect>, path = '/') => {
  const response = await transport.request({ method: 'GET', path, headers: {}, signal });
  return Buffer.from(await readBody(response.body)).toString();
};
const says =
  (what: (r: Parameters<Exchange>[0]) => string | undefined): Exchange =>
  async (r) => ({ status: 200, headers: {}, body: Buffer.from(what(r) ?? '') });

describe('HttpsTransport', () => {
  it('shows its client certificate', async () => {
    for (const kind of ['h2', 'https1'] as const) {
      const server = await serve(
        kind,
        says((r) => r.peer.certificate?.commonName),
      );
      const transport = connect(server.url, { cert: clientPair.certificate, key: clientPair.key });
      assert.equal(await get(transport), 'alice');
      await transport.close();
      await server.close();
    }
  });

  it('sends the newest bearer token', async () => {
    const server = await serve(
      'h2',
      says((r) => r.headers['authorization']),
    );
    const clock = new SteppedClock();
    let token = 'one\n';
    const read = tokenFile(() => token, clock);
    const transport = connect(server.url, { token: read });
    assert.equal(await get(transport), 'Bearer one');
    token = 'two\n';
    assert.equal(await get(transport), 'Bearer one');
    await clock.step(60_000);
    assert.equal(await get(transport), 'Bearer two');
    await transport.close();
    await server.close();
  });

  it('refuses a server that its CA did not sign, and a name that the certificate lacks', async () => {
    const server = await serve(
      'h2',
      says(() => 'hello'),
    );
    const other = await createAuthority('other-ca', nowMs);
    for (const [options, why] of [
      [{ ca: other.certificate }, /unable to verify|self.signed/],
      [{ serverName: 'elsewhere.test' }, /elsewhere\.test/],
    ] as const) {
      const transport = connect(server.url, options);
      await assert.rejects(get(transport), { reason: 'ServiceUnavailable', message: why });
      await transport.close();
    }
    const trusting = connect(server.url, { ca: other.certificate, insecureSkipTlsVerify: true });
    assert.equal(await get(trusting), 'hello');
    await trusting.close();
    await server.close();
  });

  it('keeps the path prefix of its server', async () => {
    const server = await serve(
      'h2',
      says((r) => r.path),
    );
    const transport = connect(`${server.url}/k8s/`);
    assert.equal(await get(transport, '/api/v1/pods?limit=1'), '/k8s/api/v1/pods?limit=1');
    await transport.close();
    await server.close();
  });

  it('says that nobody answers, and connects again when the server is back', async () => {
    const first = await serve(
      'h2',
      says(() => 'first'),
    );
    const transport = connect(first.url);
    assert.equal(await get(transport), 'first');
    await first.close();
    await assert.rejects(get(transport), {
      code: 503,
      reason: 'ServiceUnavailable',
      message: /127\.0\.0\.1:\d+ is not reachable: connect ECONNREFUSED/,
    });
    const second = await serve(
      'h2',
      says(() => 'second'),
      first.port,
    );
    assert.equal(await get(transport), 'second');
    await transport.close();
    await second.close();
  });

  it('finds by ping that a server went silent, and fails what waits for it', async () => {
    const server = await serve('h2', async () => new Promise(() => {}));
    // A relay that stops relaying: the connection stays open and nothing comes back.
    let silent = false;
    const relay = net.createServer((near) => {
      const far = net.connect(server.port, '127.0.0.1');
      near.on('data', (d) => silent || far.write(d));
      far.on('data', (d) => silent || near.write(d));
      for (const [a, b] of [
        [near, far],
        [far, near],
      ] as const)
        a.on('close', () => b.destroy()).on('error', () => undefined);
    });
    await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
    const clock = new SteppedClock();
    const transport = connect(`https://127.0.0.1:${(relay.address() as AddressInfo).port}`, { clock });
    const waiting = transport.request({ method: 'POST', path: '/', headers: {}, body: Buffer.from('x'), signal });
    const failed = assert.rejects(waiting, { reason: 'ServiceUnavailable' });
    while (clock.untilNext() !== 30_000) await new Promise((resolve) => setImmediate(resolve));
    silent = true;
    await clock.step(30_000);
    await clock.step(15_000);
    await failed;
    await transport.close();
    relay.close();
    await server.close();
  });
});
