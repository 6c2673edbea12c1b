import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { Run } from '#host/process.ts';
import { NftProgram } from './nft.ts';

const folder = mkdtempSync(join(tmpdir(), 'coracle-nft-'));
after(() => rmSync(folder, { recursive: true }));

function makeNft(answer: { code?: number; stdout?: string; stderr?: string } = {}) {
  const calls: string[][] = [];
  const run: Run = async (command, args) => {
    calls.push([command, ...args]);
    return { code: 0, stdout: '', stderr: '', ...answer };
  };
  return { calls, nft: new NftProgram({ run, nft: '/opt/nft', folder }) };
}

describe('NftProgram', () => {
  it('hands a change over as a file, deletions first', async () => {
    const { nft, calls } = makeNft();
    await nft.change({
      table: 't',
      remove: [{ set: 'm', key: '1', value: 'jump pick_1' }],
      add: [
        { set: 'm', key: '1', value: 'jump pick_2' },
        { set: 's', key: '10.0.0.1', value: '' },
      ],
    });
    assert.equal(calls.length, 1);
    assert.deepEqual(calls[0]!.slice(0, 2), ['/opt/nft', '-f']);
    const text = readFileSync(calls[0]![2]!, 'utf8');
    assert.equal(
      text,
      'delete element ip t m { 1 : jump pick_1 }\nadd element ip t m { 1 : jump pick_2 }\nadd element ip t s { 10.0.0.1 }\n',
    );
  });

  it('starts no process for no change', async () => {
    const { nft, calls } = makeNft();
    await nft.change({ table: 't', remove: [], add: [] });
    assert.deepEqual(calls, []);
  });

  it('throws with what nft said', async () => {
    const { nft } = makeNft({ code: 1, stderr: 'Error: Could not process rule: No such file or directory' });
    await assert.rejects(nft.remove('t'), /No such file/);
  });

  it('reads counters of elements', async () => {
    const stdout = `table ip t {
	set egress_denied {
		type ipv4_addr
		counter
		elements = { 10.244.1.5 counter packets 3 bytes 180,
			     10.244.1.6 counter packets 0 bytes 0 }
	}
}`;
    const { nft } = makeNft({ stdout });
    assert.deepEqual(await nft.counters('t', 'egress_denied'), [
      { key: '10.244.1.5', packets: 3, bytes: 180 },
      { key: '10.244.1.6', packets: 0, bytes: 0 },
    ]);
  });
});
