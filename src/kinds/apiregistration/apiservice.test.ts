import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { APIService, APIServiceSpec } from '#generated/api/apiregistration-v1.ts';
import { fieldErrorBody } from '#machinery/status.ts';
import { apiService } from './apiservice.ts';

const { strategy } = apiService;
const context = { now: '2026-01-01T00:00:00Z', uid: () => 'u', user: { name: 'x', groups: [] } };
const good: APIServiceSpec = {
  group: 'things.example.com',
  version: 'v1',
  groupPriorityMinimum: 100,
  versionPriority: 10,
  service: { namespace: 'd', name: 's', port: 443 },
};
const named = (spec: Partial<APIServiceSpec>, name?: string): APIService => {
  const whole = { ...good, ...spec };
  return { metadata: { name: name ?? `${whole.version}.${whole.group}` }, spec: whole };
};
const errorsOf = (object: APIService) =>
  strategy.validateCreate!(object).map((e) => `${e.field}: ${fieldErrorBody(e)}`);

describe('apiService', () => {
  it('takes what upstream takes', () => assert.deepEqual(errorsOf(named({})), []));

  const cases: readonly (readonly [string, APIService, RegExp])[] = [
    [
      'another name',
      named({}, 'x'),
      /^metadata\.name: Invalid value: "x": must be `spec\.version\+"\."\+spec\.group`: "v1\.things\.example\.com"$/,
    ],
    [
      'a version without group',
      named({ group: '', version: 'v2' }),
      /^spec\.group: Required value: only v1 may have an empty group/,
    ],
    ['a group that is no domain', named({ group: 'A' }), /^spec\.group: Invalid value: "A"/],
    [
      'a group priority out of range',
      named({ groupPriorityMinimum: 20_001 }),
      /^spec\.groupPriorityMinimum: Invalid value: 20001: must be positive and less than 20000$/,
    ],
    [
      'a version priority out of range',
      named({ versionPriority: 0 }),
      /^spec\.versionPriority: Invalid value: 0: must be positive and less than 1000$/,
    ],
    [
      'a service without name',
      named({ service: { namespace: 'd', port: 1 } }),
      /^spec\.service\.name: Required value$/,
    ],
    [
      'an authority and no check',
      named({ caBundle: 'YQ==', insecureSkipTLSVerify: true }),
      /may not be true if caBundle is present$/,
    ],
    [
      'a local one with an authority',
      named({ service: undefined, caBundle: 'YWI=' }),
      /^spec\.caBundle: Invalid value: "2 bytes": local APIServices may not have a caBundle$/,
    ],
  ];
  for (const [what, object, message] of cases)
    it(`refuses ${what}`, () => {
      const [error, ...more] = errorsOf(object);
      assert.match(error!, message);
      assert.deepEqual(more, []);
    });

  it('is available from the start when it is local, and asked on port 443 when it is not', () => {
    const local = strategy.prepareForCreate!(named({ service: undefined }), context);
    assert.equal(local.status!.conditions![0]!.reason, 'Local');
    const remote = strategy.default!(named({ service: { namespace: 'd', name: 's' } }));
    assert.equal(remote.spec!.service!.port, 443);
    assert.deepEqual(strategy.prepareForCreate!(remote, context).status, {});
  });
});
