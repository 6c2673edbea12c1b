// Ingress by the real HAProxy: what the model says of a request is what the proxy does with it.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Ingress } from '#generated/api/networking-v1.ts';
import { buildIngressModel, findRoute, type IngressModel } from '#netmodel/ingress.ts';
import { proxyConfiguration, type ProxyConfiguration } from '#netmodel/ingress-haproxy.ts';
import { assignSlots, slotCommands, type Slots } from '#netmodel/ingress-slots.ts';
import { makeIngress, makeIngressFacts, type ServiceSketch } from '#netmodel/ingress-builders.ts';
import { Haproxy } from '#network/ingress/haproxy.ts';
import { SeededRandom } from '#base/random.ts';
import { createAuthority, createLeaf } from '#pki/certificates.ts';
import type { CertificatePair } from '#pki/keys.ts';
import { CLIENT, IngressLab, NODE } from './ingress-lab.ts';
import type { Answer, Ask } from './ingress-worker.ts';

const HTTP = 10080;
const HTTPS = 10443;

describe('Ingress through HAProxy', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  const lab = new IngressLab();
  let proxy: Haproxy;
  let authority: CertificatePair;
  let fallback: string;
  let model: IngressModel;
  let slots = new Map<string, Slots>();
  let applied: ProxyConfiguration | undefined;
  let reloads = 0;

  const pem = async (name: string, ...more: string[]): Promise<string> => {
    const now = Date.now();
    const pair = await createLeaf(authority, {
      commonName: name,
      names: { dnsNames: [name, ...more], ipAddresses: [] },
      extendedUsages: ['server auth'],
      notBeforeMs: now - 60_000,
      notAfterMs: now + 3_600_000,
    });
    return pair.certificate + pair.key;
  };

  /** Brings the proxy to these objects as the agent does: by commands where they do. */
  const apply = async (
    ingresses: readonly Ingress[],
    services: Readonly<Record<string, ServiceSketch>>,
    secrets: Readonly<Record<string, string>> = {},
  ): Promise<void> => {
    model = buildIngressModel(makeIngressFacts(ingresses, services, Object.keys(secrets)));
    const next = new Map([...model.upstreams.values()].map((u) => [u.id, assignSlots(slots.get(u.id), u.targets)]));
    const configuration = proxyConfiguration(model, next, new Map(Object.entries(secrets)), fallback, {
      folder: lab.folder,
      addresses: [NODE],
      httpPort: HTTP,
      httpsPort: HTTPS,
      threads: 2,
    });
    if (applied?.structure === configuration.structure) {
      const commands = [...next].flatMap(([id, now]) => slotCommands(id, slots.get(id) ?? [], now));
      if (commands.length > 0) await proxy.command(commands, configuration);
    } else {
      assert.equal(await proxy.check(configuration), undefined);
      await proxy.replace(configuration);
      reloads++;
    }
    slots = next;
    applied = configuration;
  };
  const get = (host: string, path: string, more: Partial<Ask> = {}): Promise<Answer> =>
    lab.call('ask', { ip: NODE, port: more.tls === true ? HTTPS : HTTP, host, path, from: CLIENT, ...more });
  const nameOf = (answer: Answer): string =>
    answer.status === 200 ? (JSON.parse(answer.body) as { name: string }).name : String(answer.status);
  const seen = (answer: Answer) =>
    JSON.parse(answer.body) as {
      name: string;
      url: string;
      version: string;
      headers: Record<string, string>;
      received: number;
    };

  before(async () => {
    await lab.start();
    proxy = new Haproxy({ ...lab, program: 'haproxy', folder: lab.folder });
    authority = await createAuthority('test', Date.now());
    fallback = await pem('fallback.invalid');
    for (const [index, name] of ['a', 'b', 'c', 'd', 'e'].entries())
      await lab.call('serve', { ip: `10.244.1.${index + 1}`, port: 8080, name, kind: 'http' });
  });
  after(async () => {
    await proxy?.stop();
    await lab.stop();
  });

  it('sends every request where the model says', async () => {
    await apply(
      [
        makeIngress('one', {
          routes: {
            'shop.example/': 'a',
            'shop.example/api': 'b',
            'shop.example/api/v1/': 'c',
            '=shop.example/api': 'd',
            '*.shop.example/': 'b',
            '*.shop.example/only': 'c',
            'dots.example/a%20b': 'a',
            'dots.example/ä': 'e',
            '/everywhere': 'e',
          },
        }),
        makeIngress('two', { age: 1, routes: { 'bare.example/x': 'empty', 'bare.example/y': 'gone' } }),
        makeIngress('three', { age: 2, routes: { 'fall.example/in': 'a' }, defaultBackend: 'b' }),
        makeIngress('four', { age: 3, routes: { 'fell.example/in': 'a' }, defaultBackend: 'c' }),
      ],
      {
        a: { endpoints: ['10.244.1.1:8080'] },
        b: { endpoints: ['10.244.1.2:8080'] },
        c: { endpoints: ['10.244.1.3:8080'] },
        d: { endpoints: ['10.244.1.4:8080'] },
        e: { endpoints: ['10.244.1.5:8080'] },
        empty: {},
      },
    );
    const rows: [string, string, string][] = [
      ['shop.example', '/', 'a'],
      ['SHOP.example:10080', '/', 'a'],
      ['shop.example.', '/', 'a'],
      ['shop.example', '/api', 'd'],
      ['shop.example', '/api?x=1', 'd'],
      ['shop.example', '/api/', 'b'],
      ['shop.example', '/api/v1', 'c'],
      ['shop.example', '/api/v1/x', 'c'],
      ['shop.example', '/api/v11', 'b'],
      ['shop.example', '/apis', 'a'],
      ['shop.example', '/%61pi', 'd'],
      ['www.shop.example', '/x', 'b'],
      ['www.shop.example', '/only/x', 'c'],
      ['deep.www.shop.example', '/x', 'b'],
      ['deep.www.shop.example', '/everywhere/x', 'e'],
      ['nobody.example', '/everywhere', 'e'],
      ['shop.example', '/everywhere', 'a'],
      ['dots.example', '/%C3%A4/x', 'e'],
      ['bare.example', '/x', '503'],
      ['bare.example', '/y', '503'],
      ['bare.example', '/z', 'b'],
      ['fall.example', '/in', 'a'],
      ['fall.example', '/out', 'b'],
      ['fell.example', '/out', 'c'],
      ['10.0.0.1', '/out', 'b'],
    ];
    for (const [host, path, expected] of rows) {
      const answer = nameOf(await get(host, path));
      assert.equal(answer, expected, `${host}${path}`);
      const route = findRoute(model, host, path.split('?')[0]!);
      const service =
        route === undefined ? '404' : (model.upstreams.get(route.upstream)?.service.split('/')[1] ?? '503');
      assert.equal(service === 'empty' ? '503' : service, expected, `the model of ${host}${path}`);
    }
  });

  it('answers 404 where no rule is, 400 to paths that climb, and never follows them', async () => {
    await apply([makeIngress('one', { routes: { 'shop.example/public': 'a' } })], {
      a: { endpoints: ['10.244.1.1:8080'] },
    });
    assert.equal((await get('shop.example', '/private')).status, 404);
    assert.equal((await get('other.example', '/public')).status, 404);
    for (const path of ['/public/../private', '/public/%2e%2e/private', '/public/..%2fprivate', '/public/%00'])
      assert.equal((await get('shop.example', path)).status, 400, path);
    assert.match(
      await lab.call('raw', { ip: NODE, port: HTTP, text: 'GET /public HTTP/1.0\r\n\r\n' }),
      /^HTTP\/1\.[01] 404/,
    );
    assert.equal(nameOf(await get('shop.example', '/public/..a/b..')), 'a');
  });

  it('tells endpoints who asked, and does not believe what clients say of it', async () => {
    const answer = seen(
      await get('shop.example', '/public', {
        headers: { 'x-forwarded-for': '1.2.3.4', 'x-forwarded-proto': 'https', forwarded: 'for=1.2.3.4' },
      }),
    );
    assert.deepEqual(
      [
        'x-forwarded-for',
        'x-real-ip',
        'x-forwarded-proto',
        'x-forwarded-host',
        'x-forwarded-port',
        'host',
        'forwarded',
      ].map((h) => answer.headers[h]),
      [CLIENT, CLIENT, 'http', 'shop.example', '80', 'shop.example', undefined],
    );
  });

  it('shows each name its certificate, speaks HTTP/2 by ALPN, and redirects plain HTTP', async () => {
    const secrets = {
      'shop/shop-tls': await pem('shop.example'),
      'shop/wild-tls': await pem('*.wild.example'),
    };
    await apply(
      [
        makeIngress('tls', {
          routes: { 'shop.example/': 'a', 'x.wild.example/': 'b', 'plain.example/': 'c', 'lost.example/': 'c' },
          tls: { 'shop.example': 'shop-tls', '*.wild.example': 'wild-tls', 'lost.example': 'missing' },
        }),
        makeIngress('both', {
          routes: { 'both.example/': 'a' },
          tls: { 'both.example': 'shop-tls' },
          annotations: { 'coracle.dev/ssl-redirect': 'false' },
        }),
      ],
      {
        a: { endpoints: ['10.244.1.1:8080'] },
        b: { endpoints: ['10.244.1.2:8080'] },
        c: { endpoints: ['10.244.1.3:8080'] },
      },
      secrets,
    );
    const shown = async (host: string) => {
      const { certificate, status } = await get(host, '/', { tls: true });
      return [certificate, status];
    };
    assert.deepEqual(await shown('shop.example'), ['shop.example', 200]);
    assert.deepEqual(await shown('x.wild.example'), ['*.wild.example', 200]);
    assert.deepEqual(await shown('lost.example'), ['fallback.invalid', 200]);
    assert.deepEqual(await shown('plain.example'), ['fallback.invalid', 200]);
    const h2 = await get('shop.example', '/', { tls: true, http2: true });
    assert.deepEqual([h2.status, h2.alpn, h2.certificate], [200, 'h2', 'shop.example']);
    assert.equal(seen(h2).headers['x-forwarded-proto'], 'https');
    const redirect = await get('shop.example', '/a?b=c');
    assert.deepEqual([redirect.status, redirect.headers['location']], [308, 'https://shop.example/a?b=c']);
    assert.equal((await get('lost.example', '/')).status, 308);
    assert.equal((await get('plain.example', '/')).status, 200);
    assert.equal((await get('both.example', '/')).status, 200);
    assert.equal((await get('shop.example', '/', { http2: true })).status, 308);
  });

  it('shows a renewed certificate', async () => {
    const ingress = makeIngress('tls', { routes: { 'shop.example/': 'a' }, tls: { 'shop.example': 'shop-tls' } });
    const services = { a: { endpoints: ['10.244.1.1:8080'] } };
    await apply([ingress], services, { 'shop/shop-tls': await pem('old', 'shop.example') });
    assert.equal((await get('shop.example', '/', { tls: true })).certificate, 'old');
    await apply([ingress], services, { 'shop/shop-tls': await pem('new', 'shop.example') });
    assert.equal((await get('shop.example', '/', { tls: true })).certificate, 'new');
    const files = lab.files.list(lab.folder).filter((f) => f.endsWith('.pem'));
    assert.equal(files.length, 2, 'keys that nothing names are removed');
  });

  it('speaks to endpoints as the Service port or the annotation says: h2c, gRPC, HTTPS', async () => {
    const now = Date.now();
    const pair = await createLeaf(authority, {
      commonName: 'endpoint',
      extendedUsages: ['server auth'],
      notBeforeMs: now - 60_000,
      notAfterMs: now + 3_600_000,
    });
    await lab.call('serve', { ip: '10.244.1.6', port: 8080, name: 'h2c', kind: 'h2c' });
    await lab.call('serve', { ip: '10.244.1.7', port: 8443, name: 'https', kind: 'https', pair });
    await lab.call('serve', { ip: '10.244.1.8', port: 50051, name: 'grpc', kind: 'grpc' });
    await apply(
      [
        makeIngress('one', { routes: { 'h2c.example/': 'h2c', 'https.example/': 'https', 'grpc.example/': 'grpc' } }),
        makeIngress('two', {
          routes: { 'said.example/': 'plain' },
          annotations: { 'coracle.dev/backend-protocol': 'GRPC' },
        }),
      ],
      {
        h2c: { endpoints: ['10.244.1.6:8080'], appProtocol: 'kubernetes.io/h2c' },
        https: { endpoints: ['10.244.1.7:8443'], appProtocol: 'https' },
        grpc: { endpoints: ['10.244.1.8:50051'], appProtocol: 'grpc' },
        plain: { endpoints: ['10.244.1.8:50051'] },
      },
    );
    assert.equal(seen(await get('h2c.example', '/')).version, '2.0');
    assert.equal(nameOf(await get('https.example', '/')), 'https');
    const at = { ip: NODE, port: HTTP };
    assert.equal(await lab.call('grpcUnary', { ...at, host: 'grpc.example', text: 'hello' }), 'grpc: hello');
    assert.equal(await lab.call('grpcUnary', { ...at, host: 'said.example', text: 'hello' }), 'grpc: hello');
    const id = await lab.call('openTalk', { ...at, host: 'grpc.example' });
    assert.equal(await lab.call('talk', { id, text: 'one' }), 'grpc: one');
    assert.equal(await lab.call('talk', { id, text: 'two' }), 'grpc: two');
  });

  it('keeps WebSockets open through a reload', async () => {
    const services = { a: { endpoints: ['10.244.1.1:8080'] } };
    const shop = makeIngress('one', { routes: { 'shop.example/': 'a' } });
    await apply([shop], services);
    const plain = await lab.call('openWebSocket', { ip: NODE, port: HTTP, host: 'shop.example', path: '/ws' });
    const secure = await lab.call('openWebSocket', {
      ip: NODE,
      port: HTTPS,
      host: 'shop.example',
      path: '/ws',
      secure: true,
    });
    assert.equal(await lab.call('say', { id: plain, text: 'hi' }), 'a: hi');
    const before = reloads;
    await apply([shop, makeIngress('two', { routes: { 'other.example/': 'a' } })], services);
    assert.equal(reloads, before + 1);
    assert.equal(await lab.call('say', { id: plain, text: 'still' }), 'a: still');
    assert.equal(await lab.call('say', { id: secure, text: 'there' }), 'a: there');
    assert.equal(nameOf(await get('other.example', '/')), 'a');
  });

  it('loses no request while processes are replaced and endpoints come and go', async () => {
    const shop = makeIngress('one', { routes: { 'shop.example/': 'a' } });
    const endpoints = ['10.244.1.1:8080', '10.244.1.2:8080'];
    await apply([shop], { a: { endpoints } });
    await lab.call('startLoad', { ask: { ip: NODE, port: HTTP, host: 'shop.example', path: '/?wait=3' }, clients: 8 });
    const before = reloads;
    for (let i = 0; i < 6; i++) {
      await apply([shop, makeIngress(`more-${i}`, { routes: { 'other.example/': 'a' } })], { a: { endpoints } });
      await new Promise((resolve) => lab.clock.setTimer(250, () => resolve(undefined)));
    }
    assert.ok(reloads > before, 'processes were replaced');
    const structural = reloads;
    for (const set of [['3'], ['3', '4'], ['4', '5'], ['1']]) {
      await apply([shop, makeIngress('more-5', { routes: { 'other.example/': 'a' } })], {
        a: { endpoints: set.map((n) => `10.244.1.${n}:8080`) },
      });
      await new Promise((resolve) => lab.clock.setTimer(200, () => resolve(undefined)));
    }
    assert.equal(reloads, structural, 'endpoints change without a new process');
    const { ok, failures, by } = await lab.call('stopLoad', undefined);
    assert.deepEqual(failures, []);
    assert.ok(ok > 200, `${ok} requests`);
    assert.deepEqual(Object.keys(by).sort(), ['a', 'b', 'c', 'd', 'e']);
  });

  it('tries another endpoint when one does not answer the door', async () => {
    await apply([makeIngress('one', { routes: { 'shop.example/': 'a' } })], {
      a: { endpoints: ['10.244.1.19:8080', '10.244.1.2:8080'] },
    });
    for (let i = 0; i < 4; i++) assert.equal(nameOf(await get('shop.example', '/')), 'b');
  });

  it('outgrows its slots by a new process', async () => {
    const ips = Array.from({ length: 12 }, (_, i) => `10.244.1.${i < 5 ? i + 1 : 1}:${i < 5 ? 8080 : 9000 + i}`);
    const before = reloads;
    await apply([makeIngress('one', { routes: { 'shop.example/': 'a' } })], { a: { endpoints: ips } });
    assert.equal(reloads, before + 1);
    assert.equal((await get('shop.example', '/')).status, 200);
  });

  it('obeys the annotations: size, time, affinity', async () => {
    await apply(
      [
        makeIngress('small', { routes: { 'small.example/': 'a' }, annotations: { 'coracle.dev/max-body-size': '1k' } }),
        makeIngress('quick', { routes: { 'quick.example/': 'a' }, annotations: { 'coracle.dev/timeout': '1s' } }),
        makeIngress('sticky', {
          routes: { 'sticky.example/': 'many' },
          annotations: { 'coracle.dev/affinity': 'cookie' },
        }),
      ],
      {
        a: { endpoints: ['10.244.1.1:8080'] },
        many: { endpoints: ['1', '2', '3', '4'].map((n) => `10.244.1.${n}:8080`) },
      },
    );
    assert.equal((await get('small.example', '/', { method: 'POST', body: 'x'.repeat(1024) })).status, 200);
    assert.equal((await get('small.example', '/', { method: 'POST', body: 'x'.repeat(1025) })).status, 413);
    assert.equal((await get('quick.example', '/?wait=100')).status, 200);
    assert.equal((await get('quick.example', '/?wait=1500')).status, 504);
    const first = await get('sticky.example', '/');
    const cookie = String(first.headers['set-cookie']).split(';')[0]!;
    for (let i = 0; i < 6; i++)
      assert.equal(nameOf(await get('sticky.example', '/', { headers: { cookie } })), nameOf(first));
    const without = new Set<string>();
    for (let i = 0; i < 8; i++) without.add(nameOf(await get('sticky.example', '/')));
    assert.equal(without.size, 4);
  });

  it('says what the program has against a configuration', async () => {
    const complaint = await proxy.check({ ...applied!, text: `${applied!.text}backend x\n  nonsense\n` });
    assert.match(complaint ?? '', /unknown keyword 'nonsense'/);
    assert.equal((await get('small.example', '/')).status, 200, 'the running process is not disturbed');
  });

  it('starts even when the process before has lost its socket', async () => {
    lab.files.unlink(`${lab.folder}/admin.sock`);
    await apply([makeIngress('one', { routes: { 'after.example/': 'a' } })], { a: { endpoints: ['10.244.1.1:8080'] } });
    assert.equal(nameOf(await get('after.example', '/')), 'a');
  });

  it('sends away a process that nobody remembers', async () => {
    lab.files.unlink(`${lab.folder}/processes.json`);
    assert.equal(proxy.running(), undefined);
    await apply([makeIngress('one', { routes: { 'other.example/': 'b' } })], { b: { endpoints: ['10.244.1.2:8080'] } });
    for (let i = 0; i < 12; i++) assert.equal((await get('after.example', '/')).status, 404, 'the old routes are gone');
    assert.equal(nameOf(await get('other.example', '/')), 'b');
  });

  it('takes any path and host that the API takes, and finds them as the model does', async () => {
    const seed = Number(process.env['CORACLE_SEED'] ?? Date.now() % 1e9);
    const random = new SeededRandom(seed);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random.next() * list.length)]!;
    const hosts = ['', 'a.example', 'b.example', '*.example', '*.a.example', 'x.a.example'];
    const elements = [
      'a',
      'b',
      'aa',
      'a.b',
      'a-b',
      '%7e',
      '%25',
      '~',
      'ü',
      '$x',
      "it's",
      'a"b',
      '#',
      'a|b',
      '(x)',
      '*',
      'A',
      '\\\\',
      'a;b',
      '{a}',
      '%41',
    ];
    const path = (): string => {
      const text = `/${Array.from({ length: Math.floor(random.next() * 4) }, () => pick(elements)).join('/')}`;
      return random.next() < 0.3 && text !== '/' ? `${text}/` : text;
    };
    const services = Object.fromEntries(
      ['a', 'b', 'c', 'd'].map((n, i) => [n, { endpoints: [`10.244.1.${i + 1}:8080`] }]),
    );
    const ingresses = Array.from({ length: 12 }, (_, age) => {
      const routes = Array.from({ length: 6 }, () => [
        `${random.next() < 0.4 ? '=' : ''}${pick(hosts)}${path()}`,
        pick(Object.keys(services)),
      ]);
      return makeIngress(`i${age}`, {
        age,
        routes: Object.fromEntries(routes) as Record<string, string>,
        ...(age % 5 === 0 ? { defaultBackend: pick(Object.keys(services)) } : {}),
      });
    });
    await apply(ingresses, services);
    for (let i = 0; i < 300; i++) {
      const host = pick([
        'a.example',
        'b.example',
        'c.example',
        'x.a.example',
        'y.a.example',
        'z.y.a.example',
        'other',
      ]);
      // As a client writes it: what a request line cannot hold is escaped.
      const asked = (random.next() < 0.5 ? pick([...model.routes.values()]).path || '/' : path()).replace(
        /%(?![0-9a-f]{2})/gi,
        '%25',
      );
      const written = asked.replace(/[^\x21-\x7e]|[#"\\<>^`{|}?]/g, (c) => encodeURIComponent(c));
      const route = findRoute(model, host, written);
      const expected = route === undefined ? '404' : model.upstreams.get(route.upstream)!.service.split('/')[1];
      assert.equal(nameOf(await get(host, written)), expected, `${host}${written}, seed ${seed}`);
    }
  });

  it('is found again by whoever comes next, and stops when told', async () => {
    const heir = new Haproxy({ ...lab, program: 'haproxy', folder: lab.folder });
    assert.equal(heir.running(), applied!.text);
    await heir.stop();
    assert.equal(heir.running(), undefined);
    await assert.rejects(get('a.example', '/'), /ECONNREFUSED/);
  });
});
