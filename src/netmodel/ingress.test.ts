import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { keyOf } from '#machinery/object.ts';
import { buildIngressModel, explainRequest, findRoute, ingressTargets, type IngressModel, isOurs } from './ingress.ts';
import { readOptions } from './ingress-annotations.ts';
import {
  type IngressSketch,
  makeIngress,
  makeIngressFacts,
  makeIngressSlices,
  ourClass,
  type ServiceSketch,
} from './ingress-builders.ts';
import { nonHttpProtocol } from './ingress-protocols.ts';

const ONE = { endpoints: ['10.244.1.1:8080'] };

function modelOf(
  sketches: Readonly<Record<string, IngressSketch>>,
  services: Readonly<Record<string, ServiceSketch>> = { web: ONE, api: ONE },
  secrets: readonly string[] = [],
): IngressModel {
  const ingresses = Object.entries(sketches).map(([name, sketch]) => makeIngress(name, sketch));
  return buildIngressModel(makeIngressFacts(ingresses, services, secrets));
}
const serviceOf = (model: IngressModel, host: string, path: string): string => {
  const route = findRoute(model, host, path);
  return route === undefined ? 'none' : (model.upstreams.get(route.upstream)?.service ?? route.upstream);
};
const told = (model: IngressModel): string[] => model.problems.map((p) => `${p.ingress} ${p.code} ${p.field}`);

describe('isOurs', () => {
  it('follows the class by field, and by the annotation of old', () => {
    const other = { metadata: { name: 'nginx' }, spec: { controller: 'k8s.io/ingress-nginx' } };
    const second = { metadata: { name: 'second' }, spec: { controller: 'coracle.dev/ingress' } };
    const classes = [ourClass, other, second];
    assert.equal(isOurs(makeIngress('a', {}), classes), true);
    assert.equal(isOurs(makeIngress('a', { className: 'second' }), classes), true);
    assert.equal(isOurs(makeIngress('a', { className: 'nginx' }), classes), false);
    assert.equal(isOurs(makeIngress('a', { className: 'gone' }), classes), false);
    const { ingressClassName: _, ...spec } = makeIngress('a', {}).spec!;
    const annotated = makeIngress('a', { annotations: { 'kubernetes.io/ingress.class': 'coracle' } });
    assert.equal(isOurs({ ...annotated, spec }, classes), true);
    assert.equal(isOurs({ ...makeIngress('a', {}), spec }, classes), false);
  });
});

describe('findRoute', () => {
  // The table of the API's documentation.
  const table: readonly (readonly [string, string, string, boolean])[] = [
    ['Prefix', '/', '/any', true],
    ['Exact', '/foo', '/foo', true],
    ['Exact', '/foo', '/bar', false],
    ['Exact', '/foo', '/foo/', false],
    ['Exact', '/foo/', '/foo', false],
    ['Prefix', '/foo', '/foo', true],
    ['Prefix', '/foo', '/foo/', true],
    ['Prefix', '/foo/', '/foo', true],
    ['Prefix', '/aaa/bb', '/aaa/bbb', false],
    ['Prefix', '/aaa/bbb', '/aaa/bbb', true],
    ['Prefix', '/aaa/bbb/', '/aaa/bbb', true],
    ['Prefix', '/aaa/bbb', '/aaa/bbb/', true],
    ['Prefix', '/aaa/bbb', '/aaa/bbb/ccc', true],
    ['Prefix', '/aaa/bbb', '/aaa/bbbxyz', false],
  ];
  for (const [type, path, request, matches] of table) {
    it(`${matches ? 'matches' : 'does not match'} ${request} by ${type} ${path}`, () => {
      const model = modelOf({ a: { routes: { [`${type === 'Exact' ? '=' : ''}a.example${path}`]: 'web' } } });
      assert.equal(findRoute(model, 'a.example', request) !== undefined, matches);
    });
  }

  it('takes the longest path, and Exact before Prefix', () => {
    const model = modelOf({ a: { routes: { 'a.example/': 'web', 'a.example/x': 'api', '=a.example/x/y': 'web' } } });
    assert.equal(serviceOf(model, 'a.example', '/x/z'), 'shop/api');
    assert.equal(serviceOf(model, 'a.example', '/x/y'), 'shop/web');
    assert.equal(serviceOf(model, 'a.example', '/xy'), 'shop/web');
  });

  it('goes from the exact host over the wildcard to any, and to default backends last', () => {
    const model = modelOf({
      a: { routes: { 'a.example/x': 'web', '*.example/y': 'api', '/z': 'web' } },
      b: { age: 1, defaultBackend: 'api' },
    });
    assert.equal(serviceOf(model, 'a.example', '/x'), 'shop/web');
    assert.equal(serviceOf(model, 'a.example', '/y'), 'shop/api');
    assert.equal(serviceOf(model, 'a.example', '/z'), 'shop/web');
    assert.equal(serviceOf(model, 'deep.a.example', '/y'), 'shop/api', 'the default: a wildcard is one label');
    assert.equal(findRoute(model, 'deep.a.example', '/y')?.type, 'Default');
  });

  it('prefers the default backend of an Ingress that names the host', () => {
    const model = modelOf({
      old: { routes: { 'a.example/x': 'web' }, defaultBackend: 'web' },
      young: { age: 1, routes: { 'b.example/x': 'web' }, defaultBackend: 'api' },
    });
    assert.equal(serviceOf(model, 'b.example', '/'), 'shop/api');
    assert.equal(serviceOf(model, 'c.example', '/'), 'shop/web');
    assert.deepEqual(told(model), []);
  });
});

