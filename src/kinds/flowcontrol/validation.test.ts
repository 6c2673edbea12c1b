import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FlowSchema, PriorityLevelConfiguration } from '#generated/api/flowcontrol-v1.ts';
import { validateFlowSchema, validatePriorityLevel } from './validation.ts';

const level = (queuing: object): string[] =>
  validatePriorityLevel({
    metadata: { name: 'l' },
    spec: { type: 'Limited', limited: { limitResponse: { type: 'Queue', queuing } } },
  } as PriorityLevelConfiguration).map((e) => `${e.field} ${e.detail}`);

describe('validatePriorityLevel', () => {
  it('deals no more queues than there are, nor than a hash can choose', () => {
    assert.deepEqual(level({ queues: 64, handSize: 8, queueLengthLimit: 50 }), []);
    assert.match(level({ queues: 2, handSize: 3, queueLengthLimit: 1 })[0]!, /greater than queues \(2\)/);
    assert.match(level({ queues: 512, handSize: 20, queueLengthLimit: 1 })[0]!, /required entropy bits/);
  });
});

describe('validateFlowSchema', () => {
  const judged = (change: object): string[] =>
    validateFlowSchema({
      metadata: { name: 's' },
      spec: { priorityLevelConfiguration: { name: 'p' }, matchingPrecedence: 1000, ...change },
    } as FlowSchema).map((e) => e.field);

  it('keeps the first place for the exempt schema', () => {
    assert.deepEqual(judged({}), []);
    assert.deepEqual(judged({ matchingPrecedence: 1 }), ['spec.matchingPrecedence']);
  });

  it('wants the subject that its kind says', () => {
    const resourceRules = [{ verbs: ['get'], apiGroups: [''], resources: ['pods'], clusterScope: true }];
    assert.deepEqual(judged({ rules: [{ subjects: [{ kind: 'User', group: { name: 'g' } }], resourceRules }] }), [
      'spec.rules[0].subjects[0].user',
      'spec.rules[0].subjects[0].group',
    ]);
  });
});
