import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { StatusError } from '#machinery/status.ts';
import type { Authorizer, AuthorizerAttributes } from '../pipeline.ts';
import {
  reviewLocalSubjectAccess,
  reviewSelfSubjectAccess,
  reviewSelfSubjectRules,
  reviewSubjectAccess,
} from './access-reviews.ts';

const me = { name: 'me', groups: ['g'] };

function recording(
  decision: 'allow' | 'deny' | 'no-opinion',
  reason = '',
): Authorizer & { asked: AuthorizerAttributes[] } {
  const asked: AuthorizerAttributes[] = [];
  return {
    asked,
    authorize: (a) => {
      asked.push(a);
      return { decision, reason };
    },
  };
}

describe('reviewSubjectAccess', () => {
  for (const [decision, status] of [
    ['allow', { allowed: true, reason: 'why' }],
    ['deny', { allowed: false, denied: true, reason: 'why' }],
    ['no-opinion', { allowed: false, reason: 'why' }],
  ] as const) {
    it(`answers ${decision}`, async () => {
      const review = { metadata: {}, spec: { user: 'bob', resourceAttributes: { verb: 'get', resource: 'pods' } } };
      assert.deepEqual((await reviewSubjectAccess(review, recording(decision, 'why'))).status, status);
    });
  }

  it('asks exactly what the review says, for whom it says', async () => {
    const authorizer = recording('allow');
    await reviewSubjectAccess(
      {
        metadata: {},
        spec: {
          user: 'bob',
          groups: ['a'],
          extra: { Scope: ['x'] },
          resourceAttributes: {
            verb: 'list',
            group: 'apps',
            version: 'v1',
            resource: 'deployments',
            subresource: 'scale',
            namespace: 'db',
            fieldSelector: { requirements: [{ key: 'spec.nodeName', operator: 'In', values: ['n1'] }] },
          },
        },
      },
      authorizer,
    );
    const [asked] = authorizer.asked;
    assert.deepEqual(asked!.user, { name: 'bob', groups: ['a'], extra: { scope: ['x'] } });
    assert.deepEqual(
      [asked!.verb, asked!.apiGroup, asked!.resource, asked!.subresource, asked!.namespace, asked!.fieldSelector],
      ['list', 'apps', 'deployments', 'scale', 'db', 'spec.nodeName=n1'],
    );
  });

  const invalid = [
    {
      when: 'it asks nothing',
      spec: { user: 'bob' },
      text: /exactly one of nonResourceAttributes or resourceAttributes must be specified/,
    },
    {
      when: 'it asks two things',
      spec: { user: 'bob', resourceAttributes: {}, nonResourceAttributes: {} },
      text: /cannot be specified in combination with resourceAttributes/,
    },
    {
      when: 'it names nobody',
      spec: { resourceAttributes: {} },
      text: /at least one of user or group must be specified/,
    },
  ];
  for (const { when, spec, text } of invalid) {
    it(`is invalid when ${when}`, async () => {
      await assert.rejects(
        reviewSubjectAccess({ metadata: {}, spec }, recording('allow')),
        (e: StatusError) => e.code === 422 && text.test(e.message),
      );
    });
  }
});

describe('reviewLocalSubjectAccess', () => {
  it('asks about its own namespace only', async () => {
    const review = {
      metadata: {},
      spec: { user: 'bob', resourceAttributes: { namespace: 'other', verb: 'get', resource: 'pods' } },
    };
    await assert.rejects(reviewLocalSubjectAccess(review, 'db', recording('allow')), /must match metadata.namespace/);
    assert.equal((await reviewLocalSubjectAccess(review, 'other', recording('allow'))).status?.allowed, true);
  });
});

describe('reviewSelfSubjectAccess', () => {
  it('asks for the one who asks', async () => {
    const authorizer = recording('allow');
    await reviewSelfSubjectAccess(
      { metadata: {}, spec: { nonResourceAttributes: { path: '/metrics', verb: 'get' } } },
      me,
      authorizer,
    );
    const [asked] = authorizer.asked;
    assert.deepEqual([asked!.user, asked!.isResourceRequest, asked!.path, asked!.verb], [me, false, '/metrics', 'get']);
  });
});

describe('reviewSelfSubjectRules', () => {
  it('lists the rules of the one who asks', () => {
    const resolver = {
      rulesFor: () => ({
        resourceRules: [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }],
        nonResourceRules: [],
        incomplete: false,
      }),
    };
    const { status } = reviewSelfSubjectRules({ metadata: {}, spec: { namespace: 'db' } }, me, resolver);
    assert.deepEqual(status, {
      resourceRules: [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }],
      nonResourceRules: [],
      incomplete: false,
    });
    assert.throws(() => reviewSelfSubjectRules({ metadata: {}, spec: {} }, me, resolver), /no namespace on request/);
  });
});
