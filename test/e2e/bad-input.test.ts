// What bad input gets: one clear sentence that says what is wrong and what to do, an exit code, nothing half-started, no data lost.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Output, until } from './cluster.ts';
import { identify } from '#host/process.ts';
import { freePort, isRoot, pathWith, Sandbox, sentence } from './sandbox.ts';

const needsRoot = isRoot ? {} : { skip: 'not root' };

/** The command failed with this code and one sentence of this content. */
function refused(output: Output, code: number, expected: RegExp): void {
  assert.equal(output.code, code, output.stderr);
  assert.match(sentence(output), expected);
  assert.equal(sentence(output).split('\n').length, 1, output.stderr);
  assert.doesNotMatch(output.stderr, /^\s+at /m, 'no stack');
}

describe('the command line, given bad input', { timeout: 150_000 }, () => {
  const sandbox = new Sandbox();
  after(() => sandbox.remove());

  /** Nothing was made: no folder, no entry in the index, no context. */
  const nothingMade = async (name: string): Promise<void> => {
    assert.equal(existsSync(sandbox.data(name)), false, 'the data directory');
    assert.doesNotMatch((await sandbox.run(['list'])).stdout, new RegExp(`^${name} `, 'm'));
    assert.ok(
      !existsSync(sandbox.path('kubeconfig')) ||
        !readFileSync(sandbox.path('kubeconfig'), 'utf8').includes(`coracle-${name}`),
      'the context',
    );
  };

  describe('options', () => {
    const cases: readonly (readonly [string, readonly string[], RegExp])[] = [
      ['an unknown command', ['upp'], /unknown command 'upp'/],
      ['an unknown option', ['up', '--colour'], /unknown option '--colour'/],
      ['an option without its value', ['up', '--port'], /argument missing/],
      [
        'a name that cannot name a cluster',
        ['up', '--name', 'My_Cluster'],
        /"My_Cluster" cannot name a cluster: use up to 32/,
      ],
      ['a port that is no port', ['up', '--port', '70000'], /--port wants a number from 1 to 65535, not "70000"/],
      ['no nodes', ['up', '--hollow', '--nodes', '0'], /--nodes wants a number from 1/],
      ['half a node', ['up', '--hollow', '--nodes', '1.5'], /--nodes wants a number from 1/],
      [
        'a range that is no range',
        ['up', '--pod-cidr', '10.244.0.0'],
        /--pod-cidr wants an IPv4 range such as 10.244.0.0\/16, not "10.244.0.0"/,
      ],
      ['families that are none', ['up', '--ip-families', 'ipv6'], /--ip-families knows ipv4 and ipv4,ipv6; not "ipv6"/],
      [
        'an IPv6 range for a cluster of IPv4',
        ['up', '--hollow', '--pod-cidr', '10.9.0.0/16,fd00:9::/56'],
        /--pod-cidr gives the IPv6 range fd00:9::\/56, which wants --ip-families ipv4,ipv6/,
      ],
      [
        'two families without a kernel network',
        ['up', '--hollow', '--ip-families', 'ipv4,ipv6'],
        /--ip-families ipv4,ipv6 needs a kernel network, which hollow nodes have not/,
      ],
      [
        'a pod range smaller than one node’s',
        ['up', '--hollow', '--pod-cidr', '10.9.0.0/26'],
        /--pod-cidr 10.9.0.0\/26 is too small/,
      ],
      [
        'an unknown part',
        ['up', '--disable', 'etcd'],
        /--disable knows scheduler, controllers, dns, proxy, policy\b.*; not "etcd"/,
      ],
      ['a size that is no size', ['up', '--node-memory', 'much'], /--node-memory wants a size such as 4Gi, not "much"/],
      ['a node port out of range', ['up', '--publish', '8080:80'], /--publish wants HOSTPORT:NODEPORT/],
      [
        'an address that is none',
        ['up', '--hollow', '--bind-address', 'here'],
        /--bind-address wants an IP address, not "here"/,
      ],
      [
        'an address of another machine',
        ['up', '--hollow', '--port', '17999', '--bind-address', '192.0.2.1'],
        /192.0.2.1 is not an address of this machine/,
      ],
      [
        'options that contradict each other',
        ['up', '--hollow', '--require-containers'],
        /--hollow and --require-containers contradict each other/,
      ],
      [
        'a tunnel without a kernel network',
        ['up', '--hollow', '--pod-network', 'vxlan'],
        /--pod-network vxlan needs a kernel network, which hollow nodes have not/,
      ],
      [
        'a tunnel for somebody else’s pod network',
        ['up', '--cni-conf-dir', '/etc/cni', '--pod-network', 'vxlan'],
        /--pod-network vxlan is for the built-in pod network/,
      ],
      [
        'a shell that completion does not know',
        ['completion', 'tcsh'],
        /completion knows bash, zsh and fish, not "tcsh"/,
      ],
    ];
    for (const [what, args, expected] of cases) {
      it(`${what}: usage, exit code 64`, async () => {
        const output = await sandbox.run(args);
        assert.equal(output.code, 64, output.stderr);
        assert.match(output.stderr, expected);
        assert.equal(existsSync(sandbox.path('home', 'clusters')), false);
      });
    }
  });

  it('an unknown name: says which there are', async () => {
    for (const command of [
      ['status'],
      ['down'],
      ['kubectl', 'get', 'nodes'],
      ['node', 'list'],
      ['image', 'list'],
      ['logs'],
      ['support'],
    ]) {
      refused(
        await sandbox.run(['--name', 'nosuch', ...command]),
        1,
        /there is no cluster "nosuch"; make it with: coracle up/,
      );
    }
  });

  it('a port in use: names it, and leaves nothing', async () => {
    const server = await new Promise<Server>((resolve) => {
      const listening = createServer().listen(0, '127.0.0.1', () => resolve(listening));
    });
    const { port } = server.address() as { port: number };
    refused(
      await sandbox.up('taken', ['--hollow', '--port', String(port)]),
      1,
      new RegExp(`port ${port} on 127.0.0.1 is in use by another program; give another one with --port`),
    );
    await nothingMade('taken');
    server.close();
  });

  it('colliding ranges: names both, and leaves nothing', async () => {
    refused(
      await sandbox.up('ranges', ['--hollow', '--pod-cidr', '10.96.0.0/16']),
      64,
      /--service-cidr 10.96.0.0\/12 overlaps --pod-cidr 10.96.0.0\/16; give ranges that do not overlap/,
    );
    await nothingMade('ranges');
  });

  it('a data directory that is too deep: says how many bytes are allowed', async () => {
    const deep = join(sandbox.folder, 'd'.repeat(60), 'e'.repeat(60));
    refused(
      await sandbox.run(['up', '--hollow', '--name', 'deep', '--data-dir', deep]),
      64,
      /is too deep: unix sockets allow 107 bytes/,
    );
    await nothingMade('deep');
  });

  it('a folder with other things in it: refused untouched', async () => {
    mkdirSync(sandbox.data('photos'));
    writeFileSync(join(sandbox.data('photos'), 'cat.jpg'), 'cat');
    refused(
      await sandbox.up('photos', ['--hollow']),
      64,
      /photos is not empty and holds no cluster; nothing was changed/,
    );
    assert.deepEqual(readdirSync(sandbox.data('photos')), ['cat.jpg']);
  });

  it('a data directory of another version: refused untouched', async () => {
    mkdirSync(sandbox.data('future'));
    const file = join(sandbox.data('future'), 'cluster.json');
    const text = JSON.stringify({ format: 99, name: 'future' });
    writeFileSync(file, text);
    refused(
      await sandbox.up('future', ['--hollow']),
      64,
      /data format 99, this Coracle reads format 1; nothing was changed/,
    );
    assert.equal(readFileSync(file, 'utf8'), text);
    assert.deepEqual(readdirSync(sandbox.data('future')), ['cluster.json']);
  });

  it('a damaged cluster.json: refused untouched', async () => {
    mkdirSync(sandbox.data('torn'));
    writeFileSync(join(sandbox.data('torn'), 'cluster.json'), '{"format":1,"na');
    refused(
      await sandbox.up('torn', ['--hollow']),
      64,
      /cluster.json is damaged: it is not valid JSON; nothing was changed/,
    );
    assert.equal(readFileSync(join(sandbox.data('torn'), 'cluster.json'), 'utf8'), '{"format":1,"na');
  });

  it('a foreign context of the same name: left alone, and nothing started', async () => {
    const foreign =
      'apiVersion: v1\nkind: Config\nclusters:\n- name: coracle-mine\n  cluster: {server: "https://192.0.2.1"}\ncontexts: []\nusers: []\n';
    writeFileSync(sandbox.path('foreign'), foreign);
    const output = await sandbox.up('mine', ['--hollow', '--port', String(await freePort())], {
      env: { KUBECONFIG: sandbox.path('foreign') },
    });
    refused(output, 1, /already has an entry coracle-mine that is not this cluster's; it was left alone/);
    assert.equal(readFileSync(sandbox.path('foreign'), 'utf8'), foreign);
    await nothingMade('mine');
  });

  it('no space left: says how much is free, and leaves nothing', needsRoot, async () => {
    const small = sandbox.path('small');
    mkdirSync(small);
    assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', small]).status, 0);
    try {
      refused(
        await sandbox.run(['up', '--hollow', '--name', 'full', '--data-dir', join(small, 'data')]),
        1,
        /no space left: only \d+ MiB are free where .* is; a cluster wants at least 64 MiB. Make room/,
      );
      assert.deepEqual(readdirSync(small), []);
    } finally {
      spawnSync('umount', [small]);
    }
  });
});

describe('a machine that cannot hold the cluster', { timeout: 60_000, ...needsRoot }, () => {
  const sandbox = new Sandbox({ sharedHome: true });
  const name = `bad-${process.pid}`;
  after(() => sandbox.remove());

  it('a range that the machine itself routes: names the route, and leaves nothing', async () => {
    const routes = JSON.parse(spawnSync('ip', ['-j', '-4', 'route', 'show']).stdout.toString()) as {
      dst: string;
      dev: string;
    }[];
    const own = routes.find((r) => r.dst.includes('/') && !r.dev.startsWith('crc'));
    assert.ok(own, 'the machine routes something');
    refused(
      await sandbox.up(name, ['--service-cidr', own.dst, '--require-containers', '--port', String(await freePort())]),
      64,
      new RegExp(
        `--service-cidr .* (is too small|collides with ${own.dst}, which this machine routes through ${own.dev})`,
      ),
    );
    assert.equal(existsSync(sandbox.data(name)), false);
  });

  describe('a missing kernel feature', () => {
    const broken = (): NodeJS.ProcessEnv => {
      const folder = sandbox.path('broken');
      const env = pathWith(folder, sandbox.env);
      // A kernel without what is asked: the try in a namespace of its own fails with the kernel's words.
      writeFileSync(join(folder, 'unshare'), '#!/bin/sh\necho "Error: Unknown device type." >&2\nexit 2\n');
      chmodSync(join(folder, 'unshare'), 0o755);
      return env;
    };

    it('is named, with exit code 69, where containers are required', async () => {
      const output = await sandbox.up(name, ['--require-containers', '--port', String(await freePort())], {
        env: broken(),
      });
      refused(
        output,
        69,
        /real nodes are not possible here: the kernel has no bridge or veth links \(Error: Unknown device type\.\)/,
      );
      assert.equal(existsSync(sandbox.data(name)), false);
    });

    it('is named, and hollow nodes start instead', async () => {
      const output = await sandbox.up(name, ['--nodes', '1', '--port', String(await freePort())], { env: broken() });
      assert.equal(output.code, 0, output.stderr);
      assert.match(output.stderr, /real containers are not possible here: the kernel has no bridge or veth links/);
      assert.match(output.stderr, /starting hollow nodes instead/);
    });
  });

  it('missing programs that may not be brought: names them and their packages, exit code 69', {
    skip: existsSync('/usr/bin/containerd') ? 'the system has containerd' : false,
  }, async () => {
    const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
    const output = await sandbox.up(
      `${name}-programs`,
      ['--no-install', '--require-containers', '--port', String(await freePort())],
      { env: { CORACLE_HOME: sandbox.path('empty'), PATH: path } },
    );
    refused(
      output,
      69,
      /missing: containerd, .*\. Install .*containerd.*, give --runtime-dir, or leave out --no-install/,
    );
    assert.equal(existsSync(sandbox.data(`${name}-programs`)), false);
  });
});

describe('a containerd that does not come up', { timeout: 60_000, ...needsRoot }, () => {
  const sandbox = new Sandbox({ sharedHome: true });
  after(() => sandbox.remove());

  it('is named with its last words, and nothing is left', async () => {
    const runtime = sandbox.path('runtime');
    mkdirSync(runtime);
    writeFileSync(
      join(runtime, 'containerd'),
      '#!/bin/sh\nsleep 0.2\necho "containerd: exec format error" >&2\nexit 1\n',
    );
    chmodSync(join(runtime, 'containerd'), 0o755);
    const name = `runtime-${process.pid}`;
    const output = await sandbox.up(name, [
      '--nodes',
      '1',
      '--port',
      String(await freePort()),
      '--runtime-dir',
      runtime,
      '--no-examples',
    ]);
    refused(
      output,
      1,
      /node-1-containerd does not start: containerd of node-1 ended: containerd: exec format error; see .*node-1-containerd\.log/,
    );
    assert.equal(existsSync(sandbox.data(name)), false);
    const id = createHash('sha256').update(sandbox.data(name)).digest('hex').slice(0, 8);
    assert.doesNotMatch(spawnSync('ip', ['-br', 'link']).stdout.toString(), new RegExp(`crc${id}`));
    assert.equal(existsSync(`/run/netns/coracle-${id}`), false);
    assert.doesNotMatch((await sandbox.run(['list'])).stdout, new RegExp(name));
  });
});

describe('a cluster that exists, given bad input', { timeout: 150_000 }, () => {
  const sandbox = new Sandbox();
  const data = (): string => sandbox.data('good');
  const storeFile = (): string => join(data(), 'store', 'store.db');
  const down = async (): Promise<void> => assert.equal((await sandbox.run(['down', '--name', 'good'])).code, 0);
  const running = async (): Promise<boolean> => (await sandbox.run(['status', '--name', 'good'])).code === 0;

  before(async () => {
    await sandbox.hollow('good');
    assert.equal((await sandbox.kubectl('good', ['create', 'configmap', 'kept', '--from-literal=a=b'])).code, 0);
  });
  after(() => sandbox.remove());

  const stillThere = async (): Promise<void> => {
    const output = await sandbox.kubectl('good', ['get', 'configmap', 'kept', '-o', 'jsonpath={.data.a}']);
    assert.equal(output.stdout, 'b', output.stderr);
  };

  it('up run twice changes nothing', async () => {
    const before = readFileSync(join(data(), 'cluster.json'), 'utf8');
    const parts = () =>
      (JSON.parse(spawnSync('cat', [join(data(), 'run', 'server.json')]).stdout.toString()) as { pid: number }).pid;
    const pid = parts();
    const output = await sandbox.up('good', []);
    assert.equal(output.code, 0, output.stderr);
    assert.equal(readFileSync(join(data(), 'cluster.json'), 'utf8'), before);
    assert.equal(parts(), pid);
  });

  it('other ranges, another port, fewer nodes: refused, with what to do instead', async () => {
    refused(
      await sandbox.up('good', ['--pod-cidr', '10.9.0.0/16']),
      64,
      /was made with --pod-cidr 10.244.0.0\/16; that cannot be changed/,
    );
    refused(
      await sandbox.up('good', ['--port', String(await freePort())]),
      64,
      /runs with --port \d+; to change it, run first: coracle down --name good/,
    );
    refused(await sandbox.up('good', ['--nodes', '1000']), 64, /--nodes wants a number from 1 to/);
    refused(
      await sandbox.run(['up', '--name', 'good', '--data-dir', sandbox.data('elsewhere')]),
      64,
      /cluster good lives in .*good; leave out --data-dir/,
    );
    refused(
      await sandbox.run(['up', '--name', 'other', '--data-dir', data()]),
      64,
      /holds the cluster good; use --name good/,
    );
    assert.ok(await running());
  });

  it('an unknown node: says which there are', async () => {
    refused(
      await sandbox.run(['node', 'stop', 'node-9', '--name', 'good']),
      1,
      /there is no node node-9; the nodes are node-1/,
    );
    refused(
      await sandbox.run(['logs', 'node-9-agent', '--name', 'good']),
      64,
      /there is no log of "node-9-agent"; there are .*server/,
    );
  });

  it('locked: a second supervisor and a second server on its data end with a sentence', async () => {
    refused(
      await sandbox.run(['supervisor', '--data-dir', data()], { timeoutMs: 20_000 }),
      64,
      /another supervisor already looks after .*good/,
    );
    const server = await sandbox.run(['server', '--data-dir', data()], { timeoutMs: 20_000 });
    assert.equal(server.code, 1, server.stderr);
    assert.match(sentence(server), /in use by process \d+/);
    assert.ok(await running());
    await stillThere();
  });

  it('a second up at the same time: one of them says that the other works', async () => {
    await down();
    const both = await Promise.all([sandbox.up('good', []), sandbox.up('good', [])]);
    const lost = both.filter((o) => o.code !== 0);
    assert.equal(lost.length, 1, both.map((o) => o.stderr).join('\n'));
    refused(
      lost[0]!,
      1,
      /another coracle command is starting or stopping cluster good right now; wait until it has ended/,
    );
    await stillThere();
  });

  it('Ctrl-C during up: a state that up resumes', async () => {
    await down();
    const child = sandbox.start(['up', '--name', 'good']);
    const ended = new Promise<number | null>((resolve) => void child.on('exit', (code) => resolve(code)));
    let said = '';
    child.stderr!.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await until('up has begun', 20_000, async () => said.includes('continuing'));
    child.kill('SIGINT');
    assert.equal(await ended, 130, said);
    assert.match(said, /coracle: interrupted; .* Continue with: coracle up --name good/);
    assert.equal((await sandbox.up('good', [])).code, 0);
    await stillThere();
  });

  it('a torn store file: says so, starts nothing, and goes on when the file is back', async () => {
    await down();
    const good = readFileSync(storeFile());
    const file = openSync(storeFile(), 'r+');
    ftruncateSync(file, Math.floor(good.length / 2) + 100);
    closeSync(file);
    const torn = statSync(storeFile()).size;
    const output = await sandbox.up('good', []);
    refused(output, 1, /server does not start: .*store\.db is damaged/);
    assert.equal(statSync(storeFile()).size, torn, 'the file is as it was');
    assert.deepEqual(existsSync(join(data(), 'run')) ? readdirSync(join(data(), 'run')) : [], []);
    writeFileSync(storeFile(), good);
    const again = await sandbox.up('good', []);
    assert.equal(again.code, 0, again.stderr);
    await stillThere();
  });

  it('a store of another version: refused untouched, and nothing started', async () => {
    await down();
    const file = readdirSync(join(data(), 'store')).find((f) => /format|version/i.test(f));
    assert.ok(file, `a file with the format among ${readdirSync(join(data(), 'store')).join(', ')}`);
    const path = join(data(), 'store', file);
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace(/\d+/, '99'));
    refused(await sandbox.up('good', []), 1, /server does not start: .*99/);
    assert.match(readFileSync(path, 'utf8'), /99/);
    writeFileSync(path, text);
    assert.equal((await sandbox.up('good', [])).code, 0);
    await stillThere();
  });

  it('status answers within two seconds when half of it is dead, and names the log to read', async () => {
    const { parts } = JSON.parse((await sandbox.run(['status', '--name', 'good', '-o', 'json'])).stdout) as {
      parts: { part: string; pid: number }[];
    };
    const pidOf = (name: string): number => parts.find((p) => p.part === name)!.pid;
    process.kill(pidOf('supervisor'), 'SIGKILL');
    // Stopped, not dead: it takes connections and answers none, which is the worst for whoever asks.
    process.kill(pidOf('server'), 'SIGSTOP');
    const output = await sandbox.run(['status', '--name', 'good']);
    assert.equal(output.code, 1);
    assert.ok(output.tookMs < 3_500, `took ${output.tookMs} ms`);
    assert.match(output.stdout, /supervisor +DEAD/);
    assert.match(output.stdout, /not running: supervisor; read .*supervisor\.log/);
    process.kill(pidOf('server'), 'SIGKILL');
    assert.equal((await sandbox.up('good', [])).code, 0);
    await stillThere();
  });

  it('down with a dead server and a dead supervisor, and twice', async () => {
    const { parts } = JSON.parse((await sandbox.run(['status', '--name', 'good', '-o', 'json'])).stdout) as {
      parts: { pid: number }[];
    };
    for (const { pid } of parts.slice(0, 2)) process.kill(pid, 'SIGKILL');
    const first = await sandbox.run(['down', '--name', 'good']);
    assert.equal(first.code, 0, first.stderr);
    for (const { pid } of parts) assert.equal(identify(pid), undefined);
    const second = await sandbox.run(['down', '--name', 'good']);
    assert.equal(second.code, 0, second.stderr);
    assert.match(second.stderr, /cluster good was not running/);
  });
});

