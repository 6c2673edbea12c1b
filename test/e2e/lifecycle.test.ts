// The life of clusters with real nodes: parts that die, machines that die, everything that dies, clusters side by side, and a
// machine that is as it was in the end.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { ConfigMap, Pod } from '#generated/api/core-v1.ts';
import { identify, run } from '#host/process.ts';
import { buildImage } from '#imagebuild/build.ts';
import { call, CLIENT_IMAGE, until } from './cluster.ts';
import { clusterId, machineState } from './machine.ts';
import { CORACLE, freePort, isRoot, Sandbox } from './sandbox.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const HOME = process.env['CORACLE_HOME'] ?? '/var/lib/coracle';
const PUBLISHED_NODE_PORT = 30_080;
/** A line every 0.2 s through the ClusterIP; older than this means that it stopped. */
const FRESH_S = 4;

interface PartStatus {
  readonly part: string;
  readonly running: boolean;
  readonly pid: number | null;
}

describe('the life of a cluster with real nodes', { timeout: 330_000, skip: isRoot ? false : 'not root' }, () => {
  const sandbox = new Sandbox({ sharedHome: true });
  const a = `life-a-${process.pid}`;
  const b = `life-b-${process.pid}`;
  const folders = [sandbox.data(a), sandbox.data(b)];
  let published = 0;
  let machineBefore: ReturnType<typeof machineState>;

  const must = async (what: Promise<{ code: number; stdout: string; stderr: string }>): Promise<string> => {
    const output = await what;
    assert.equal(output.code, 0, `${output.stderr}\n${output.stdout}`);
    return output.stdout;
  };
  const kubectl = (args: readonly string[], input?: string): Promise<string> =>
    must(sandbox.kubectl(a, args, input === undefined ? {} : { input }));
  const parts = async (name = a): Promise<readonly PartStatus[]> =>
    (JSON.parse((await sandbox.run(['status', '--name', name, '-o', 'json'])).stdout) as { parts: PartStatus[] }).parts;
  const pidOf = async (part: string): Promise<number> => (await parts()).find((p) => p.part === part)!.pid!;
  const kill = async (...names: readonly string[]): Promise<void> => {
    const all = await parts();
    for (const name of names) process.kill(all.find((p) => p.part === name)!.pid!, 'SIGKILL');
  };
  const whenUp = (name = a): Promise<true> =>
    until('everything is up', 40_000, async () => (await sandbox.run(['status', '--name', name])).code === 0 && true);
  const pod = async (name: string): Promise<Pod> =>
    JSON.parse(await kubectl(['get', 'pod', name, '-o', 'json'])) as Pod;
  const whenReady = (name: string): Promise<Pod> =>
    until(`pod ${name} Ready`, 60_000, async () => {
      const found = await pod(name);
      return found.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true && found;
    });
  const containers = async (): Promise<string> => {
    const list = JSON.parse(await kubectl(['get', 'pods', '-o', 'json'])) as { items: Pod[] };
    return list.items
      .map(
        (p) =>
          `${p.metadata.name} ${(p.status?.containerStatuses ?? []).map((c) => `${c.name}=${c.containerID}/${c.restartCount}`).join(' ')}`,
      )
      .toSorted()
      .join('\n');
  };
  /** Lines still arrive at the server end of the connection that was opened at the beginning. */
  const sessionLives = (): Promise<true> =>
    until('the open connection carries lines', 20_000, async () => {
      const last = Number((await kubectl(['logs', 'server', '-c', 'echo', '--tail=1'])).trim());
      return Date.now() / 1000 - last < FRESH_S && true;
    });

  before(async () => {
    machineBefore = machineState(folders);
    writeFileSync(
      sandbox.path('kubeconfig'),
      'apiVersion: v1\nkind: Config\nclusters:\n- name: work\n  cluster: {server: "https://192.0.2.1"}\ncontexts:\n- name: work\n  context: {cluster: work, user: ""}\nusers: []\ncurrent-context: work\n',
    );
    published = await freePort();
    await must(
      sandbox.up(a, [
        '--nodes',
        '2',
        '--port',
        String(await freePort()),
        '--no-examples',
        '--publish',
        `${published}:${PUBLISHED_NODE_PORT}`,
      ]),
    );
    mkdirSync(join(HOME, 'images'), { recursive: true });
    const archive = await buildImage('client', { run, cacheDir: join(HOME, 'images'), root: ROOT, say: () => {} });
    await must(sandbox.run(['image', 'load', archive, '--name', a]));
    await kubectl(
      ['apply', '-f', '-'],
      workload()
        .map((o) => JSON.stringify(o))
        .join('\n'),
    );
    await whenReady('server');
    await whenReady('client');
    await sessionLives();
    assert.notDeepEqual(machineState(folders).loops, [], 'a claim is attached');
  });
  after(() => sandbox.remove());

  it('a published port answers on the machine’s loopback', async () => {
    const answer = await until('an answer', 10_000, async () => {
      const output = await call('curl', ['-s', '--max-time', '3', `http://127.0.0.1:${published}/`]);
      return output.stdout !== '' && output.stdout;
    });
    assert.equal(answer, 'hello');
  });

  it('kill -9 of the server and of both agents: parts come back, containers and an open connection through the ClusterIP do not notice', async () => {
    const was = await containers();
    await kill('server', 'node-1-agent', 'node-2-agent');
    await until('the supervisor starts them again', 15_000, async () => (await parts()).every((p) => p.running));
    await whenUp();
    await sessionLives();
    assert.equal(await containers(), was);
  });

  it('kill -9 of a containerd: its pods go on', async () => {
    const was = await containers();
    const pid = await pidOf('node-1-containerd');
    process.kill(pid, 'SIGKILL');
    await until('it is started again', 15_000, async () => {
      const now = (await parts()).find((p) => p.part === 'node-1-containerd')!;
      return now.running && now.pid !== pid;
    });
    await whenUp();
    await sessionLives();
    await must(sandbox.kubectl(a, ['exec', 'server', '-c', 'echo', '--', 'true']));
    assert.equal(await containers(), was);
  });

  it('kill -9 of the server under write load: every acknowledged object is there, and a watch goes on without a gap', async () => {
    const from = (
      JSON.parse(await kubectl(['get', 'configmaps', '-o', 'json'])) as { metadata: { resourceVersion: string } }
    ).metadata.resourceVersion;
    const acknowledged = sandbox.path('acknowledged');
    const writer = spawn(
      '/bin/bash',
      [
        '-c',
        `for i in $(seq 1 400); do "$KUBECTL" create configmap w$i >/dev/null 2>&1 && echo w$i >>"$1"; done`,
        'bash',
        acknowledged,
      ],
      {
        env: {
          ...sandbox.env,
          KUBECONFIG: join(sandbox.data(a), 'kubeconfig'),
          KUBECTL: process.env['KUBECTL'] ?? kubectlProgram(),
        },
        stdio: 'ignore',
      },
    );
    const written = (): readonly string[] =>
      existsSync(acknowledged) ? readFileSync(acknowledged, 'utf8').trim().split('\n') : [];
    await until('writes flow', 20_000, async () => written().length >= 5);
    for (let round = 0; round < 3; round++) {
      const before = written().length;
      await kill('server');
      await until('writes flow again', 30_000, async () => written().length >= before + 5);
    }
    writer.kill('SIGKILL');
    await whenUp();
    const there = new Set(
      (JSON.parse(await kubectl(['get', 'configmaps', '-o', 'json'])) as { items: ConfigMap[] }).items.map(
        (c) => c.metadata.name,
      ),
    );
    assert.deepEqual(
      written().filter((w) => !there.has(w)),
      [],
    );
    const watched = await kubectl([
      'get',
      '--raw',
      `/api/v1/namespaces/default/configmaps?watch=1&resourceVersion=${from}&timeoutSeconds=2`,
    ]);
    const seen = watched
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; object: ConfigMap });
    assert.deepEqual(
      seen
        .filter((e) => e.type === 'ADDED')
        .map((e) => e.object.metadata.name!)
        .filter((n) => n.startsWith('w'))
        .toSorted(),
      [...there].filter((n) => n?.startsWith('w')).toSorted(),
    );
  });

  it('kill -9 of supervisor, server and agents, then up: the same containers', async () => {
    const was = await containers();
    await kill('supervisor', 'server', 'node-1-agent', 'node-2-agent');
    const output = await sandbox.run(['status', '--name', a]);
    assert.equal(output.code, 1);
    assert.match(output.stdout, /supervisor +DEAD/);
    await must(sandbox.up(a, ['--no-examples']));
    await sessionLives();
    assert.equal(await containers(), was);
  });

  it('kill -9 of everything, then up: all objects are there, and the pods run again', async () => {
    const objects = (await kubectl(['get', 'configmaps,services,pods', '-o', 'name'])).trim();
    for (const { pid } of await parts()) if (pid !== null) process.kill(pid, 'SIGKILL');
    await must(sandbox.up(a, ['--no-examples']));
    assert.equal((await kubectl(['get', 'configmaps,services,pods', '-o', 'name'])).trim(), objects);
    await whenReady('server');
    await whenReady('client');
    await sessionLives();
  });

  it('node stop and start: its machine is off, and comes back Ready with its images', async () => {
    assert.equal(await must(sandbox.run(['node', 'stop', 'node-2', '--name', a])), 'node-2 is off\n');
    assert.match(await must(sandbox.run(['node', 'list', '--name', a])), /node-2 +\S+ +off/);
    assert.equal((await sandbox.run(['node', 'exec', 'node-2', '--name', a, '--', 'true'])).code, 1);
    assert.match(
      await kubectl(['get', 'node', 'node-2', '-o', 'jsonpath={.spec.taints[*].key}']),
      /node\.kubernetes\.io\/out-of-service/,
    );
    assert.equal(await must(sandbox.run(['node', 'start', 'node-2', '--name', a])), 'node-2 is on\n');
    await whenUp();
    assert.equal((await must(sandbox.run(['node', 'exec', 'node-2', '--name', a, '--', 'hostname']))).trim(), 'node-2');
    assert.match(await must(sandbox.run(['image', 'list', '--name', a])), new RegExp(`${CLIENT_IMAGE} +node-1,node-2`));
    await whenReady('client');
  });

  it('up --nodes 3: a node comes, Ready, with the images that were loaded before', async () => {
    await must(sandbox.up(a, ['--nodes', '3', '--no-examples']));
    assert.match(await kubectl(['get', 'nodes', '--no-headers']), /node-3 +Ready/);
    await until('images on node-3', 40_000, async () =>
      new RegExp(`${CLIENT_IMAGE} +node-1,node-2,node-3`).test(await must(sandbox.run(['image', 'list', '--name', a]))),
    );
    const fewer = await sandbox.up(a, ['--nodes', '1']);
    assert.equal(fewer.code, 64);
    assert.match(fewer.stderr, /has 3 nodes; taking nodes away would lose what runs on them/);
  });

  it('commands work by name, environment and from anywhere', async () => {
    const cwd = '/';
    assert.equal((await sandbox.run(['status'], { env: { CORACLE_NAME: a }, cwd })).code, 0);
    assert.equal((await sandbox.run(['--name', a, 'status'], { cwd })).code, 0);
    assert.match((await sandbox.run(['list'], { cwd })).stdout, new RegExp(`^${a} +running +3 `, 'm'));
    // KUBECONFIG decides where neither --name nor CORACLE_NAME does; --name is stronger.
    const other = { KUBECONFIG: sandbox.path('nothing') };
    assert.notEqual((await sandbox.run(['kubectl', 'get', 'nodes', '--request-timeout=2s'], { env: other })).code, 0);
    assert.match((await sandbox.run(['--name', a, 'kubectl', 'get', 'nodes'], { env: other })).stdout, /node-1/);
    const logs = await must(sandbox.run(['logs', '--name', a]));
    for (const part of ['supervisor', 'server', 'node-1-agent', 'node-1-containerd'])
      assert.match(logs, new RegExp(`^${part}$`, 'm'));
    assert.match(await must(sandbox.run(['logs', 'server', '--name', a])), /server runs/);
    assert.match(await must(sandbox.run(['version'])), /works with kubectl v1\.35, v1\.36, v1\.37/);
    for (const shell of ['bash', 'zsh', 'fish'])
      assert.match(await must(sandbox.run(['completion', shell])), /coracle/);
    assert.doesNotMatch((await sandbox.up(a, ['--no-examples'], { env: { NO_COLOR: '1' } })).stderr, /\u001b\[/);
  });

  it('support packs logs and objects, without Secrets and keys', async () => {
    await kubectl(['create', 'secret', 'generic', 'hidden', '--from-literal=p=hunter2-is-secret']);
    const archive = sandbox.path('support.tar.gz');
    await must(sandbox.run(['support', '--output', archive, '--name', a]));
    const names = spawnSync('tar', ['tzf', archive]).stdout.toString();
    assert.match(names, /logs\/server\.log/);
    assert.match(names, /objects\/pods\.json/);
    assert.doesNotMatch(names, /secrets|\.key/);
    const text = spawnSync('tar', ['xzOf', archive], { maxBuffer: 64 << 20 }).stdout.toString();
    assert.doesNotMatch(text, /hunter2-is-secret|aHVudGVyMi1pcy1zZWNyZXQ|PRIVATE KEY/);
  });

  it('image rm takes an image from all nodes', async () => {
    await must(sandbox.run(['image', 'rm', 'coracle/client:1', '--name', a])).catch(() =>
      must(sandbox.run(['image', 'rm', CLIENT_IMAGE, '--name', a])),
    );
    assert.doesNotMatch(await must(sandbox.run(['image', 'list', '--name', a])), /client:1/);
    const unknown = await sandbox.run(['image', 'rm', 'nosuch:1', '--name', a]);
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /no node has an image nosuch:1; see: coracle image list/);
  });

  it('two clusters side by side with equal ranges do not meet', async () => {
    await must(sandbox.up(b, ['--nodes', '1', '--port', String(await freePort()), '--no-examples']));
    const [one, two] = folders.map(
      (f) =>
        JSON.parse(readFileSync(join(f, 'cluster.json'), 'utf8')) as {
          nodeCIDR: string;
          podCIDR: string;
          nodes: { ip: string }[];
        },
    );
    assert.equal(one!.podCIDR, two!.podCIDR);
    assert.notEqual(one!.nodeCIDR, two!.nodeCIDR);
    assert.equal((await sandbox.run(['--name', b, 'kubectl', 'get', 'pods', '-A', '--no-headers'])).stdout, '');
    // The kubelet's port answers from its own machine, not from the other cluster's node.
    const reach = (name: string, ip: string) =>
      sandbox.run([
        'node',
        'exec',
        'node-1',
        '--name',
        name,
        '--',
        'bash',
        '-c',
        `timeout 2 bash -c '</dev/tcp/${ip}/10250'`,
      ]);
    assert.equal((await reach(b, two!.nodes[0]!.ip)).code, 0);
    assert.notEqual((await reach(a, two!.nodes[0]!.ip)).code, 0);
    assert.notEqual((await reach(b, one!.nodes[0]!.ip)).code, 0);
    await must(sandbox.run(['down', '--name', b, '--delete', '--yes']));
    assert.equal(readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').trim(), '1', 'the first cluster still needs it');
    await whenUp(a);
    const context = await call('grep', ['current-context', sandbox.path('kubeconfig')]);
    assert.match(context.stdout, new RegExp(`coracle-${a}`));
  });

  it('down gives containers SIGTERM and their grace, and leaves the machine as it was', async () => {
    // The client image was removed; what runs, runs on.
    await must(sandbox.run(['down', '--name', a, '--timeout', '10'], { timeoutMs: 60_000 }));
    assert.equal(readFileSync(sandbox.path('last-words'), 'utf8').trim(), 'finished in peace');
    assert.deepEqual(machineState(folders), machineBefore);
    assert.ok(existsSync(join(sandbox.data(a), 'cluster.json')));
  });

  it('after a reboot: down finds nothing to do, and up goes on with all objects', async () => {
    await must(sandbox.up(a, ['--no-examples']));
    const objects = await kubectl(['get', 'configmaps', '-o', 'name']);
    const all = await parts();
    const records = join(sandbox.data(a), 'run');
    const saved = readdirSync(records)
      .filter((f) => f.endsWith('.json'))
      .map((f) => [f, readFileSync(join(records, f), 'utf8')] as const);
    await must(sandbox.run(['down', '--name', a, '--timeout', '1']));
    // What a reboot leaves: the data directory with records of processes of another boot, whose pids are others' now.
    mkdirSync(records, { recursive: true });
    for (const [file, text] of saved)
      writeFileSync(
        join(records, file),
        JSON.stringify({
          ...(JSON.parse(text) as object),
          pid: process.pid,
          bootId: '00000000-0000-0000-0000-000000000000',
        }),
      );
    assert.ok(all.every((p) => p.pid === null || identify(p.pid) === undefined));
    await must(sandbox.run(['down', '--name', a]));
    assert.deepEqual(machineState(folders), machineBefore);
    for (const [file, text] of saved) {
      mkdirSync(records, { recursive: true });
      writeFileSync(
        join(records, file),
        JSON.stringify({
          ...(JSON.parse(text) as object),
          pid: process.pid,
          bootId: '00000000-0000-0000-0000-000000000000',
        }),
      );
    }
    await must(sandbox.up(a, ['--no-examples']));
    assert.equal(await kubectl(['get', 'configmaps', '-o', 'name']), objects);
  });

  it('down --delete removes the data, the context and the entry, and the previous context is back', async () => {
    await must(sandbox.run(['down', '--name', a, '--delete', '--yes', '--timeout', '1']));
    assert.equal(existsSync(sandbox.data(a)), false);
    const kubeconfig = readFileSync(sandbox.path('kubeconfig'), 'utf8');
    assert.match(kubeconfig, /current-context: work/);
    assert.doesNotMatch(kubeconfig, /coracle-life/);
    assert.doesNotMatch((await sandbox.run(['list'])).stdout, /life-/);
    assert.deepEqual(machineState(folders), machineBefore);
  });

  it('two clusters started at once, and deleted at once: ranges of their own, and nothing of either is left', async () => {
    const ports = [await freePort(), await freePort()];
    await Promise.all(
      [a, b].map((name, i) => must(sandbox.up(name, ['--nodes', '1', '--port', String(ports[i]), '--no-examples']))),
    );
    const listed = (await sandbox.run(['list'])).stdout;
    for (const name of [a, b]) assert.ok(listed.includes(name), listed);
    const networks = folders.map(
      (f) => (JSON.parse(readFileSync(join(f, 'cluster.json'), 'utf8')) as { nodeCIDR: string }).nodeCIDR,
    );
    assert.notEqual(networks[0], networks[1]);
    await Promise.all(
      [a, b].map((name) => must(sandbox.run(['down', '--name', name, '--delete', '--yes', '--timeout', '1']))),
    );
    assert.doesNotMatch(readFileSync(sandbox.path('kubeconfig'), 'utf8'), /coracle-life/);
    assert.doesNotMatch((await sandbox.run(['list'])).stdout, /life-/);
    assert.deepEqual(machineState(folders), machineBefore);
  });

  it('up --foreground stays, and Ctrl-C takes the cluster down', async () => {
    const child = spawn(
      CORACLE,
      [
        'up',
        '--name',
        b,
        '--data-dir',
        sandbox.data(b),
        '--nodes',
        '1',
        '--port',
        String(await freePort()),
        '--no-examples',
        '--foreground',
      ],
      { env: sandbox.env, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const ended = new Promise<number | null>((resolve) => void child.on('exit', (code) => resolve(code)));
    await until(
      'it is up and prints the log',
      60_000,
      async () => said.includes('Next:') && said.includes('supervisor runs'),
    );
    child.kill('SIGINT');
    assert.equal(await ended, 0, said);
    assert.deepEqual(machineState(folders), machineBefore);
    assert.equal(spawnSync('ip', ['link', 'show', `crc${clusterId(sandbox.data(b))}`]).status, 1);
  });

  const kubectlProgram = (): string => {
    const tools = join(HOME, 'tools');
    return join(tools, readdirSync(tools)[0]!, 'kubectl');
  };

  /** A server that prints what it is sent, a client with one long connection to it, and one that takes its time to end. */
  function workload(): readonly object[] {
    const container = (name: string, script: string) => ({
      name,
      image: CLIENT_IMAGE,
      command: ['/bin/bash', '-c', script],
    });
    const meta = (name: string, labels = {}) => ({ name, namespace: 'default', labels });
    const service = (name: string, spec: object) => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: meta(name),
      spec: { selector: { app: 'server' }, ...spec },
    });
    const onNode = (node: string) => ({
      nodeSelector: { 'kubernetes.io/hostname': node },
      tolerations: [{ operator: 'Exists' }],
    });
    return [
      {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: meta('disk'),
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '64Mi' } } },
      },
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: meta('server', { app: 'server' }),
        spec: {
          ...onNode('node-1'),
          terminationGracePeriodSeconds: 8,
          containers: [
            container('echo', 'exec nc -lk 7000'),
            container(
              'web',
              String.raw`while :; do printf 'HTTP/1.0 200 OK\r\n\r\nhello' | nc -lN 8080 >/dev/null; done`,
            ),
            {
              ...container(
                'polite',
                String.raw`trap 'sleep 1; echo finished in peace >/words/last-words; exit 0' TERM; while :; do sleep 3600 & wait $!; done`,
              ),
              volumeMounts: [
                { name: 'words', mountPath: '/words' },
                { name: 'disk', mountPath: '/disk' },
              ],
            },
          ],
          volumes: [
            { name: 'words', hostPath: { path: sandbox.folder } },
            { name: 'disk', persistentVolumeClaim: { claimName: 'disk' } },
          ],
        },
      },
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: meta('client'),
        spec: {
          ...onNode('node-2'),
          terminationGracePeriodSeconds: 1,
          containers: [
            container(
              'client',
              'until nc -z -w 2 server 7000; do sleep 0.2; done; while :; do date +%s || exit; sleep 0.2; done | nc server 7000',
            ),
          ],
        },
      },
      service('server', { ports: [{ port: 7000 }] }),
      service('web', { type: 'NodePort', ports: [{ port: 80, targetPort: 8080, nodePort: PUBLISHED_NODE_PORT }] }),
    ];
  }
});
