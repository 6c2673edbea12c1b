import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLog } from '#base/log.ts';
import type { Run, RunResult } from '#host/process.ts';
import { Conntrack } from './conntrack.ts';

function makeConntrack(answer: Partial<RunResult>) {
  const calls: string[] = [];
  const warned: string[] = [];
  const run: Run = async (command, args) => {
    calls.push([command, ...args].join(' '));
    return { code: 0, stdout: '', stderr: '', ...answer };
  };
  const log = { ...silentLog, warn: (message: string) => void warned.push(message) };
  return { conntrack: new Conntrack({ run, log }), calls, warned };
}
const TARGETS = [
  { ip: '10.244.1.5', port: 53 },
  { ip: '10.244.1.6', port: 53 },
];

describe('Conntrack', () => {
  it('deletes the UDP connections that answer from each target', async () => {
    const { conntrack, calls, warned } = makeConntrack({});
    await conntrack.forgetUdp(TARGETS);
    assert.deepEqual(calls, [
      'conntrack -D -p udp --reply-src 10.244.1.5 --reply-port-src 53',
      'conntrack -D -p udp --reply-src 10.244.1.6 --reply-port-src 53',
    ]);
    assert.deepEqual(warned, []);
  });

  it('takes it that there was none to delete', async () => {
    const { conntrack, warned } = makeConntrack({
      code: 1,
      stderr: 'conntrack v1.4.7: 0 flow entries have been deleted.',
    });
    await conntrack.forgetUdp(TARGETS);
    assert.deepEqual(warned, []);
  });

  it('warns of other failures', async () => {
    const { conntrack, warned } = makeConntrack({ code: 1, stderr: 'Operation failed' });
    await conntrack.forgetUdp(TARGETS.slice(0, 1));
    assert.deepEqual(warned, ['conntrack']);
  });

  it('asks for a missing program once', async () => {
    const { conntrack, calls } = makeConntrack({ code: 127 });
    await conntrack.forgetUdp(TARGETS);
    await conntrack.forgetUdp(TARGETS);
    assert.equal(calls.length, 1);
  });
});