describe('buildIngressModel', () => {
  it('gives what two Ingresses claim to the older, and tells the younger', () => {
    const model = modelOf({
      young: { age: 2, routes: { 'a.example/': 'api' } },
      old: { age: 1, routes: { 'a.example/': 'web' } },
    });
    assert.equal(serviceOf(model, 'a.example', '/'), 'shop/web');
    assert.deepEqual(told(model), ['shop/young Conflict spec.rules[0].http.paths[0]']);
    assert.match(model.problems[0]!.message, /already served by Ingress shop\/old/);
  });

  it('tells what a backend lacks, and leaves the rest alone', () => {
    const model = modelOf(
      {
        a: {
          routes: {
            'a.example/1': 'gone',
            'a.example/2': 'web:99',
            'a.example/3': 'web:other',
            'a.example/4': 'far',
            'a.example/5': 'web',
          },
        },
      },
      { web: ONE, far: { type: 'ExternalName' } },
    );
    const at = (n: number, more: string) => `spec.rules[0].http.paths[${n}].backend.service${more}`;
    assert.deepEqual(told(model), [
      `shop/a ServiceMissing ${at(0, '.name')}`,
      `shop/a PortMissing ${at(1, '.port')}`,
      `shop/a PortMissing ${at(2, '.port')}`,
      `shop/a ExternalNameService ${at(3, '.name')}`,
    ]);
    assert.equal(model.problems[2]!.message, 'Service shop/web has no TCP port "other"; it has http (80)');
    assert.deepEqual(
      ['/1', '/2', '/3', '/4', '/5'].map((p) => serviceOf(model, 'a.example', p)),
      ['unavailable', 'unavailable', 'unavailable', 'unavailable', 'shop/web'],
    );
  });

  it('takes a pod with two addresses once', () => {
    const model = modelOf(
      { a: { routes: { 'a.example/': 'web' } } },
      { web: { endpoints: ['[fd00::1]:80', '10.0.0.1:80'] } },
    );
    assert.deepEqual([...model.upstreams.values()][0]!.targets, [{ ip: '10.0.0.1', port: 80 }]);
    const six = modelOf({ a: { routes: { 'a.example/': 'web' } } }, { web: { endpoints: ['[fd00::1]:80'] } });
    assert.deepEqual([...six.upstreams.values()][0]!.targets, [{ ip: 'fd00::1', port: 80 }]);
  });

  it('warns of a port that is not for HTTP, and routes it all the same', () => {
    const model = modelOf(
      { a: { routes: { 'a.example/': 'db:5432' } } },
      { db: { ...ONE, port: 5432, portName: 'pg' } },
    );
    assert.deepEqual(told(model), ['shop/a NotHTTP spec.rules[0].http.paths[0].backend.service.port']);
    assert.match(model.problems[0]!.message, /looks like PostgreSQL: an Ingress routes only HTTP/);
    assert.equal(serviceOf(model, 'a.example', '/'), 'shop/db');
  });

  it('takes the protocol from the annotation, else from appProtocol', () => {
    const model = modelOf(
      {
        a: { routes: { 'a.example/': 'rpc' } },
        b: { routes: { 'b.example/': 'rpc' }, annotations: { 'coracle.dev/backend-protocol': 'https' } },
      },
      { rpc: { ...ONE, appProtocol: 'kubernetes.io/h2c' } },
    );
    const protocolOf = (host: string) => model.upstreams.get(findRoute(model, host, '/')!.upstream)?.protocol;
    assert.deepEqual([protocolOf('a.example'), protocolOf('b.example')], ['h2c', 'https']);
  });

  it('redirects hosts with tls, whether or not their Secret is there', () => {
    const model = modelOf(
      {
        a: {
          routes: { 'a.example/': 'web', 'x.b.example/': 'web', 'c.example/': 'web', '/any': 'web' },
          tls: { 'a.example': 'cert', '*.b.example': 'lost' },
        },
      },
      undefined,
      ['shop/cert'],
    );
    const redirects = ['a.example', 'x.b.example', 'c.example'].map((h) => findRoute(model, h, '/')!.redirect);
    assert.deepEqual(redirects, [true, true, false]);
    assert.equal(findRoute(model, 'z.example', '/any')!.redirect, false);
    assert.deepEqual(told(model), ['shop/a SecretMissing spec.tls[1].secretName']);
    assert.deepEqual(model.certificates, [{ host: 'a.example', secret: 'shop/cert', ingress: 'shop/a' }]);
  });

  it('gives a host one certificate', () => {
    const model = modelOf(
      { a: { tls: { 'a.example': 'one' } }, b: { age: 1, namespace: 'evil', tls: { 'a.example': 'two' } } },
      {},
      ['shop/one', 'evil/two'],
    );
    assert.deepEqual(
      model.certificates.map((c) => c.secret),
      ['shop/one'],
    );
    assert.deepEqual(told(model), ['evil/b Conflict spec.tls[0].hosts[0]']);
  });

  it('leaves out paths that no request can have, and tells of patterns', () => {
    const ingress = makeIngress('a', {
      routes: { 'a.example/a b': 'web', 'a.example/line\nbreak': 'web', 'a.example/ok': 'web' },
    });
    const specific = {
      path: '/x/(.*)',
      pathType: 'ImplementationSpecific',
      backend: ingress.spec!.rules![0]!.http!.paths[0]!.backend,
    };
    const rules = [{ host: 'a.example', http: { paths: [...ingress.spec!.rules![0]!.http!.paths, specific] } }];
    const model = buildIngressModel(makeIngressFacts([{ ...ingress, spec: { ...ingress.spec, rules } }], { web: ONE }));
    assert.deepEqual(
      [...model.routes.values()].map((r) => r.path),
      ['/ok', '/x/(.*)'],
    );
    assert.deepEqual(
      model.problems.map((p) => p.code),
      ['InvalidPath', 'InvalidPath', 'InvalidPath'],
    );
  });

  it('tells of classes that do not exist, and says nothing of other controllers', () => {
    const other = { metadata: { name: 'nginx' }, spec: { controller: 'k8s.io/ingress-nginx' } };
    const ingresses = [
      makeIngress('a', { className: 'gone' }),
      makeIngress('b', { className: 'nginx', routes: { 'b.example/': 'gone' } }),
    ];
    const facts = { ...makeIngressFacts(ingresses, {}), classes: [ourClass, other] };
    const model = buildIngressModel(facts);
    assert.deepEqual(told(model), ['shop/a IngressClassMissing spec.ingressClassName']);
    assert.deepEqual(model.unclaimed.map(keyOf), ['shop/a']);
    assert.equal(model.routes.size, 0);
  });
});

