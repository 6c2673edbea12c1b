import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  isConfigMapKey,
  isDns1035Label,
  isDns1123Label,
  isDns1123Subdomain,
  isLabelValue,
  isPathSegment,
  isQualifiedName,
  isRelaxedEnvVarName,
  isValidCIDR,
  isValidIP,
  isValidPortName,
  type Messages,
} from './names.ts';

const good: readonly (readonly [string, (v: string) => Messages, readonly string[]])[] = [
  ['isDns1123Label', isDns1123Label, ['a', '0', 'a-b', 'a'.repeat(63)]],
  ['isDns1035Label', isDns1035Label, ['a', 'a-1']],
  ['isDns1123Subdomain', isDns1123Subdomain, ['a.b', '0.1-2.c']],
  ['isQualifiedName', isQualifiedName, ['a', 'A_b.c', 'example.com/x']],
  ['isLabelValue', isLabelValue, ['', 'A.b_c-1']],
  ['isValidPortName', isValidPortName, ['http', 'a-1', '1a']],
  ['isPathSegment', isPathSegment, ['system:node', 'a b']],
  ['isConfigMapKey', isConfigMapKey, ['a.b', '_x', '.hidden']],
  ['isRelaxedEnvVarName', isRelaxedEnvVarName, ['A', 'a.b-c', '1x']],
  ['isValidIP', isValidIP, ['10.0.0.1', '::1']],
  ['isValidCIDR', isValidCIDR, ['10.0.0.0/8', 'fd00::/64']],
];
for (const [title, rule, values] of good) {
  describe(title, () => {
    for (const value of values) it(`takes ${JSON.stringify(value)}`, () => assert.deepEqual(rule(value), []));
  });
}

const bad: readonly (readonly [string, (v: string) => Messages, string, string])[] = [
  [
    'isDns1123Label',
    isDns1123Label,
    'A',
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
  ],
  [
    'isDns1123Subdomain',
    isDns1123Subdomain,
    'a_b',
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
  ],
  ['isDns1123Label', isDns1123Label, 'a'.repeat(64), 'must be no more than 63 characters'],
  ['isValidPortName', isValidPortName, '123', 'must contain at least one letter (a-z)'],
  ['isValidIP', isValidIP, '10.0.0.01', 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
];
describe('name rules', () => {
  for (const [title, rule, value, message] of bad)
    it(`${title} says why ${JSON.stringify(value.slice(0, 20))} does not fit`, () =>
      assert.deepEqual(rule(value), [message]));
  it('refuse long names fast', () => {
    assert.ok(isDns1123Subdomain(`${'a-'.repeat(20_000)}!`).length > 0);
  });
});
