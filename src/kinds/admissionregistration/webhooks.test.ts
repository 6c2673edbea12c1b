import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ValidatingWebhook } from '#generated/api/admissionregistration-v1.ts';
import { fieldErrorBody } from '#machinery/status.ts';
import { validateWebhooks } from './webhooks.ts';

const webhook: ValidatingWebhook = {
  name: 'a.example.com',
  clientConfig: { url: 'https://w.example/x' },
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
};
const judged = (change: Partial<ValidatingWebhook>): string[] =>
  validateWebhooks({ webhooks: [{ ...webhook, ...change }] }).map(fieldErrorBody);

describe('validateWebhooks', () => {
  const rule = { operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] };
  const cases: readonly (readonly [string, Partial<ValidatingWebhook>, RegExp | undefined])[] = [
    ['nothing of a good one', {}, undefined],
    ['a name of two segments', { name: 'example.com' }, /at least three segments/],
    ['a plain connection', { clientConfig: { url: 'http://w.example' } }, /"http": 'https' is the only allowed/],
    ['a client that is nowhere', { clientConfig: {} }, /exactly one of url or service/],
    ['an effect that dry runs have', { sideEffects: 'Some' }, /supported values: "None", "NoneOnDryRun"/],
    ['versions that nobody speaks', { admissionReviewVersions: ['v9'] }, /must include at least one of v1, v1beta1/],
    ['a star among groups', { rules: [{ ...rule, apiGroups: ['*', 'a'] }] }, /must not specify other API groups/],
    ['all resources and more', { rules: [{ ...rule, resources: ['*', 'pods'] }] }, /resources without subresources/],
  ];
  for (const [title, change, expected] of cases)
    it(`says ${title}`, () => {
      const said = judged(change);
      if (expected === undefined) assert.deepEqual(said, []);
      else assert.match(said.join('\n'), expected);
    });
});
