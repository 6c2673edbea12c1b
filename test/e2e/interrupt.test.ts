// Ctrl-C while `up` brings programs and builds images, on a machine that has none of them yet: nothing is left, or a state that the next
// `up` goes on from.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { isDebian } from '#install/debian.ts';
import { CORACLE, freePort, isRoot, Sandbox } from './sandbox.ts';

const NAME = 'stopped';
/** As shells count SIGINT. */
const INTERRUPTED = 130;
const UP_TIMEOUT_MS = 180_000;
/** What every Debian has: the runner's own PATH already leads to programs that it brought. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const isThere = PATH.split(':').some((folder) => existsSync(join(folder, 'containerd')));
const skip = !isRoot ? 'not root' : !isDebian() ? 'no Debian' : false;

describe('Ctrl-C', { timeout: 400_000, skip }, () => {
  const sandbox = new Sandbox();
  sandbox.env['PATH'] = PATH;
  after(() => sandbox.remove());
  let port = 0;

  /** `up` in a process group of its own, as a terminal has it, interrupted as a whole once it has said this. */
  const interruptAt = async (said: RegExp): Promise<{ readonly code: number | null; readonly output: string }> => {
    port ||= await freePort();
    const args = ['up', '--name', NAME, '--data-dir', sandbox.data(NAME), '--nodes', '1', '--port', String(port)];
    const child = spawn(CORACLE, args, { env: sandbox.env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    let output = '';
    let isSent = false;
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        if (isSent || !said.test(output)) return;
        isSent = true;
        process.kill(-child.pid!, 'SIGINT');
      });
    }
    const code = await new Promise<number | null>((resolve) => {
      const limit = setTimeout(() => process.kill(-child.pid!, 'SIGKILL'), UP_TIMEOUT_MS);
      child.on('exit', (ended, signal) => {
        clearTimeout(limit);
        resolve(signal === 'SIGINT' ? INTERRUPTED : ended);
      });
    });
    return { code, output };
  };

  it('during the download of programs leaves no cluster', { skip: isThere && 'containerd is installed' }, async () => {
    const { code, output } = await interruptAt(/downloading .*containerd/);
    assert.equal(code, INTERRUPTED, output);
    assert.equal(existsSync(sandbox.data(NAME)), false);
    assert.doesNotMatch((await sandbox.run(['list'])).stdout, new RegExp(`^${NAME} `, 'm'));
  });

  it('during the build of images leaves a cluster that goes on, and says how', async () => {
    const { code, output } = await interruptAt(/building image/);
    assert.equal(code, INTERRUPTED, output);
    assert.match(
      output,
      new RegExp(`Continue with: coracle up --name ${NAME}, or stop it with: coracle down --name ${NAME}`),
    );
  });

  // Building all images takes a minute: by default the programs and the node have to do.
  it('is forgotten by the next up: programs and nodes are there, with --long images too, and no scratch is left', async () => {
    const examples = process.env['CORACLE_LONG'] === '1' ? [] : ['--no-examples'];
    const up = ['--nodes', '1', '--port', String(port), ...examples];
    const output = await sandbox.up(NAME, up, { timeoutMs: UP_TIMEOUT_MS });
    assert.equal(output.code, 0, output.stderr);
    const nodes = await sandbox.kubectl(NAME, ['get', 'nodes', '--no-headers']);
    assert.match(nodes.stdout, /^node-1 +Ready/m);
    if (examples.length > 0) return;
    const images = await sandbox.run(['image', 'list', '--name', NAME]);
    assert.match(images.stdout, /docker\.io\/library\/postgres:15/);
    assert.deepEqual(
      readdirSync(sandbox.path('home', 'images')).filter((f) => f.startsWith('build-')),
      [],
    );
  });
});
