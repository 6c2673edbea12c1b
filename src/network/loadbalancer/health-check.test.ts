import assert from 'node:assert/strict';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import type { Service } from '#generated/api/core-v1.ts';
import { endpointslices, services } from '#generated/resources.ts';
import { SteppedClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { SeededRandom } from '#base/random.ts';
import { createInformers } from '#client/informers.ts';
import { createClient } from '#client/rest-client.ts';
import { TestApi } from '#client/testing.ts';
import { createInProcessTransport } from '#client/transports/in-process.ts';
import { healthCheckAnswer, healthCheckPort } from './health-check.ts';
import { HealthCheckPorts } from './health-check-ports.ts';

const makeService = (spec: Service['spec'] = {}): Service => ({
  metadata: { namespace: 'db', name: 'pg' },
  spec: { type: 'LoadBalancer', externalTrafficPolicy: 'Local', ...spec },
});

describe('healthCheckPort', () => {
  const cases: readonly [string, Service['spec'], number | undefined][] = [
    ['of a load balancer under policy Local', { healthCheckNodePort: 31000 }, 31000],
    ['under policy Cluster', { externalTrafficPolicy: 'Cluster', healthCheckNodePort: 31000 }, undefined],
    ['of another type', { type: 'NodePort', healthCheckNodePort: 31000 }, undefined],
    ['that has none', {}, undefined],
  ];
  for (const [name, spec, want] of cases)
    it(`is ${want} for a service ${name}`, () => assert.equal(healthCheckPort(makeService(spec)), want));
});

describe('healthCheckAnswer', () => {
  for (const [count, healthy, status] of [
    [2, true, 200],
    [0, true, 503],
    [2, false, 503],
  ] as const)
    it(`is ${status} with ${count} endpoints here and a proxy that is ${healthy ? 'well' : 'behind'}`, () => {
      const answer = healthCheckAnswer({ namespace: 'db', name: 'pg' }, count, healthy);
      assert.equal(answer.status, status);
      assert.equal(answer.headers['x-load-balancing-endpoint-weight'], String(count));
      assert.deepEqual(JSON.parse(answer.body), {
        service: { namespace: 'db', name: 'pg' },
        localEndpoints: count,
        serviceProxyHealthy: healthy,
      });
    });
});

/** A port of the loopback that is free now. */
const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

const ask = (port: number): Promise<string> =>
  new Promise((resolve) => {
    const asked = request({ host: '127.0.0.1', port, path: '/healthz', agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () =>
        resolve(`${response.statusCode} ${(JSON.parse(text) as { localEndpoints: number }).localEndpoints}`),
      );
    });
    asked.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    asked.end();
  });

/** Real sockets take their own time. */
const eventually = async (port: number, want: string): Promise<void> => {
  let answer = '';
  for (let i = 0; i < 200 && answer !== want; i++) answer = await ask(port);
  assert.equal(answer, want);
};

/** Ports of node `one`, and what they tell. */
function makePorts(onEvent: () => void = () => {}) {
  const api = new TestApi();
  const clock = new SteppedClock();
  const client = createClient({
    transport: createInProcessTransport(api.exchange, { name: 'node', groups: [] }),
    clock,
    userAgent: 'test',
  });
  const informers = createInformers({ client, clock, random: new SeededRandom(1), log: silentLog }, { freeze: true });
  const said: string[] = [];
  const ports = new HealthCheckPorts({
    services: informers.informer(services),
    slices: informers.informer(endpointslices),
    clock,
    log: silentLog,
    events: {
      event: (_about, _ref, _type, reason, message) => {
        said.push(`${reason}: ${message}`);
        onEvent();
      },
    },
    nodeName: 'one',
    nodeIPs: ['127.0.0.1'],
    isProxyHealthy: () => true,
  });
  return { api, clock, informers, said, ports };
}

describe('HealthCheckPorts', () => {
  it('opens, answers, moves and closes with the service, and waits for a port that is taken', async () => {
    const { api, clock, informers, said, ports } = makePorts();
    const [first, second] = [await freePort(), await freePort()];
    api.put(services, makeService({ healthCheckNodePort: first }));
    const signal = new AbortController().signal;
    const started = Promise.all([informers.start(signal), ports.start(signal)]);
    await clock.step(100);
    await started;
    await eventually(first, '503 0');
    api.put(endpointslices, {
      metadata: { namespace: 'db', name: 'pg-1', labels: { 'kubernetes.io/service-name': 'pg' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['10.244.1.5'], nodeName: 'one', conditions: { ready: true } }],
    });
    await clock.step(100);
    await eventually(first, '200 1');

    const other = createServer();
    await new Promise<void>((resolve) => other.listen(second, '127.0.0.1', resolve));
    api.put(services, makeService({ healthCheckNodePort: second }));
    await clock.step(100);
    await eventually(first, 'ECONNREFUSED');
    for (let i = 0; i < 100 && said.length === 0; i++) await clock.step(1);
    assert.match(
      said[0]!,
      new RegExp(`^FailedToStartServiceHealthcheck: node one failed to start healthcheck "db/pg" on port ${second}: `),
    );
    await new Promise<void>((resolve) => other.close(() => resolve()));
    await clock.step(10_000);
    await eventually(second, '200 1');
    api.remove(services, 'db/pg');
    await clock.step(100);
    await eventually(second, 'ECONNREFUSED');
    await ports.stop();
    await informers.stop();
  });

  it('opens nothing once it is stopped, though a port was found taken while it stopped', async () => {
    let stopped: Promise<void> | undefined;
    const { api, clock, informers, said, ports } = makePorts(() => (stopped = ports.stop()));
    const port = await freePort();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
    const signal = new AbortController().signal;
    const started = Promise.all([informers.start(signal), ports.start(signal)]);
    await clock.step(100);
    await started;
    api.put(services, makeService({ healthCheckNodePort: port }));
    await clock.step(100);
    for (let i = 0; i < 100 && said.length === 0; i++) await clock.step(1);
    await stopped!;
    await new Promise<void>((resolve) => other.close(() => resolve()));
    await clock.step(20_000);
    for (let i = 0; i < 20; i++) assert.equal(await ask(port), 'ECONNREFUSED');
    await informers.stop();
  });
});
