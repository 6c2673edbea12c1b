import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { wantedImages } from './images.ts';

describe('wantedImages', () => {
  it('takes every tag of what can be built, and nothing behind a login', () =>
    assert.deepEqual(
      wantedImages(
        'example.test/e2e/agnhost:2.55\nexample.test/e2e/agnhost:2.63.0\nauthenticated.example.test/agnhost:2.6\nexample.test/pause:3.10\nexample.test/e2e/volume/nfs:1.6\n',
        ['agnhost', 'pause'],
      ),
      [
        { definition: 'agnhost', reference: 'example.test/e2e/agnhost:2.55' },
        { definition: 'agnhost', reference: 'example.test/e2e/agnhost:2.63.0' },
        { definition: 'pause', reference: 'example.test/pause:3.10' },
      ],
    ));
});