describe('ingressTargets', () => {
  it('takes ready endpoints, else those that still serve while they leave', () => {
    const of = (sketch: ServiceSketch) =>
      ingressTargets(makeIngressSlices('shop/web', sketch), 'http').map((t) => `${t.ip}:${t.port}`);
    assert.deepEqual(of({ endpoints: ['10.0.0.2:80', '10.0.0.1:80'], leaving: ['10.0.0.3:80'] }), [
      '10.0.0.1:80',
      '10.0.0.2:80',
    ]);
    assert.deepEqual(of({ leaving: ['10.0.0.3:80'] }), ['10.0.0.3:80']);
    assert.deepEqual(of({ endpoints: ['[fd00::1]:80'] }), ['fd00::1:80']);
    assert.deepEqual(ingressTargets(makeIngressSlices('shop/web', ONE), 'other'), []);
  });
});

describe('nonHttpProtocol', () => {
  const table: readonly (readonly [object, string | undefined])[] = [
    [{ port: 80 }, undefined],
    [{ port: 5432 }, 'PostgreSQL'],
    [{ port: 80, targetPort: 3306 }, 'MySQL'],
    [{ port: 8080, name: 'tcp-redis' }, 'Redis'],
    [{ port: 8080, appProtocol: 'kafka' }, 'Kafka'],
    [{ port: 8080, appProtocol: 'TCP' }, 'plain TCP'],
    [{ port: 5432, appProtocol: 'http' }, undefined],
    [{ port: 8080, name: 'postgres-exporter' }, undefined],
  ];
  for (const [port, expected] of table)
    it(`calls ${JSON.stringify(port)} ${expected ?? 'HTTP'}`, () =>
      assert.equal(nonHttpProtocol(port as Parameters<typeof nonHttpProtocol>[0]), expected));
});

