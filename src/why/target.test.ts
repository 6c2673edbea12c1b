import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hidePassword, parseSource, parseTarget, TargetError } from './target.ts';

describe('parseTarget', () => {
  it('reads the connection string of the article', () => {
    assert.deepEqual(parseTarget('postgres://app@postgres.db:5432/production?sslmode=require'), {
      kind: 'address',
      text: 'postgres://app@postgres.db:5432/production?sslmode=require',
      protocol: 'postgres',
      host: 'postgres.db',
      port: 5432,
      tls: { mode: 'require' },
      user: 'app',
      database: 'production',
    });
  });

  it('keeps the password out of the text', () => {
    const target = parseTarget('postgres://app:p%40ss:w@db:6432/x');
    assert.equal(target.text, 'postgres://app@db:6432/x');
    assert.equal(target.kind === 'address' && target.password, 'p@ss:w');
    assert.equal(hidePassword('redis://:secret@cache'), 'redis://@cache');
    assert.equal(
      hidePassword('postgres://db/x?password=secret&sslmode=require'),
      'postgres://db/x?password=…&sslmode=require',
    );
  });

  const urls: readonly [string, object][] = [
    ['http://web.shop:80/healthz?x=1', { protocol: 'http', host: 'web.shop', port: 80, path: '/healthz?x=1' }],
    ['https://shop.example.com', { protocol: 'http', port: 443, tls: { mode: 'verify-full' }, path: '/' }],
    [
      'mysql://root@db/shop?ssl-mode=VERIFY_CA',
      { protocol: 'mysql', port: 3306, tls: { mode: 'verify-ca' }, database: 'shop' },
    ],
    ['rediss://cache:6380/0', { protocol: 'redis', port: 6380, tls: { mode: 'verify-full' } }],
    [
      'mongodb://a.db:27018,b.db/shop?tls=true',
      { protocol: 'mongodb', host: 'a.db', port: 27018, tls: { mode: 'verify-full' } },
    ],
    ['postgres://[fd00::5]:5432/x', { host: 'fd00::5', port: 5432 }],
    ['udp://dns.lab:53', { protocol: 'udp', port: 53 }],
    ['amqp://guest@mq', { protocol: 'amqp', port: 5672, user: 'guest' }],
    ['postgres://db?target_session_attrs=read-write', { writes: true }],
    ['db.example.com:5432', { protocol: 'tcp', host: 'db.example.com', port: 5432 }],
    ['[fd00::5]:5432', { protocol: 'tcp', host: 'fd00::5' }],
  ];
  for (const [text, wanted] of urls)
    it(`reads ${text}`, () => assert.partialDeepStrictEqual(parseTarget(text), wanted));

  it('reads named objects', () => {
    assert.partialDeepStrictEqual(parseTarget('svc/web:http'), {
      kind: 'service',
      namespace: undefined,
      name: 'web',
      port: 'http',
    });
    assert.partialDeepStrictEqual(parseTarget('db/pod/postgres-0:5432'), {
      kind: 'pod',
      namespace: 'db',
      port: '5432',
    });
    assert.partialDeepStrictEqual(parseTarget('shop/ingress/web'), { kind: 'ingress', namespace: 'shop', name: 'web' });
  });

  const wrong = [
    '',
    'postgres',
    '10.0.0.1',
    'fd00::5',
    'tcp://db',
    'ftp://db',
    'db:0',
    'db:70000',
    'svc/',
    'svc/a:',
    'deploy/api',
    'x/y',
  ];
  for (const text of wrong)
    it(`refuses ${JSON.stringify(text)} with a sentence`, () => assert.throws(() => parseTarget(text), TargetError));
});

describe('parseSource', () => {
  it('reads laptop, nodes, pods and workloads', () => {
    assert.deepEqual(parseSource('laptop'), { kind: 'laptop' });
    assert.deepEqual(parseSource('node/node-1'), { kind: 'node', name: 'node-1' });
    assert.deepEqual(parseSource('app/pod/api-0'), { kind: 'pod', namespace: 'app', name: 'api-0' });
    assert.deepEqual(parseSource('sts/kafka'), {
      kind: 'workload',
      resource: 'statefulsets',
      namespace: undefined,
      name: 'kafka',
    });
  });

  for (const text of ['', 'api', 'svc/api', 'a/node/b', 'deploy/', 'a/b/deploy/c'])
    it(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseSource(text), TargetError));
});