describe('no space left under a cluster that exists', { timeout: 90_000, ...needsRoot }, () => {
  const sandbox = new Sandbox();
  const disk = sandbox.path('disk');
  const data = join(disk, 'data');
  const fill = (): number =>
    spawnSync('dd', ['if=/dev/zero', `of=${join(disk, 'fill')}`, 'bs=1M'], { stdio: 'ignore' }).status!;
  const make = (name: string): Promise<Output> => sandbox.kubectl('full', ['create', 'configmap', name]);

  before(async () => {
    mkdirSync(disk);
    assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=100m', 'tmpfs', disk]).status, 0);
    const output = await sandbox.run([
      'up',
      '--hollow',
      '--nodes',
      '1',
      '--name',
      'full',
      '--data-dir',
      data,
      '--port',
      String(await freePort()),
    ]);
    assert.equal(output.code, 0, output.stderr);
  });
  after(async () => {
    await sandbox.run(['down', '--name', 'full', '--delete', '--yes']);
    spawnSync('umount', [disk]);
    await sandbox.remove();
  });

  it('a write is refused with what to do, and writing goes on once there is room', async () => {
    assert.equal((await make('kept')).code, 0);
    fill();
    const refusedWrite = await make('lost');
    assert.equal(refusedWrite.code, 1);
    assert.match(refusedWrite.stderr, /no space left for .*store\. Free some space/);
    rmSync(join(disk, 'fill'));
    await until('writing goes on', 15_000, async () => (await make('more')).code === 0);
  });

  it('up says so and leaves nothing half-started, and goes on with all objects once there is room', async () => {
    assert.equal((await sandbox.run(['down', '--name', 'full'])).code, 0);
    fill();
    refused(
      await sandbox.run(['up', '--name', 'full']),
      1,
      /no space is left on the disk.*; nothing was lost\. Make room, then run: coracle up/,
    );
    assert.equal(existsSync(join(data, 'run')), false);
    rmSync(join(disk, 'fill'));
    assert.equal((await sandbox.run(['up', '--name', 'full'])).code, 0);
    assert.match((await sandbox.kubectl('full', ['get', 'configmaps', '-o', 'name'])).stdout, /kept[\s\S]*more/);
  });
});
