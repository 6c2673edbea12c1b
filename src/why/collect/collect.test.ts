import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { locate } from '../locate.ts';
import { makeClient, makeFacts, makePod } from '../testing.ts';
import { fromVariables, inLog } from './candidates.ts';
import { parseForward } from './forwards.ts';
import { findUpstream } from './upstream.ts';

describe('parseForward', () => {
  const cases: readonly [string, string | undefined][] = [
    ['kubectl port-forward -n db svc/postgres 15432:5432', 'db svc/postgres 15432 5432'],
    ['/usr/bin/kubectl --kubeconfig k --namespace=db port-forward postgres-0 5432', 'db pod/postgres-0 5432 5432'],
    ['kubectl -n db port-forward pod/web 8080:http', 'db pod/web 8080 http'],
    ['kubectl -n db get pods', undefined],
    ['vim port-forward', undefined],
  ];
  for (const [line, wanted] of cases)
    it(`reads ${line}`, () => {
      const [f] = parseForward(7, line.split(' '));
      assert.equal(f === undefined ? undefined : `${f.namespace} ${f.target} ${f.localPort} ${f.remotePort}`, wanted);
    });
});

describe('fromVariables', () => {
  const env = (values: Record<string, string>) =>
    new Map(Object.entries(values).map(([k, value]) => [k, { value, from: k }]));
  it('puts host, port, user and database of one prefix together', () => {
    const found = fromVariables(
      env({ DB_HOST: 'postgres.db', DB_PORT: '5433', DB_USER: 'app', DB_NAME: 'production' }),
    );
    assert.deepEqual(
      found.map((c) => c.target),
      ['postgres://app@postgres.db:5433/production'],
    );
  });
  it('finds URLs, and hides their passwords', () => {
    const found = fromVariables(env({ CACHE: 'redis://:secret@cache.app:6379/0' }));
    assert.deepEqual(
      found.map((c) => c.target),
      ['redis://@cache.app:6379/0'],
    );
  });
});

describe('inLog', () => {
  it('reads what clients complain about', () => {
    const log = [
      'ready',
      'psql: error: connection to server at "postgres.db" (10.96.42.7), port 5432 failed: Connection refused',
      'dial tcp 10.96.42.7:6379: i/o timeout',
    ];
    assert.deepEqual(
      inLog(log.join('\n'), 'log').map((c) => c.target),
      ['postgres://postgres.db:5432', 'tcp://10.96.42.7:6379'],
    );
  });
});

describe('findUpstream', () => {
  const pooler = (env: { name: string; value: string }[]) =>
    makePod({
      name: 'pool',
      image: 'pgbouncer:1.18',
      container: { ports: [{ containerPort: 6432 }], env },
      ip: '10.244.2.9',
      labels: { app: 'pool' },
    });
  const asked = (pod: ReturnType<typeof makePod>) =>
    makeFacts({ target: 'postgres://app@10.244.2.9:6432/x', pods: [makeClient(), pod] });

  it('reads the environment of a pooler', () => {
    const facts = asked(pooler([{ name: 'DB_HOST', value: 'postgres.db' }]));
    assert.equal(findUpstream(facts, locate(facts))?.target.text, 'postgres://postgres.db:5432');
  });
  it('leaves a server that is no pooler alone', () => {
    const facts = asked(makePod({ ip: '10.244.2.9' }));
    assert.equal(findUpstream(facts, locate(facts)), undefined);
  });
});
