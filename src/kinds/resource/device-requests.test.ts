import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defaultDevices } from './device-requests.ts';

describe('defaultDevices', () => {
  const defaulted = (request: object) =>
    defaultDevices({ devices: { requests: [{ name: 'r', ...request }] } } as never as Parameters<
      typeof defaultDevices
    >[0]).devices!.requests![0];

  it('asks for one device, and for no number of them where all are wanted', () => {
    assert.deepEqual(defaulted({ exactly: { deviceClassName: 'a' } }), {
      name: 'r',
      exactly: { deviceClassName: 'a', allocationMode: 'ExactCount', count: 1 },
    });
    assert.deepEqual(defaulted({ exactly: { allocationMode: 'All' } }), {
      name: 'r',
      exactly: { allocationMode: 'All' },
    });
  });

  it('looks into the alternatives of a request', () => {
    assert.deepEqual(defaulted({ firstAvailable: [{ name: 'x', count: 2 }] }), {
      name: 'r',
      firstAvailable: [{ name: 'x', count: 2, allocationMode: 'ExactCount' }],
    });
  });
});
