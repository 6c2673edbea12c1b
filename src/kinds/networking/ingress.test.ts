import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Ingress, IngressClass } from '#generated/api/networking-v1.ts';
import { type FieldError, StatusError } from '#machinery/status.ts';
import { ingress } from './ingress.ts';
import { ingressClass } from './ingressclass.ts';

const textOf = (kind: string, errors: readonly FieldError[]): string =>
  errors.length === 0 ? '' : StatusError.invalid({ kind }, 'x', errors).message.replace(`${kind} "x" is invalid: `, '');
const web = { service: { name: 'web', port: { number: 80 } } };
const path = (more: object = {}) => ({ path: '/', pathType: 'Prefix', backend: web, ...more });
const rules = (more: object = {}, host = 'a.example') => ({ rules: [{ host, http: { paths: [path(more)] } }] });
const make = (spec: object, annotations?: Record<string, string>): Ingress =>
  ({ metadata: { name: 'x', ...(annotations === undefined ? {} : { annotations }) }, spec }) as Ingress;
const create = (i: Ingress): string => textOf('Ingress', ingress.strategy.validateCreate!(i));

const SUBDOMAIN =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

describe('ingress.strategy.validateCreate', () => {
  const where = 'spec.rules[0].http.paths[0]';
  const table: readonly (readonly [string, object, string])[] = [
    ['is content with rules', rules(), ''],
    ['is content with a default backend alone', { defaultBackend: web }, ''],
    ['is content with a wildcard', rules({}, '*.example'), ''],
    ['wants something', {}, 'spec: Invalid value: null: either `defaultBackend` or `rules` must be specified'],
    ['wants paths', { rules: [{ http: { paths: [] } }] }, 'spec.rules[0].http.paths: Required value'],
    [
      'wants a pathType',
      rules({ pathType: undefined }),
      `${where}.pathType: Required value: pathType must be specified`,
    ],
    [
      'knows path types',
      rules({ pathType: 'Regex' }),
      `${where}.pathType: Unsupported value: "Regex": supported values: "Exact", "ImplementationSpecific", "Prefix"`,
    ],
    ['wants absolute paths', rules({ path: 'a' }), `${where}.path: Invalid value: "a": must be an absolute path`],
    [
      'refuses double slashes',
      rules({ path: '/a//b' }),
      `${where}.path: Invalid value: "/a//b": must not contain '//'`,
    ],
    [
      'refuses dots at the end',
      rules({ path: '/a/..' }),
      `${where}.path: Invalid value: "/a/..": cannot end with '/..'`,
    ],
    [
      'takes any path that is ImplementationSpecific',
      rules({ path: '/a//..', pathType: 'ImplementationSpecific' }),
      '',
    ],
    ['takes none that is ImplementationSpecific', rules({ path: '', pathType: 'ImplementationSpecific' }), ''],
    [
      'refuses an address as host',
      rules({}, '10.0.0.1'),
      'spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP address',
    ],
    ['refuses blanks in hosts', rules({}, 'a b'), `spec.rules[0].host: Invalid value: "a b": ${SUBDOMAIN}`],
    [
      'wants a backend',
      rules({ backend: {} }),
      `${where}.backend: Invalid value: "": resource or service backend is required`,
    ],
    [
      'wants one backend',
      rules({ backend: { ...web, resource: { kind: 'Bucket', name: 'b' } } }),
      `${where}.backend: Invalid value: "": cannot set both resource and service backends`,
    ],
    [
      'wants a whole resource',
      rules({ backend: { resource: { kind: '', name: 'a/b' } } }),
      `[${where}.backend.resource.kind: Required value, ${where}.backend.resource.name: Invalid value: "a/b": may not contain '/']`,
    ],
    [
      'wants one port',
      rules({ backend: { service: { name: 'web', port: { number: 80, name: 'http' } } } }),
      `${where}.backend: Invalid value: "": cannot set both port name & port number`,
    ],
    [
      'wants a port',
      rules({ backend: { service: { name: 'web' } } }),
      `${where}.backend: Required value: port name or number is required`,
    ],
    [
      'wants a name of a Secret',
      { ...rules(), tls: [{ secretName: 'A' }] },
      `spec.tls[0].secretName: Invalid value: "A": ${SUBDOMAIN}`,
    ],
    ['takes tls without Secret', { ...rules(), tls: [{ hosts: ['a.example'] }] }, ''],
    [
      'looks at hosts of tls',
      { ...rules(), tls: [{ hosts: ['A'] }] },
      `spec.tls[0].hosts[0]: Invalid value: "A": ${SUBDOMAIN}`,
    ],
    [
      'looks at the class',
      { ...rules(), ingressClassName: 'A' },
      `spec.ingressClassName: Invalid value: "A": ${SUBDOMAIN}`,
    ],
  ];
  for (const [name, spec, expected] of table) it(name, () => assert.equal(create(make(spec)), expected));

  it('wants annotation and field to agree', () => {
    const named = (field: string) =>
      make({ ...rules(), ingressClassName: field }, { 'kubernetes.io/ingress.class': 'a' });
    assert.equal(create(named('a')), '');
    assert.equal(
      create(named('b')),
      'annotations.kubernetes.io/ingress.class: Invalid value: "a": must match `ingressClassName` when both are specified',
    );
  });

  it('warns of the annotation', () => {
    const old = make(rules(), { 'kubernetes.io/ingress.class': 'a' });
    assert.deepEqual(ingress.strategy.warnings!(old, undefined), [
      'annotation "kubernetes.io/ingress.class" is deprecated, please use \'spec.ingressClassName\' instead',
    ]);
    assert.deepEqual(ingress.strategy.warnings!(make(rules()), undefined), []);
  });
});

