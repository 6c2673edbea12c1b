import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import type { LifecycleHandler, Pod } from '#generated/api/core-v1.ts';
import { SteppedClock } from '#base/clock.ts';
import type { Runtime } from '../cri/runtime.ts';
import type { AnyContainer } from './containers.ts';
import { runHook } from './hooks.ts';

const pod = { metadata: { name: 'p', namespace: 'default', uid: 'u' } } as Pod;
const clock = new SteppedClock();
const run = (hook: LifecycleHandler, exitCode = 0) =>
  runHook(pod, { name: 'c' } as AnyContainer, 'id', '127.0.0.1', hook, {
    clock,
    runtime: {
      execSync: async () => ({ exitCode, stdout: Buffer.from('out'), stderr: Buffer.alloc(0) }),
    } as unknown as Runtime,
  });

describe('hooks', () => {
  it('exec: ends with the command, and says in upstream’s words that it failed', async () => {
    await run({ exec: { command: ['sh', '-c', 'true'] } });
    await assert.rejects(run({ exec: { command: ['sh', '-c', 'false'] } }, 3), {
      code: 'HookFailed',
      message:
        'Exec lifecycle hook ([sh -c false]) for Container "c" in Pod "p_default(u)" failed - error: command \'sh -c false\' exited with 3: out, message: "out"',
    });
  });

  it('httpGet: asks the container, and fails with its answer', async (t) => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url!);
      response.statusCode = request.url === '/ok' ? 200 : 500;
      response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    const { port } = server.address() as AddressInfo;
    await run({ httpGet: { path: '/ok', port } });
    await assert.rejects(
      run({ httpGet: { path: '/bad', port } }),
      /HTTP lifecycle hook \(\/bad\) for Container "c" failed/,
    );
    assert.deepEqual(asked, ['/ok', '/bad']);
  });

  it('sleep: takes its time', async () => {
    let over = false;
    const done = run({ sleep: { seconds: 5 } }).then(() => (over = true));
    await clock.step(4900);
    assert.equal(over, false);
    await clock.step(200);
    await done;
    assert.equal(over, true);
  });
});