describe('readOptions', () => {
  const read = (name: string, value: string) => {
    const { options, problems } = readOptions(makeIngress('a', { annotations: { [name]: value } }));
    return { ...options, problems: problems.map((p) => p.code) };
  };
  it('reads sizes, times and choices', () => {
    assert.equal(read('coracle.dev/max-body-size', '10m').maxBodyBytes, 10 << 20);
    assert.equal(read('coracle.dev/max-body-size', '0').maxBodyBytes, undefined);
    assert.equal(read('coracle.dev/timeout', '5m').timeoutSeconds, 300);
    assert.equal(read('coracle.dev/affinity', 'cookie').cookieAffinity, true);
    assert.equal(read('coracle.dev/ssl-redirect', 'false').sslRedirect, false);
    assert.equal(read('coracle.dev/backend-protocol', 'GRPC').protocol, 'h2c');
  });
  for (const [name, value] of [
    ['timeout', '1s\n  http-request deny'],
    ['timeout', '0'],
    ['timeout', '999999h'],
    ['max-body-size', '1e9'],
    ['affinity', 'cookie; insert'],
    ['backend-protocol', '__proto__'],
    ['ssl-redirect', 'yes'],
  ] as const)
    it(`refuses ${name} ${JSON.stringify(value)}`, () =>
      assert.deepEqual(read(`coracle.dev/${name}`, value).problems, ['InvalidAnnotation']));
  it('names annotations that do nothing', () => {
    assert.deepEqual(read('coracle.dev/rewrite', '/').problems, ['UnknownAnnotation']);
    assert.deepEqual(read('coracle.dev/constructor', '/').problems, ['UnknownAnnotation']);
    assert.deepEqual(read('nginx.ingress.kubernetes.io/rewrite-target', '/').problems, ['UnknownAnnotation']);
    assert.deepEqual(read('example.com/other', 'x').problems, []);
  });
});

describe('explainRequest', () => {
  const model = modelOf(
    {
      a: {
        routes: { 'a.example/': 'web', 'a.example/bad': 'gone', 'a.example/empty': 'empty' },
        tls: { 'a.example': 'lost' },
      },
      b: { className: 'gone', routes: { 'b.example/': 'web' } },
    },
    { web: ONE, empty: {} },
  );
  it('names the rule, the backend and the endpoints', () => {
    const answer = explainRequest(model, 'A.example:80', '/x');
    assert.equal(answer.route?.field, 'spec.rules[0].http.paths[0]');
    assert.deepEqual(answer.upstream?.targets, [{ ip: '10.244.1.1', port: 8080 }]);
    assert.equal(answer.redirect, true);
    assert.deepEqual(
      answer.problems.map((p) => p.code),
      ['SecretMissing'],
    );
  });
  it('tells what is wrong with the rule that counts', () => {
    assert.deepEqual(
      explainRequest(model, 'a.example', '/bad').problems.map((p) => p.code),
      ['SecretMissing', 'ServiceMissing'],
    );
    assert.deepEqual(explainRequest(model, 'a.example', '/empty').upstream?.targets, []);
  });
  it('tells of Ingresses for the host that nobody serves', () => {
    const answer = explainRequest(model, 'b.example', '/');
    assert.equal(answer.route, undefined);
    assert.deepEqual(
      answer.problems.map((p) => `${p.ingress} ${p.code}`),
      ['shop/b IngressClassMissing'],
    );
    assert.deepEqual(explainRequest(model, 'c.example', '/').problems, []);
  });
});
