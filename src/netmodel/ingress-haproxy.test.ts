import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Ingress } from '#generated/api/networking-v1.ts';
import { buildIngressModel } from './ingress.ts';
import { makeIngress, makeIngressFacts, type ServiceSketch } from './ingress-builders.ts';
import { proxyConfiguration, type ProxyConfiguration } from './ingress-haproxy.ts';
import { assignSlots } from './ingress-slots.ts';

const PLACE = {
  folder: '/run/x',
  addresses: ['192.168.77.1', 'fd00::1'],
  httpPort: 10080,
  httpsPort: 10443,
  threads: 2,
};

function configure(
  ingresses: readonly Ingress[],
  services: Readonly<Record<string, ServiceSketch>>,
  secrets: Readonly<Record<string, string>> = {},
): ProxyConfiguration {
  const model = buildIngressModel(makeIngressFacts(ingresses, services, Object.keys(secrets)));
  const slots = new Map([...model.upstreams.values()].map((u) => [u.id, assignSlots(undefined, u.targets)]));
  return proxyConfiguration(model, slots, new Map(Object.entries(secrets)), 'DEFAULT', PLACE);
}

describe('proxyConfiguration', () => {
  const web = { endpoints: ['10.244.1.1:8080'] };
  const shop = makeIngress('a', { routes: { 'a.example/x': 'web', '=a.example/y': 'web' }, defaultBackend: 'web' });

  it('puts hosts and paths into maps, endpoints into servers', () => {
    const { text, files } = configure([shop], { web });
    assert.equal(files.get('prefix.map'), 'a.example/x/ shop_web_80|0\n');
    assert.equal(files.get('exact.map'), 'a.example/y shop_web_80|0\n');
    assert.equal(files.get('default.map'), '* shop_web_80|0\na.example shop_web_80|0\n');
    assert.match(
      text,
      /backend shop_web_80\n {2}server s1 10\.244\.1\.1:8080\n {2}server s2 127\.0\.0\.1:1 disabled\n/,
    );
    assert.match(text, / {2}bind 192\.168\.77\.1:10080\n {2}bind \[fd00::1\]:10080\n/);
  });

  it('has the same structure with other endpoints, and another with other routes, certificates or options', () => {
    const base = configure([shop], { web }).structure;
    assert.equal(configure([shop], { web: { endpoints: ['10.244.1.9:8080', '10.244.1.8:8080'] } }).structure, base);
    assert.equal(configure([shop], { web: {} }).structure, base);
    const more = Array.from({ length: 9 }, (_, i) => `10.244.1.${i + 1}:8080`);
    assert.notEqual(configure([shop], { web: { endpoints: more } }).structure, base, 'more slots');
    assert.notEqual(configure([shop, makeIngress('b', { routes: { 'b.example/': 'web' } })], { web }).structure, base);
    const tls = makeIngress('a', { routes: { 'a.example/': 'web' }, tls: { 'a.example': 's' } });
    const [one, two] = ['ONE', 'TWO'].map((pem) => configure([tls], { web }, { 'shop/s': pem }).structure);
    assert.notEqual(one, two);
  });

  it('lists the default certificate first, and hosts with theirs', () => {
    const tls = makeIngress('a', { routes: { 'a.example/': 'web' }, tls: { 'a.example': 's', '*.b.example': 's' } });
    const { files } = configure([tls], { web }, { 'shop/s': 'PEM' });
    const [first, ...rest] = files.get('certificates.list')!.trim().split('\n');
    assert.equal(files.get(first!.replace('/run/x/', '')), 'DEFAULT');
    assert.deepEqual(
      rest.map((l) => l.split(' ')[1]),
      ['a.example', '*.b.example'],
    );
    assert.equal(files.get(rest[0]!.split(' ')[0]!.replace('/run/x/', '')), 'PEM');
  });

  it('lets nothing that a user writes become a directive', () => {
    const evil = 'x\n  http-request return status 666\nbackend evil';
    const strings = [evil, 'a b', '"', "'", '\\', '#', '%[env(HOME)]', '$HOME', '`id`', ';', '|1', '\u2028', '\0'];
    for (const text of strings) {
      const ingress: Ingress = {
        metadata: {
          name: text,
          namespace: 'shop',
          annotations: Object.fromEntries(
            ['timeout', 'max-body-size', 'affinity', 'backend-protocol', 'ssl-redirect', text].map((n) => [
              `coracle.dev/${n}`,
              text,
            ]),
          ),
        },
        spec: {
          ingressClassName: 'coracle',
          defaultBackend: { service: { name: text, port: { name: text } } },
          tls: [{ hosts: [text], secretName: text }],
          rules: [
            {
              host: text,
              http: {
                paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } }],
              },
            },
            {
              host: 'a.example',
              http: {
                paths: [
                  { path: `/${text}`, pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } },
                  { path: `/${text}`, pathType: 'Exact', backend: { service: { name: text, port: { name: text } } } },
                ],
              },
            },
          ],
        },
      };
      const { text: config, files } = configure(
        [ingress],
        { web, [text]: { ...web, portName: text } },
        { [`shop/${text}`]: 'PEM' },
      );
      const plain = configure(
        [makeIngress('a', { routes: { 'a.example/x': 'web', '=a.example/x': 'web' }, defaultBackend: 'web' })],
        { web },
      );
      const shapes = new Set(plain.text.split('\n'));
      for (const line of config.split('\n'))
        assert.ok(shapes.has(line), `${JSON.stringify(text)} made the line ${line}`);
      for (const name of ['exact.map', 'prefix.map', 'default.map'])
        for (const line of files.get(name)!.split('\n').slice(0, -1))
          assert.match(line, /^[^\s#]\S* (shop_web_80|unavailable)\|[01]$/u, `${name} for ${JSON.stringify(text)}`);
      for (const line of files.get('certificates.list')!.trim().split('\n'))
        assert.match(line, /^\/run\/x\/[0-9a-f]{24}\.pem( [a-z0-9.*-]+)?$/);
    }
  });
});
