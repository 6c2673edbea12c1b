// Hollow nodes, as a user without privileges: everything is real but the containers and the kernel network, and says so.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import type { Node, Pod } from '#generated/api/core-v1.ts';
import { until } from './cluster.ts';
import { CORACLE, freePort, isRoot, NOBODY, Sandbox } from './sandbox.ts';

// The owner of the checkout bundles it; nobody could not.
spawnSync(CORACLE, ['version'], { stdio: 'ignore' });
const canRun =
  !isRoot ||
  spawnSync('setpriv', [`--reuid=${NOBODY}`, '--clear-groups', CORACLE, 'version'], { stdio: 'ignore' }).status === 0;

describe('up as an unprivileged user', {
  timeout: 120_000,
  skip: canRun ? false : 'the checkout cannot be read by nobody',
}, () => {
  const sandbox = new Sandbox(isRoot ? { user: NOBODY } : {});
  let said = '';

  before(async () => {
    const output = await sandbox.up('hollow', ['--nodes', '2', '--port', String(await freePort())]);
    assert.equal(output.code, 0, output.stderr);
    said = output.stderr;
  });
  after(() => sandbox.remove());

  const pods = async (): Promise<readonly Pod[]> => {
    const output = await sandbox.kubectl('hollow', ['get', 'pods', '-o', 'json']);
    return (JSON.parse(output.stdout) as { items: Pod[] }).items;
  };

  it('says that it does not run as root and starts hollow nodes instead', () => {
    assert.match(said, /real containers are not possible here: it does not run as root/);
    assert.match(said, /starting hollow nodes instead/);
  });

  it('takes a Deployment to Available, its pods on addresses of their nodes', async () => {
    const made = await sandbox.kubectl('hollow', ['create', 'deployment', 'web', '--image=nginx', '--replicas=4']);
    assert.equal(made.code, 0, made.stderr);
    const waited = await sandbox.kubectl('hollow', [
      'wait',
      '--for=condition=Available',
      'deployment/web',
      '--timeout=25s',
    ]);
    assert.equal(waited.code, 0, waited.stderr);
    const nodes = JSON.parse((await sandbox.kubectl('hollow', ['get', 'nodes', '-o', 'json'])).stdout) as {
      items: Node[];
    };
    for (const pod of await pods()) {
      const range = nodes.items.find((n) => n.metadata.name === pod.spec!.nodeName)!.spec!.podCIDR!;
      assert.ok(pod.status!.podIP!.startsWith(range.replace(/\d+\/24$/, '')), `${pod.status!.podIP} in ${range}`);
    }
    assert.equal(new Set((await pods()).map((p) => p.status!.podIP)).size, 4);
  });

  it('refuses exec by name', async () => {
    const output = await sandbox.kubectl('hollow', ['exec', 'deployment/web', '--', 'true']);
    assert.notEqual(output.code, 0);
    assert.match(output.stderr, /this node is hollow: it has no containers/);
  });

  it('refuses a terminal and images of hollow nodes by name', async () => {
    const terminal = await sandbox.run(['node', 'exec', 'node-1', '--name', 'hollow', '--', 'true']);
    assert.equal(terminal.code, 1);
    assert.match(terminal.stderr, /hollow nodes have no terminal/);
    const images = await sandbox.run(['image', 'list', '--name', 'hollow']);
    assert.equal(images.code, 1);
    assert.match(images.stderr, /hollow nodes hold no images/);
  });

  it('holds all its nodes in one process, and keeps everything of it in the user’s folder', async () => {
    const output = await sandbox.run(['status', '--name', 'hollow', '-o', 'json']);
    assert.equal(output.code, 0, output.stdout);
    const status = JSON.parse(output.stdout) as { parts: { part: string }[]; nodes: unknown[] };
    assert.deepEqual(
      status.parts.map((p) => p.part),
      ['supervisor', 'server', 'hollow-agents'],
    );
    assert.equal(status.nodes.length, 2);
    assert.equal(statSync(sandbox.data('hollow')).uid, isRoot ? NOBODY : process.getuid!());
  });

  it('adds a node that takes pods', async () => {
    const added = await sandbox.up('hollow', ['--nodes', '3']);
    assert.equal(added.code, 0, added.stderr);
    await sandbox.kubectl('hollow', ['scale', 'deployment/web', '--replicas=12']);
    await until('a pod on the new node', 30_000, async () =>
      (await pods()).some((p) => p.spec!.nodeName === 'node-3' && p.status?.phase === 'Running'),
    );
  });

  it('goes on with its objects after a stopped node, kill -9 of everything, and another up', async () => {
    const off = await sandbox.run(['node', 'stop', 'node-2', '--name', 'hollow']);
    assert.equal(off.code, 0, off.stderr);
    const tainted = await sandbox.kubectl('hollow', ['get', 'node', 'node-2', '-o', 'jsonpath={.spec.taints[*].key}']);
    assert.match(tainted.stdout, /node\.kubernetes\.io\/out-of-service/);
    const on = await sandbox.run(['node', 'start', 'node-2', '--name', 'hollow']);
    assert.equal(on.code, 0, on.stderr);
    const { parts } = JSON.parse((await sandbox.run(['status', '--name', 'hollow', '-o', 'json'])).stdout) as {
      parts: { pid: number }[];
    };
    for (const { pid } of parts) process.kill(pid, 'SIGKILL');
    const again = await sandbox.up('hollow', []);
    assert.equal(again.code, 0, again.stderr);
    await until(
      'twelve pods run on three nodes',
      30_000,
      async () =>
        (await pods()).filter((p) => p.status?.phase === 'Running' && p.metadata.deletionTimestamp === undefined)
          .length === 12,
    );
    const nodes = await sandbox.kubectl('hollow', ['get', 'nodes', '-o', 'jsonpath={.items[*].spec.taints[*].key}']);
    assert.equal(nodes.stdout, '');
  });

  it('leaves nothing behind when it is deleted', async () => {
    const output = await sandbox.run(['down', '--delete', '--name', 'hollow']);
    assert.equal(output.code, 0, output.stderr);
    assert.equal(existsSync(sandbox.data('hollow')), false);
    assert.equal((await sandbox.run(['list'])).stdout.trim().split('\n').length, 1);
  });
});