describe('ingress.strategy.validateUpdate', () => {
  it('lets stay what was wrong before', () => {
    const bad = make({ rules: [{ host: '*.example', http: { paths: [] } }], tls: [{ secretName: 'A' }] });
    assert.equal(textOf('Ingress', ingress.strategy.validateUpdate!(bad, bad)), '');
    assert.notEqual(textOf('Ingress', ingress.strategy.validateUpdate!(bad, make(rules()))), '');
  });

  it('looks at addresses in the status', () => {
    const status = { loadBalancer: { ingress: [{ ip: 'x' }, { hostname: '10.0.0.1' }] } };
    assert.equal(
      textOf('Ingress', ingress.strategy.validateStatusUpdate!({ ...make(rules()), status } as Ingress, make(rules()))),
      '[status.loadBalancer.ingress[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff), status.loadBalancer.ingress[1].hostname: Invalid value: "10.0.0.1": must be a DNS name, not an IP address]',
    );
  });
});

describe('ingress.table', () => {
  const cells = (i: Ingress) => ingress.table.cells(i, 0).slice(0, 5);
  it('shows class, hosts, addresses, ports', () => {
    assert.deepEqual(cells(make(rules())), ['x', '<none>', 'a.example', '', '80']);
    assert.deepEqual(cells(make({ defaultBackend: web, ingressClassName: 'coracle', tls: [{}] })), [
      'x',
      'coracle',
      '*',
      '',
      '80, 443',
    ]);
    const hosts = ['a', 'b', 'c', 'd', 'e'].map((host) => ({ host }));
    const status = { loadBalancer: { ingress: [{ ip: '10.0.0.2' }, { ip: '10.0.0.1' }] } };
    assert.deepEqual(cells({ ...make({ rules: hosts }), status } as Ingress).slice(2, 4), [
      'a,b,c + 2 more...',
      '10.0.0.1,10.0.0.2',
    ]);
    assert.equal(cells(make({ rules: hosts.slice(0, 3) }))[2], 'a,b,c');
  });
});

describe('ingressClass.strategy', () => {
  const makeClass = (spec: object): IngressClass => ({ metadata: { name: 'x' }, spec }) as IngressClass;
  const params = (more: object) =>
    makeClass({ controller: 'a.example/b', parameters: { kind: 'K', name: 'n', scope: 'Cluster', ...more } });
  const table: readonly (readonly [string, IngressClass, string])[] = [
    ['takes a controller', makeClass({ controller: 'coracle.dev/ingress' }), ''],
    ['wants a controller', makeClass({}), 'spec.controller: Required value'],
    [
      'wants a domain before it',
      makeClass({ controller: 'nginx' }),
      'spec.controller: Invalid value: "nginx": must be a domain-prefixed path (such as "acme.io/foo")',
    ],
    [
      'bounds it',
      makeClass({ controller: `a.b/${'x'.repeat(250)}` }),
      'spec.controller: Too long: may not be more than 250 bytes',
    ],
    [
      'wants a scope that is one',
      params({ scope: 'X' }),
      'spec.parameters.scope: Unsupported value: "X": supported values: "Cluster", "Namespace"',
    ],
    [
      'wants a namespace with its scope',
      params({ scope: 'Namespace' }),
      "spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'",
    ],
    [
      'wants none without',
      params({ namespace: 'a' }),
      "spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'",
    ],
  ];
  for (const [name, object, expected] of table)
    it(name, () => assert.equal(textOf('IngressClass', ingressClass.strategy.validateCreate!(object)), expected));

  it('keeps the controller, and fills in the scope', () => {
    const [a, b] = [makeClass({ controller: 'a.b/c' }), makeClass({ controller: 'a.b/d' })];
    assert.equal(
      textOf('IngressClass', ingressClass.strategy.validateUpdate!(b, a)),
      'spec.controller: Invalid value: "a.b/d": field is immutable',
    );
    assert.equal(ingressClass.strategy.default!(params({ scope: undefined })).spec?.parameters?.scope, 'Cluster');
  });
});
