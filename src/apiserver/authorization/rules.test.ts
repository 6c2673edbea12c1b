import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PolicyRule } from '#generated/api/rbac-v1.ts';
import { rule, urls } from './bootstrap/notation.ts';
import { compactRules, formatRule, uncoveredRules } from './rules.ts';

describe('uncoveredRules', () => {
  const cases: { when: string; owned: PolicyRule[]; wanted: PolicyRule[]; missing: string[] }[] = [
    {
      when: 'the same rule is owned',
      owned: [rule('get list', 'core', 'pods')],
      wanted: [rule('get', 'core', 'pods')],
      missing: [],
    },
    {
      when: 'two rules together own it',
      owned: [rule('get', 'core', 'pods'), rule('list', 'core', 'pods')],
      wanted: [rule('get list', 'core', 'pods')],
      missing: [],
    },
    {
      when: 'one verb is missing',
      owned: [rule('get', 'core', 'pods')],
      wanted: [rule('get delete', 'core', 'pods')],
      missing: ['{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}'],
    },
    {
      when: 'everything is owned',
      owned: [rule('*', '*', '*')],
      wanted: [rule('get', 'apps', 'deployments/scale', 'x')],
      missing: [],
    },
    {
      when: 'everything is wanted',
      owned: [rule('get list', 'core', 'pods')],
      wanted: [rule('*', '*', '*')],
      missing: ['{APIGroups:["*"], Resources:["*"], Verbs:["*"]}'],
    },
    {
      when: 'only some names are owned',
      owned: [rule('get', 'core', 'secrets', 'a')],
      wanted: [rule('get', 'core', 'secrets', 'a b')],
      missing: ['{APIGroups:[""], Resources:["secrets"], ResourceNames:["b"], Verbs:["get"]}'],
    },
    {
      when: 'all names are wanted and one is owned',
      owned: [rule('get', 'core', 'secrets', 'a')],
      wanted: [rule('get', 'core', 'secrets')],
      missing: ['{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}'],
    },
    {
      when: 'a subresource of everything is owned',
      owned: [rule('get', '*', '*/status')],
      wanted: [rule('get', 'apps', 'deployments/status')],
      missing: [],
    },
    {
      when: 'the resource is owned but not its subresource',
      owned: [rule('get', 'core', 'pods')],
      wanted: [rule('get', 'core', 'pods/log')],
      missing: ['{APIGroups:[""], Resources:["pods/log"], Verbs:["get"]}'],
    },
    {
      when: 'a prefix of URLs is owned',
      owned: [urls('get', '/api/*')],
      wanted: [urls('get', '/api/v1')],
      missing: [],
    },
    {
      when: 'a longer prefix is wanted',
      owned: [urls('get', '/api/*')],
      wanted: [urls('get', '/api/v1/*')],
      missing: [],
    },
    {
      when: 'other URLs are wanted',
      owned: [urls('get', '/api/*')],
      wanted: [urls('get', '/apis')],
      missing: ['{NonResourceURLs:["/apis"], Verbs:["get"]}'],
    },
  ];
  for (const { when, owned, wanted, missing } of cases) {
    it(`leaves ${missing.length === 0 ? 'nothing' : 'the rest'} when ${when}`, () => {
      assert.deepEqual(uncoveredRules(owned, wanted).map(formatRule), missing);
    });
  }
});

describe('compactRules', () => {
  it('joins the verbs of equal rules', () => {
    assert.deepEqual(
      compactRules([rule('get', 'core', 'pods'), rule('get', 'core', 'nodes'), rule('list', 'core', 'pods')]),
      [rule('get list', 'core', 'pods'), rule('get', 'core', 'nodes')],
    );
  });
});
