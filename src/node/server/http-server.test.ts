import assert from 'node:assert/strict';
import https from 'node:https';
import { after, before, describe, it } from 'node:test';
import { SteppedClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { MetricsRegistry } from '#base/metrics.ts';
import type { Client } from '#client/client.ts';
import { StatusError } from '#machinery/status.ts';
import { createAuthority, createLeaf } from '#pki/certificates.ts';
import type { CertificatePair } from '#pki/keys.ts';
import { partsOf } from './http-auth.ts';
import { KubeletHttpServer, logOptions } from './http-server.ts';
import type { NodeServer } from './node-server.ts';

describe('partsOf', () => {
  const cases: readonly [string, readonly string[]][] = [
    ['/metrics/resource', ['metrics']],
    ['/stats/summary', ['stats']],
    ['/pods', ['pods', 'proxy']],
    ['/podsandmore', ['proxy']],
    ['/healthz', ['healthz', 'proxy']],
    ['/containerLogs/a/b/c', ['proxy']],
    ['/exec/a/b/c', ['proxy']],
    ['/logs/', ['log']],
    ['/logs', ['log']],
    ['/runningpods/', ['pods', 'proxy']],
    ['/configz', ['configz', 'proxy']],
    ['/statusz', ['statusz', 'proxy']],
    ['/checkpoint/a/b/c', ['checkpoint']],
    ['/spec/', ['proxy']],
    ['/run/a/b/c', ['proxy']],
    ['/attach/a/b/c', ['proxy']],
    ['/portForward/a/b', ['proxy']],
    ['/', ['proxy']],
  ];
  for (const [path, parts] of cases)
    it(`asks for ${parts.join(', then ')} at ${path}`, () => assert.deepEqual(partsOf(path), parts));
});

describe('logOptions', () => {
  it('reads the names of PodLogOptions', () => {
    const query = new URLSearchParams(
      'follow=true&tailLines=0&sinceSeconds=5&timestamps=true&limitBytes=10&previous=false',
    );
    assert.deepEqual(logOptions(query), {
      follow: true,
      previous: false,
      timestamps: true,
      tailLines: 0,
      sinceSeconds: 5,
      limitBytes: 10,
    });
  });
});

describe('KubeletHttpServer', () => {
  let authority: CertificatePair;
  let server: KubeletHttpServer;
  /** `user verb part` that are allowed. */
  let allowed: string[] = [];
  let reviews: string[] = [];
  const leaf = async (commonName: string, organizations: string[], by = authority) => {
    const now = Date.now();
    return createLeaf(by, {
      commonName,
      organizations,
      names: { dnsNames: ['node-1'], ipAddresses: [] },
      extendedUsages: ['client auth', 'server auth'],
      notBeforeMs: now - 60_000,
      notAfterMs: now + 3_600_000,
    });
  };
  let isApiDown = false;
  const clock = new SteppedClock();
  const client = {
    resource: (ref: { kind: string }) => ({
      create: async (review: {
        spec: {
          token?: string;
          user?: string;
          resourceAttributes?: { verb: string; subresource: string; name: string };
        };
      }) => {
        if (isApiDown) throw StatusError.internal('connection refused');
        if (ref.kind === 'TokenReview') {
          reviews.push(`token ${review.spec.token}`);
          return {
            status:
              review.spec.token === 'good'
                ? { authenticated: true, user: { username: 'scraper', groups: [] } }
                : { authenticated: false },
          };
        }
        const { verb, subresource, name } = review.spec.resourceAttributes!;
        assert.equal(name, 'node-1');
        const asked = `${review.spec.user} ${verb} ${subresource}`;
        reviews.push(asked);
        return { status: { allowed: allowed.includes(asked) } };
      },
    }),
  } as unknown as Client;
  const node: Partial<NodeServer> = {
    nodeName: 'node-1',
    pods: () => [{ metadata: { name: 'p', namespace: 'd' } }],
    healthy: async () => true,
    containerLogs(namespace, pod, container, options) {
      if (container === 'x') throw StatusError.badRequest('container x is not valid for pod p');
      return (async function* () {
        yield Buffer.from(`${namespace}/${pod}/${container} tail=${options.tailLines}\n`);
        yield Buffer.from('more\n');
      })();
    },
    statsSummary: async () => ({
      node: {
        nodeName: 'node-1',
        cpu: { time: '2026-01-01T00:00:00Z', usageCoreNanoSeconds: 2e9 },
        memory: { time: '2026-01-01T00:00:00Z', workingSetBytes: 5 },
      },
      pods: [],
    }),
    execUrl: async () => {
      throw StatusError.badRequest('container not found ("c")');
    },
  };
  before(async () => {
    authority = await createAuthority('test', Date.now());
    const own = await leaf('node-1', []);
    server = new KubeletHttpServer(
      {
        host: '127.0.0.1',
        port: 0,
        certificate: own.certificate,
        privateKey: own.key,
        clientCa: authority.certificate,
      },
      { server: node as NodeServer, client, clock, log: silentLog, metrics: new MetricsRegistry() },
    );
    await server.start();
  });
  after(() => server.stop());

  function get(path: string, options: https.RequestOptions = {}): Promise<{ status: number; body: string }> {
    return new Promise((resolve, reject) => {
      const request = https.request(
        { host: '127.0.0.1', port: server.port, path, rejectUnauthorized: false, agent: false, ...options },
        (response) => {
          let body = '';
          response.on('data', (chunk) => (body += chunk));
          response.on('end', () => resolve({ status: response.statusCode!, body }));
        },
      );
      request.on('error', reject);
      request.end();
    });
  }
  const master = async () => {
    const pair = await leaf('kube-apiserver-kubelet-client', ['system:masters']);
    return { cert: pair.certificate, key: pair.key };
  };
  const bearer = (token: string): https.RequestOptions => ({ headers: { authorization: `Bearer ${token}` } });

  it('answers nobody who does not say who he is', async () => {
    for (const path of ['/pods', '/healthz', '/metrics', '/exec/d/p/c?command=id'])
      assert.deepEqual(await get(path), { status: 401, body: 'Unauthorized' });
  });

  it('does not believe certificates of another authority', async () => {
    const other = await leaf('x', ['system:masters'], await createAuthority('other', Date.now()));
    assert.equal((await get('/pods', { cert: other.certificate, key: other.key })).status, 401);
  });

  it('lets the API server in without asking it', async () => {
    reviews = [];
    const { status, body } = await get('/pods', await master());
    assert.deepEqual([status, (JSON.parse(body) as { items: unknown[] }).items.length, reviews], [200, 1, []]);
  });

  it('asks who a token is and what he may, once', async () => {
    allowed = ['scraper get metrics'];
    reviews = [];
    assert.equal((await get('/metrics/resource', bearer('good'))).status, 200);
    assert.equal((await get('/metrics', bearer('good'))).status, 200);
    assert.deepEqual(reviews, ['token good', 'scraper get metrics']);
    assert.equal((await get('/metrics', bearer('bad'))).status, 401);
  });

  it('falls back from the narrow right to nodes/proxy, and refuses in upstream’s words', async () => {
    allowed = ['scraper get proxy'];
    reviews = [];
    assert.equal((await get('/pods', bearer('good'))).status, 200);
    assert.deepEqual(reviews, ['scraper get pods', 'scraper get proxy']);
    const stats = await get('/stats/summary', bearer('good'));
    assert.deepEqual(stats, {
      status: 403,
      body: 'Forbidden (user=scraper, verb=get, resource=nodes, subresource(s)=[stats])\n',
    });
  });

  it('asks for the verb that the method stands for', async () => {
    await clock.step(301_000);
    allowed = [];
    for (const [method, verb] of [
      ['GET', 'get'],
      ['POST', 'create'],
      ['PUT', 'update'],
      ['PATCH', 'patch'],
      ['DELETE', 'delete'],
      ['OPTIONS', ''],
    ] as const) {
      const { status, body } = await get('/run/d/p/c', { ...bearer('good'), method });
      assert.deepEqual(
        [status, body],
        [403, `Forbidden (user=scraper, verb=${verb}, resource=nodes, subresource(s)=[proxy])\n`],
      );
    }
  });

  it('asks for get on nodes/proxy when a WebSocket is to be opened', async () => {
    await clock.step(301_000);
    const headers = { connection: 'Upgrade', upgrade: 'websocket', authorization: 'Bearer good' };
    allowed = ['scraper create proxy'];
    assert.match((await get('/exec/d/p/c?command=id&output=1', { headers })).body, /verb=get, .*\[proxy\]/);
  });

  it('believes a yes for five minutes and a no for half a minute', async () => {
    await clock.step(301_000);
    allowed = ['scraper get stats'];
    reviews = [];
    const asks = async (path: string) => [(await get(path, bearer('good'))).status, reviews.splice(0).at(-1)];
    assert.deepEqual(await asks('/stats/summary'), [200, 'scraper get stats']);
    assert.deepEqual(await asks('/logs/'), [403, 'scraper get log']);
    allowed = ['scraper get log'];
    assert.deepEqual(await asks('/stats/summary'), [200, undefined]);
    assert.deepEqual(await asks('/logs/'), [403, undefined]);
    await clock.step(30_001);
    assert.deepEqual(await asks('/stats/summary'), [200, undefined]);
    assert.deepEqual(await asks('/logs/'), [404, 'scraper get log']);
    await clock.step(270_000);
    assert.deepEqual(await asks('/stats/summary'), [403, 'scraper get stats']);
  });

  it('lets nobody in while the API server does not answer, and asks again', async () => {
    await clock.step(301_000);
    isApiDown = true;
    assert.deepEqual(await get('/metrics', bearer('good')), { status: 401, body: 'Unauthorized' });
    isApiDown = false;
    allowed = ['scraper get metrics'];
    assert.equal((await get('/metrics', bearer('good'))).status, 200);
    isApiDown = true;
    assert.deepEqual(await get('/checkpoint/', bearer('good')), {
      status: 500,
      body: 'Authorization error (user=scraper, verb=get, resource=nodes, subresource=checkpoint)',
    });
    isApiDown = false;
  });

  it('streams logs, and answers with the reason when there are none', async () => {
    const who = await master();
    assert.deepEqual(await get('/containerLogs/d/p/c?tailLines=3', who), { status: 200, body: 'd/p/c tail=3\nmore\n' });
    assert.deepEqual(await get('/containerLogs/d/p/x', who), {
      status: 400,
      body: 'container x is not valid for pod p',
    });
  });

  it('says before the upgrade that there is no such container', async () => {
    const headers = { connection: 'Upgrade', upgrade: 'SPDY/3.1' };
    assert.deepEqual(await get('/exec/d/p/c?command=id&output=1', { ...(await master()), method: 'POST', headers }), {
      status: 400,
      body: 'container not found ("c")',
    });
    assert.equal(
      (await get('/exec/d/p/c?output=1', { ...(await master()), headers })).body,
      'you must specify at least 1 command for the container',
    );
    assert.deepEqual(await get('/exec/d/p/c?command=id', await master()), {
      status: 400,
      body: 'Upgrade request required',
    });
  });

  it('knows no other paths', async () => {
    assert.equal((await get('/nothing', await master())).status, 404);
    assert.equal((await get('/pods', { ...(await master()), method: 'DELETE' })).status, 405);
  });
});
