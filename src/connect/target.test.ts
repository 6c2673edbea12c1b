import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ConnectUsageError, parseConnectTarget, parsePortPair } from './target.ts';

describe('parseConnectTarget', () => {
  for (const [text, kind] of [
    ['svc/orders', 'service'],
    ['po/orders', 'pod'],
    ['deploy/orders', 'deployment'],
    ['sts/orders', 'statefulset'],
    ['StatefulSet/orders', 'statefulset'],
  ] as const)
    it(`reads ${text}`, () => assert.deepEqual(parseConnectTarget(text), { kind, name: 'orders' }));

  for (const text of ['orders', 'svc/', 'job/orders', 'a/svc/orders', 'constructor/x'])
    it(`refuses ${text}`, () => assert.throws(() => parseConnectTarget(text), ConnectUsageError));
});

describe('parsePortPair', () => {
  for (const [text, local, remote] of [
    ['5432', 5432, '5432'],
    ['15432:5432', 15432, '5432'],
    [':5432', 0, '5432'],
    ['0:pg', 0, 'pg'],
    ['sql', 0, 'sql'],
  ] as const)
    it(`reads ${text}`, () => assert.deepEqual(parsePortPair(text), { local, remote }));

  for (const text of ['', '0', '70000', 'x:5432', '1:2:3', '80:', '99999:80', 'UPPER'])
    it(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => parsePortPair(text), ConnectUsageError));
});
