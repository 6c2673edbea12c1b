import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { statusPatch } from './status-writer.ts';

describe('statusPatch', () => {
  it('holds only what differs, null for what is gone, and whole lists of addresses', () => {
    const ready = { type: 'Ready', status: 'True' };
    const patch = statusPatch(
      {
        phase: 'Pending',
        message: 'x',
        conditions: [
          { type: 'PodScheduled', status: 'True' },
          { type: 'Ready', status: 'False', reason: 'ContainersNotReady' },
        ],
        podIPs: [{ ip: '10.0.0.1' }],
      },
      { phase: 'Running', conditions: [{ type: 'PodScheduled', status: 'True' }, ready], podIPs: [{ ip: '10.0.0.2' }] },
    );
    assert.deepEqual(patch, {
      phase: 'Running',
      message: null,
      conditions: [{ ...ready, reason: null, message: null }],
      podIPs: [{ $patch: 'replace' }, { ip: '10.0.0.2' }],
    });
  });

  it('takes away the conditions of a resize that is over, and no others', () => {
    const one = (type: string) => ({ type, status: 'True' });
    const patch = statusPatch({ conditions: [one('PodResizePending'), one('Foreign')] }, { conditions: [] });
    assert.deepEqual(patch, { conditions: [{ $patch: 'delete', type: 'PodResizePending' }] });
  });

  it('is empty for equal statuses in another key order', () => {
    assert.deepEqual(statusPatch({ phase: 'Running', hostIP: '1' }, { hostIP: '1', phase: 'Running' }), {});
  });
});
