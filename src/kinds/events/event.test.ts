import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Event } from '#generated/api/core-v1.ts';
import { event } from '../core/event.ts';
import { newEvent } from './event.ts';

const complete: Event = {
  metadata: { name: 'e', namespace: 'default' },
  involvedObject: { kind: 'Pod', namespace: 'default', name: 'web-0' },
  eventTime: '2026-01-01T00:00:00.000000Z',
  reportingComponent: 'example.com/reporter',
  reportingInstance: 'reporter-0',
  action: 'Binding',
  reason: 'Scheduled',
  type: 'Normal',
};

describe('newEvent', () => {
  const cases: [string, Partial<Event>, string[]][] = [
    ['complete', {}, []],
    ['without a time', { eventTime: undefined }, ['eventTime']],
    [
      'without what newer events must say',
      { action: '', reason: '', reportingComponent: '', reportingInstance: '' },
      ['reportingController', 'reportingController', 'reportingController', 'reportingInstance', 'action', 'reason'],
    ],
    ['of another type', { type: 'Odd' }, ['type']],
    ['with a deprecated count', { count: 2 }, ['count']],
    ['with a series of one', { series: { count: 1, lastObservedTime: complete.eventTime } }, ['series.count']],
    ['with a long message', { message: 'x'.repeat(1025) }, ['message']],
  ];
  for (const [name, change, fields] of cases) {
    it(`${fields.length === 0 ? 'accepts' : 'refuses'} an event ${name}`, () => {
      const errors = newEvent.strategy.validateCreate!({ ...complete, ...change });
      assert.deepEqual(
        errors.map((e) => e.field),
        fields,
      );
    });
  }

  it('lets events of the core group be written in the old way', () => {
    const { eventTime: _, action: _a, ...old } = complete;
    assert.deepEqual(event.strategy.validateCreate!({ ...old, count: 2, reportingInstance: '' }), []);
    assert.equal(
      event.strategy.validateCreate!({ ...old, metadata: { name: 'e', namespace: 'other' } })[0]!.field,
      'involvedObject.namespace',
    );
  });
});
