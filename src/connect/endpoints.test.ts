import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod, Service } from '#generated/api/core-v1.ts';
import { candidates, choose, containerPort, roleOf, whyNone } from './endpoints.ts';

function makePod(
  name: string,
  wanted: { ready?: boolean; going?: boolean; labels?: Record<string, string> } = {},
): Pod {
  return {
    metadata: {
      name,
      namespace: 'db',
      uid: `uid-${name}`,
      ...(wanted.labels === undefined ? {} : { labels: wanted.labels }),
      ...(wanted.going === true ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
    },
    spec: { containers: [{ name: 'c', ports: [{ name: 'pg', containerPort: 5432 }] }] },
    status: { conditions: [{ type: 'Ready', status: wanted.ready === false ? 'False' : 'True' }] },
  } as unknown as Pod;
}

const names = (pods: readonly Pod[], roles?: ReadonlyMap<string, 'primary' | 'replica' | 'unknown'>) =>
  candidates(pods, roles).map((e) => e.pod);

describe('roleOf', () => {
  for (const [labels, role] of [
    [{ role: 'primary' }, 'primary'],
    [{ 'spilo-role': 'master' }, 'primary'],
    [{ 'cnpg.io/instanceRole': 'replica' }, 'replica'],
    [{ 'app.kubernetes.io/component': 'database' }, 'unknown'],
    [{}, 'unknown'],
  ] as const)
    it(`reads ${JSON.stringify(labels)} as ${role}`, () => assert.equal(roleOf(makePod('p', { labels })), role));
});

describe('candidates', () => {
  it('are ready and stay', () =>
    assert.deepEqual(names([makePod('a', { ready: false }), makePod('b', { going: true }), makePod('c')]), ['c']));

  it('begin with the primary by its label', () => {
    const primary = makePod('b', { labels: { role: 'primary' } });
    assert.deepEqual(names([makePod('a', { labels: { role: 'replica' } }), primary]), ['b', 'a']);
  });

  it('begin with the primary by what the server said', () =>
    assert.deepEqual(
      names(
        [makePod('a'), makePod('b')],
        new Map([
          ['uid-a', 'replica'],
          ['uid-b', 'primary'],
        ]),
      ),
      ['b', 'a'],
    ));
});

describe('choose', () => {
  const found = candidates([makePod('a'), makePod('b')]);
  const nobody: ReadonlySet<string> = new Set();

  it('stays with the one in use', () => assert.equal(choose(found, 'uid-b', nobody)?.pod, 'b'));
  it('goes on when that one failed', () => assert.equal(choose(found, 'uid-b', new Set(['uid-b']))?.pod, 'a'));
  it('tries a failed one when there is no other', () =>
    assert.equal(choose(candidates([makePod('a')]), undefined, new Set(['uid-a']))?.pod, 'a'));
  it('leaves a replica for the primary', () => {
    const roles = new Map([
      ['uid-a', 'replica'],
      ['uid-b', 'primary'],
    ] as const);
    assert.equal(choose(candidates([makePod('a'), makePod('b')], roles), 'uid-a', nobody)?.pod, 'b');
  });
  it('has nothing where nobody is ready', () => assert.equal(choose([], 'uid-a', nobody), undefined));
});

describe('whyNone', () => {
  it('tells absent, going and unready apart', () => {
    assert.equal(whyNone([]), 'no pod is there');
    assert.equal(whyNone([makePod('a', { going: true })]), 'the pod is going away');
    assert.equal(whyNone([makePod('a', { ready: false }), makePod('b', { ready: false })]), 'none of 2 pods is ready');
  });
});

describe('containerPort', () => {
  const service = (targetPort: number | string | undefined) =>
    ({ spec: { ports: [{ name: 'sql', port: 15432, targetPort }] } }) as unknown as Service;
  const pod = makePod('a');

  it('is the pod’s own number or name without a service', () => {
    assert.equal(containerPort('8080', undefined, pod), 8080);
    assert.equal(containerPort('pg', undefined, pod), 5432);
  });
  it('is where the service’s port leads', () => {
    assert.equal(containerPort('15432', service('pg'), pod), 5432);
    assert.equal(containerPort('sql', service(6432), pod), 6432);
    assert.equal(containerPort('15432', service(undefined), pod), 15432);
  });
  it('is not there when the service has no such port', () =>
    assert.equal(containerPort('5432', service('pg'), pod), undefined));
});
