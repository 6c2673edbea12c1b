// An API server on the memory store for tests: everything real but the store, with everybody allowed everything unless a test
// says otherwise.
import { SteppedClock, type Clock } from '#base/clock.ts';
import { silentLog, type Log } from '#base/log.ts';
import { MetricsRegistry } from '#base/metrics.ts';
import { SeededRandom } from '#base/random.ts';
import { builtinKinds } from '#kinds/registry.ts';
import { readBody, type ExchangeResponse, type UserInfo } from '#machinery/exchange.ts';
import { createMemoryStore } from '#store/memory.ts';
import type { Store } from '#store/store.ts';
import type { AdmissionPlugin, Authorizer } from './pipeline.ts';
import { createApiServer, type ApiServer, type ApiServerDeps, type ApiServerOptions } from './server.ts';

export const testUser: UserInfo = { name: 'tester', groups: ['system:masters', 'system:authenticated'] };

export interface TestServerOptions extends Partial<ApiServerOptions> {
  readonly clock?: Clock;
  readonly log?: Log;
  readonly store?: Store;
  readonly admission?: readonly AdmissionPlugin[];
  readonly authorizer?: Authorizer;
  readonly deps?: Partial<ApiServerDeps>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  // Tests look deep into answers of every kind.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any;
  readonly text: string;
}

export interface TestServer {
  readonly server: ApiServer;
  readonly store: Store;
  readonly clock: Clock;
  /** A request as JSON, answered whole. */
  call(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
    user?: UserInfo,
  ): Promise<Answer>;
  raw(
    method: string,
    path: string,
    body?: Uint8Array,
    headers?: Readonly<Record<string, string>>,
    user?: UserInfo,
    signal?: AbortSignal,
  ): Promise<ExchangeResponse>;
  stop(): Promise<void>;
}

export function testServerParts(options: TestServerOptions = {}): { server: ApiServer; store: Store; clock: Clock } {
  const clock = options.clock ?? new SteppedClock();
  const store = options.store ?? createMemoryStore({ clock });
  const server = createApiServer(
    {
      serviceCIDR: '10.96.0.0/12',
      nodePortRange: [30000, 32767],
      advertise: { ip: '192.0.2.10', port: 6443 },
      platform: 'linux/amd64',
      runtime: 'node26',
      audiences: ['https://kubernetes.default.svc.cluster.local'],
      ...options,
    },
    {
      store,
      clock,
      random: new SeededRandom(1),
      log: options.log ?? silentLog,
      metrics: new MetricsRegistry(),
      kinds: builtinKinds() as unknown as ApiServerDeps['kinds'],
      authenticator: { authenticate: async (request) => ({ user: request.peer.user ?? testUser }) },
      authorizer: options.authorizer ?? { authorize: () => ({ decision: 'allow', reason: '' }) },
      admission: options.admission ?? [],
      ...options.deps,
    },
  );
  return { server, store, clock };
}

export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const { server, store, clock } = testServerParts(options);
  await server.start(new AbortController().signal);
  await server.ready();
  const raw: TestServer['raw'] = (
    method,
    path,
    body,
    headers = {},
    user = testUser,
    signal = new AbortController().signal,
  ) => server.exchange({ method, path, headers, body, peer: { user }, signal });
  return {
    server,
    store,
    clock,
    raw,
    async call(method, path, body, headers = {}, user = testUser) {
      const bytes =
        body === undefined
          ? undefined
          : typeof body === 'string'
            ? Buffer.from(body)
            : Buffer.from(JSON.stringify(body));
      const response = await raw(
        method,
        path,
        bytes,
        { 'content-type': 'application/json', 'user-agent': 'test/1', ...headers },
        user,
      );
      const text = Buffer.from(await readBody(response.body)).toString('utf8');
      return {
        status: response.status,
        headers: response.headers,
        text,
        body: text.startsWith('{') ? JSON.parse(text) : undefined,
      };
    },
    async stop() {
      await server.stop();
      await store.close();
    },
  };
}
