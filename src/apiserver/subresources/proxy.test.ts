import assert from 'node:assert/strict';
import http from 'node:http';
import { duplexPair, type Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import type { Node, Pod, Service } from '#generated/api/core-v1.ts';
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';
import type { Backends } from '#tunnel/backends.ts';
import { DialError } from '#tunnel/cluster-dialer.ts';
import { fixedLookup } from '../authentication/lookup.ts';
import { startTestServer, type TestServer, testUser } from '../fixture.ts';
import { kubeletQuery } from './exec.ts';
import { logQuery } from './log.ts';
import { parseProxyName, splitProxyPath } from './proxy.ts';
import { connectHandlers } from './proxy-connect.ts';
import { endpointsOf } from './proxy-endpoints.ts';

const PODS = '/api/v1/namespaces/default/pods';

describe('parseProxyName', () => {
  const cases: readonly [string, ReturnType<typeof parseProxyName>][] = [
    ['web', { secure: false, name: 'web', port: '' }],
    ['web:80', { secure: false, name: 'web', port: '80' }],
    ['https:web:tls', { secure: true, name: 'web', port: 'tls' }],
    ['http:web:', { secure: false, name: 'web', port: '' }],
    ['ftp:web:1', undefined],
    ['a:b:c:d', undefined],
    [':80', undefined],
  ];
  for (const [name, expected] of cases)
    it(`${expected === undefined ? 'refuses' : 'reads'} ${name}`, () =>
      assert.deepEqual(parseProxyName(name), expected));
});

describe('splitProxyPath', () => {
  it('keeps the client’s escapes, slashes and query', () => {
    assert.deepEqual(splitProxyPath('/api/v1/namespaces/d/services/web:80/proxy/a%2Fb//c/?x=1&y'), {
      prefix: '/api/v1/namespaces/d/services/web:80/proxy',
      rest: '/a%2Fb//c/',
      query: '?x=1&y',
    });
    assert.deepEqual(splitProxyPath('/api/v1/nodes/n1/proxy'), {
      prefix: '/api/v1/nodes/n1/proxy',
      rest: '',
      query: '',
    });
  });
});

describe('kubeletQuery', () => {
  const cases: readonly [string, string][] = [
    ['command=sh&command=-c&stdin=true&stdout=true&stderr=true', 'input=1&output=1&error=1&command=sh&command=-c'],
    ['command=sh&stdin=true&stdout=true&stderr=true&tty=true', 'input=1&output=1&tty=1&command=sh'],
    ['command=id', 'output=1&error=1&command=id'],
    ['command=id&stdout=true', 'output=1&command=id'],
  ];
  for (const [asked, sent] of cases)
    it(`turns ${asked} into the kubelet's words`, () =>
      assert.equal(kubeletQuery(new URLSearchParams(asked), true), sent));
});

describe('logQuery', () => {
  const cases: readonly [string, string][] = [
    ['tailLines=-1', 'PodLogOptions "" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0'],
    ['limitBytes=0', 'PodLogOptions "" is invalid: limitBytes: Invalid value: 0: must be greater than 0'],
    [
      'sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z',
      'PodLogOptions "" is invalid: sinceSeconds: Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified',
    ],
  ];
  for (const [query, message] of cases)
    it(`refuses ${query}`, () => assert.throws(() => logQuery(new URLSearchParams(query)), { code: 422, message }));
  it('passes on what it knows and nothing else', () => {
    const query = new URLSearchParams('follow=true&previous=false&tailLines=5&container=c&other=1');
    assert.equal(logQuery(query).toString(), 'follow=true&tailLines=5');
  });
});

describe('endpointsOf', () => {
  const service: Service = { metadata: { name: 'web' }, spec: { ports: [{ name: 'http', port: 8080 }] } };
  const slice: EndpointSlice = {
    metadata: { name: 'web-1' },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
    endpoints: [
      { addresses: ['10.244.0.7'], nodeName: 'node-1', conditions: { ready: true } },
      { addresses: ['10.244.1.7'], nodeName: 'node-2', conditions: { ready: false } },
    ],
  };
  const ready = [{ ip: '10.244.0.7', port: 80, nodeName: 'node-1' }];
  it('finds ready endpoints by the name of a port', () =>
    assert.deepEqual(endpointsOf(service, [slice], 'http'), ready));
  it('finds them by its number', () => assert.deepEqual(endpointsOf(service, [slice], '8080'), ready));
  it('finds none for a name that no port has', () => assert.deepEqual(endpointsOf(service, [slice], 'grpc'), []));
  it('refuses a number that no port has', () => {
    assert.throws(() => endpointsOf(service, [slice], '81'), {
      code: 'NO_SERVICE',
      message: 'no service port 81 found for service "web"',
    });
  });
});

describe('connect subresources', () => {
  let api: TestServer;
  /** Requests that backends got. */
  const seen: { to: string; line: string; headers: http.IncomingHttpHeaders; body: string }[] = [];
  const backend = http.createServer((message, response) => {
    void text(message).then((body) => {
      seen.push({
        to: (message.socket as unknown as { to: string }).to,
        line: `${message.method} ${message.url}`,
        headers: message.headers,
        body,
      });
      if (message.url!.startsWith('/containerLogs/default/waiting/')) {
        response.writeHead(400, { 'content-type': 'text/plain' });
        return response.end('container "c" in pod "waiting" is waiting to start: ContainerCreating');
      }
      response.writeHead(200, { location: '/next', 'x-own': 'yes' });
      response.write('from ');
      response.end('backend');
    });
  });
  backend.on('upgrade', (message, socket: Duplex) => {
    seen.push({
      to: (socket as unknown as { to: string }).to,
      line: `${message.method} ${message.url}`,
      headers: message.headers,
      body: '',
    });
    if (message.url!.includes('/gone/')) {
      const reason = 'container not found ("c")';
      return void socket.end(
        `HTTP/1.1 400 Bad Request\r\nContent-Length: ${reason.length}\r\nConnection: close\r\n\r\n${reason}`,
      );
    }
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${message.headers.upgrade}\r\nX-Stream-Protocol-Version: v4\r\n\r\n`,
    );
    socket.on('data', (chunk: Buffer) => void socket.write(chunk.toString().toUpperCase()));
    socket.on('end', () => void socket.end());
  });
  const connect = async (to: string): Promise<Duplex> => {
    const [near, far] = duplexPair();
    (far as unknown as { to: string }).to = to;
    backend.emit('connection', far);
    return near;
  };
  const backends: Backends = {
    kubelet: async (node, port) => {
      if (node === 'lost') throw new DialError('NO_TUNNEL', 'no agent is connected for node "lost"');
      return connect(`kubelet ${node}:${port}`);
    },
    node: (name, port, secure) => connect(`node ${name}:${port} ${secure}`),
    pod: async (node, ip, port, secure) => {
      if (port === 81) throw new DialError('UNREACHABLE', 'dial tcp 10.244.0.7:81: connect: connection refused');
      return connect(`pod ${node} ${ip}:${port} ${secure}`);
    },
    service: async (namespace, name, port) => {
      if (port === 'none') throw new DialError('NO_ENDPOINTS', 'no endpoints available for service "web"');
      return connect(`service ${namespace}/${name}:${port}`);
    },
  };
  const node: Node = { metadata: { name: 'n1' }, status: { daemonEndpoints: { kubeletEndpoint: { Port: 10250 } } } };
  const running: Pod = {
    metadata: { name: 'one', namespace: 'default' },
    spec: { nodeName: 'n1', containers: [{ name: 'c', ports: [{ containerPort: 8080 }] }] },
    status: { podIP: '10.244.0.7' },
  };
  before(async () => {
    api = await startTestServer({
      deps: {
        connect: connectHandlers({
          backends,
          nodes: fixedLookup([node, { metadata: { name: 'lost' } }]),
          pods: fixedLookup([running]),
          services: fixedLookup<Service>([{ metadata: { name: 'web', namespace: 'default' } }]),
        }),
      },
    });
    const make = async (name: string, nodeName: string | undefined, ...containers: string[]) => {
      const spec = {
        containers: containers.map((c) => ({ name: c, image: 'i' })),
        ...(nodeName === undefined ? {} : { nodeName }),
      };
      const made = await api.call('POST', PODS, { metadata: { name }, spec });
      assert.equal(made.status, 201, made.text);
    };
    await make('one', 'n1', 'c');
    await make('two', 'n1', 'a', 'b');
    await make('waiting', 'n1', 'c');
    await make('pending', undefined, 'c');
    await make('away', 'lost', 'c');
    await make('gone', 'n1', 'c');
  });
  after(() => api.stop());

  /** An upgrade, and everything the socket then says. `send` follows the 101. */
  async function upgrade(path: string, headers: Record<string, string>, send?: string): Promise<string> {
    const [client, server] = duplexPair();
    const done = api.server.upgrade({
      method: 'POST',
      path,
      headers,
      peer: { user: testUser },
      signal: new AbortController().signal,
      socket: server,
    });
    let out = '';
    client.on('data', (chunk: Buffer) => {
      const first = out === '';
      out += chunk.toString();
      if (first && send !== undefined) client.end(send);
    });
    await done;
    await new Promise((resolve) => setImmediate(resolve));
    return out;
  }
  const spdy = { connection: 'Upgrade', upgrade: 'SPDY/3.1' };

  it('log streams the kubelet’s text', async () => {
    const { status, text: body } = await api.call('GET', `${PODS}/one/log?tailLines=3&follow=true`);
    assert.deepEqual([status, body], [200, 'from backend']);
    assert.equal(seen.at(-1)!.line, 'GET /containerLogs/default/one/c?follow=true&tailLines=3');
    assert.equal(seen.at(-1)!.to, 'kubelet n1:10250');
  });

  const refused: readonly [string, number, string][] = [
    ['two/log', 400, 'a container name must be specified for pod two, choose one of: [a b]'],
    ['two/log?container=x', 400, 'container x is not valid for pod two'],
    ['waiting/log', 400, 'container "c" in pod "waiting" is waiting to start: ContainerCreating'],
    ['none/log', 404, 'pods "none" not found'],
    ['away/log', 500, 'error dialing backend: no agent is connected for node "lost"'],
    ['one/exec?command=id', 400, 'Upgrade request required'],
    ['one:81/proxy/', 503, 'error trying to reach service: dial tcp 10.244.0.7:81: connect: connection refused'],
    ['none/proxy/', 404, 'pods "none" not found'],
  ];
  for (const [path, status, message] of refused) {
    it(`answers ${path} with ${status}`, async () => {
      const answer = await api.call('GET', `${PODS}/${path}`);
      assert.deepEqual([answer.status, answer.body?.message], [status, message]);
    });
  }

  it('log of a pod without a node is empty', async () => {
    const { status, text: body } = await api.call('GET', `${PODS}/pending/log`);
    assert.deepEqual([status, body], [200, '']);
  });

  it('exec joins client and kubelet, and keeps the client’s credentials to itself', async () => {
    const headers = {
      ...spdy,
      authorization: 'Bearer secret',
      'x-stream-protocol-version': 'v5.channel.k8s.io, v4.channel.k8s.io',
    };
    const said = await upgrade(`${PODS}/one/exec?command=id&stdout=true`, headers, 'bytes');
    assert.match(said, /^HTTP\/1\.1 101 Switching Protocols\r\n[^]*Upgrade: SPDY\/3\.1\r\n[^]*\r\n\r\nBYTES$/);
    const { line, headers: sent } = seen.at(-1)!;
    assert.equal(line, 'POST /exec/default/one/c?output=1&command=id');
    assert.deepEqual(
      [sent.authorization, sent['x-stream-protocol-version']],
      [undefined, 'v5.channel.k8s.io, v4.channel.k8s.io'],
    );
  });

  it('exec hands the kubelet’s refusal through', async () => {
    assert.match(
      await upgrade(`${PODS}/gone/exec?command=id`, spdy),
      /^HTTP\/1\.1 400 Bad Request\r\n[^]*\r\n\r\ncontainer not found \("c"\)$/,
    );
  });

  it('exec of a pod without a node is refused', async () => {
    assert.match(
      await upgrade(`${PODS}/pending/exec?command=id`, spdy),
      /"message":"pod pending does not have a host assigned"/,
    );
  });

  it('portforward names no ports for SPDY and passes those of old clients', async () => {
    await upgrade(`${PODS}/one/portforward?ports=80&ports=81`, spdy, 'x');
    assert.equal(seen.at(-1)!.line, 'POST /portForward/default/one?port=80&port=81');
  });

  it('proxies any method with body, headers and query, and turns redirects round', async () => {
    const {
      status,
      headers,
      text: body,
    } = await api.call(
      'PUT',
      `${PODS}/https:one:8443/proxy/a%2Fb?q=1`,
      { some: 'body' },
      { authorization: 'Bearer secret', 'x-mine': '1' },
    );
    assert.deepEqual(
      [status, body, headers['x-own'], headers['location']],
      [200, 'from backend', 'yes', `${PODS}/https:one:8443/proxy/next`],
    );
    const { to, line, headers: sent, body: got } = seen.at(-1)!;
    assert.deepEqual([to, line, got], ['pod n1 10.244.0.7:8443 true', 'PUT /a%2Fb?q=1', '{"some":"body"}']);
    assert.deepEqual([sent.authorization, sent['x-mine'], sent.host], [undefined, '1', '10.244.0.7:8443']);
  });

  it('proxies to the first declared port, services by port, nodes to their kubelet', async () => {
    const where = async (path: string) => {
      await api.call('GET', path);
      return seen.at(-1)!.to;
    };
    assert.equal(await where(`${PODS}/one/proxy/`), 'pod n1 10.244.0.7:8080 false');
    assert.equal(await where('/api/v1/namespaces/default/services/web:http/proxy/'), 'service default/web:http');
    assert.equal(await where('/api/v1/nodes/n1/proxy/healthz'), 'kubelet n1:10250');
    assert.equal(await where('/api/v1/nodes/n1:9100/proxy/metrics'), 'node n1:9100 false');
  });

  it('proxies upgrades', async () => {
    const said = await upgrade(`${PODS}/one/proxy/ws`, { connection: 'Upgrade', upgrade: 'websocket' }, 'hello');
    assert.match(said, /101 Switching Protocols[^]*HELLO$/);
  });

  it('sends browsers to the path with a slash', async () => {
    const { status, headers } = await api.call('GET', `${PODS}/one/proxy?a=1`);
    assert.deepEqual([status, headers['location']], [301, `${PODS}/one/proxy/?a=1`]);
  });

  it('says that a Service has no endpoints', async () => {
    const { status, body } = await api.call('GET', '/api/v1/namespaces/default/services/web:none/proxy/');
    assert.deepEqual([status, body.message], [503, 'no endpoints available for service "web"']);
  });
});
