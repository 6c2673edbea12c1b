// Logs, exec, attach, cp, port-forward and proxies through the real kubectl, a real kubelet and containerd, over WebSocket and SPDY.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Pod } from '#generated/api/core-v1.ts';
import { call, CLIENT_IMAGE, TestCluster, until } from './cluster.ts';

const NAMESPACE = 'default';
const isRoot = process.getuid?.() === 0;
const WEB_IMAGE = 'nginx:1.22';
/** Transports of kubectl: its own choice, and what it falls back to. */
const TRANSPORTS = [
  { name: 'WebSocket', env: {} },
  { name: 'SPDY', env: { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' } },
] as const;

const digest = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');

const talker: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'talker', namespace: NAMESPACE, labels: { app: 'talker' } },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'talk',
        image: CLIENT_IMAGE,
        command: ['sh', '-c', 'for i in 1 2 3 4 5; do echo line $i; done; echo oops >&2; exec sleep 1000'],
      },
      { name: 'web', image: WEB_IMAGE },
      {
        name: 'listen',
        image: CLIENT_IMAGE,
        stdin: true,
        command: ['sh', '-c', 'while read -r line; do echo "heard $line"; done; exec sleep 1000'],
      },
    ],
  },
};

describe('streams', { timeout: 400_000, skip: isRoot ? false : 'needs root' }, () => {
  let cluster: TestCluster;
  before(async () => {
    ({ cluster } = await TestCluster.up(['--nodes', '1']));
    await cluster.apply(talker, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: NAMESPACE },
      spec: { selector: { app: 'talker' }, ports: [{ name: 'http', port: 8080, targetPort: 80 }] },
    });
    await cluster.ready(NAMESPACE, 'talker');
  });
  after(async () => {
    await cluster.tryKubectl(['delete', '--now', '--ignore-not-found', 'pod/talker', 'pod/short', 'service/web']);
    await cluster.down();
  });
  const env = (more: object): NodeJS.ProcessEnv => ({ ...process.env, ...more });
  const kubectl = (args: readonly string[], more: object = {}, input = '') =>
    call(
      process.env['KUBECTL'] ?? 'kubectl',
      ['--kubeconfig', cluster.kubeconfig, '-n', NAMESPACE, ...args],
      { input },
      env(more),
    );

  describe('logs', () => {
    const cases: readonly [string, readonly string[], string][] = [
      ['all of it', ['-c', 'talk'], 'line 1\nline 2\nline 3\nline 4\nline 5\noops\n'],
      ['the tail', ['-c', 'talk', '--tail=2'], 'line 5\noops\n'],
      ['nothing but the first bytes', ['-c', 'talk', '--limit-bytes=9'], 'line 1\nli'],
    ];
    for (const [what, options, expected] of cases)
      it(`shows ${what}`, async () => assert.equal((await kubectl(['logs', 'talker', ...options])).stdout, expected));

    it('follows a container to its end, and shows the run before the last', async () => {
      const spec = {
        restartPolicy: 'OnFailure',
        terminationGracePeriodSeconds: 0,
        containers: [
          { name: 'c', image: CLIENT_IMAGE, command: ['sh', '-c', 'echo begins; sleep 2; echo ends; exit 3'] },
        ],
      };
      await cluster.apply({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'short', namespace: NAMESPACE }, spec });
      await cluster.ready(NAMESPACE, 'short');
      assert.equal((await kubectl(['logs', '-f', 'short'])).stdout, 'begins\nends\n');
      const previous = await until('a second run', 30_000, async () => {
        const output = await kubectl(['logs', '-p', 'short']);
        return output.code === 0 && output.stdout;
      });
      assert.equal(previous, 'begins\nends\n');
    });

    it('names the containers when none is given, and refuses one that is not there', async () => {
      const raw = await kubectl(['get', '--raw', `/api/v1/namespaces/${NAMESPACE}/pods/talker/log`]);
      assert.match(raw.stderr, /a container name must be specified for pod talker, choose one of: \[talk web listen\]/);
      assert.match(
        (await kubectl(['get', '--raw', `/api/v1/namespaces/${NAMESPACE}/pods/talker/log?container=x`])).stderr,
        /container x is not valid for pod talker/,
      );
    });
  });

  for (const { name, env: transport } of TRANSPORTS) {
    describe(`exec over ${name}`, () => {
      it('keeps the outputs apart and brings the exit code', async () => {
        const output = await kubectl(
          ['exec', 'talker', '-c', 'talk', '--', 'sh', '-c', 'echo out; echo err >&2; exit 7'],
          transport,
        );
        assert.deepEqual([output.code, output.stdout], [7, 'out\n']);
        assert.match(output.stderr, /^err\n.*exit code 7/);
      });

      it('ends the input where the client ends it', async () => {
        const output = await kubectl(['exec', '-i', 'talker', '-c', 'talk', '--', 'wc', '-l'], transport, 'a\nb\nc\n');
        assert.deepEqual([output.code, output.stdout.trim()], [0, '3']);
      });

      it('says that a command does not exist', async () => {
        const output = await kubectl(['exec', 'talker', '-c', 'talk', '--', '/no/such'], transport);
        assert.notEqual(output.code, 0);
        assert.match(output.stderr, /no such file or directory/);
      });

      it('gives a terminal of the client’s size', () => {
        const line = `stty rows 33 cols 99; ${process.env['KUBECTL'] ?? 'kubectl'} --kubeconfig ${cluster.kubeconfig} exec -it talker -c talk -- sh -c 'sleep 1; stty size'`;
        // The shell reads nothing, but its input must stay open: its end would end the terminal.
        const output = spawnSync('sh', ['-c', `sleep 4 | script -qec "${line}" /dev/null`], {
          env: env(transport),
          encoding: 'utf8',
          timeout: 30_000,
        });
        assert.match(output.stdout, /33 99/);
      });

      it('copies files of some megabytes both ways', async () => {
        const there = join(cluster.folder, `there-${name}`);
        const back = join(cluster.folder, `back-${name}`);
        const data = randomBytes(5_000_000);
        writeFileSync(there, data);
        assert.equal((await kubectl(['cp', '-c', 'talk', there, 'talker:/tmp/copied'], transport)).code, 0);
        assert.equal((await kubectl(['cp', '-c', 'talk', 'talker:/tmp/copied', back], transport)).code, 0);
        assert.equal(digest(readFileSync(back)), digest(data));
      });

      it('attaches to the running process', async () => {
        const attach = `(echo ${name}; sleep 2) | timeout 5 ${process.env['KUBECTL'] ?? 'kubectl'} --kubeconfig ${cluster.kubeconfig} attach -i -q talker -c listen`;
        const output = spawnSync('sh', ['-c', attach], { env: env(transport), encoding: 'utf8', timeout: 30_000 });
        assert.match(output.stdout, new RegExp(`heard ${name}`));
      });
    });

    it(`forwards a port over ${name}, several connections at once`, async () => {
      Object.assign(process.env, transport);
      const forward = await cluster.portForward(NAMESPACE, 'pod/talker', 80);
      for (const key of Object.keys(transport)) delete process.env[key];
      try {
        const answers = await Promise.all(
          Array.from({ length: 8 }, () => fetch(`http://127.0.0.1:${forward.port}/`).then((r) => r.status)),
        );
        assert.deepEqual(
          answers,
          Array.from({ length: 8 }, () => 200),
        );
      } finally {
        forward.stop();
      }
    });
  }

  describe('proxies', () => {
    const cases: readonly [string, string, RegExp][] = [
      ['a pod', `/api/v1/namespaces/${NAMESPACE}/pods/talker:80/proxy/`, /<html|<title/i],
      [
        'a Service by the name of its port',
        `/api/v1/namespaces/${NAMESPACE}/services/web:http/proxy/`,
        /<html|<title/i,
      ],
      ['a node’s kubelet', '/api/v1/nodes/node-1/proxy/healthz', /^ok$/],
      [
        'the metrics of a node',
        '/api/v1/nodes/node-1/proxy/metrics/resource',
        /container_memory_working_set_bytes\{container="talk"/,
      ],
    ];
    for (const [what, path, expected] of cases)
      it(`reach ${what}`, async () => assert.match((await kubectl(['get', '--raw', path])).stdout, expected));

    it('say why a port does not answer', async () => {
      const output = await kubectl(['get', '--raw', `/api/v1/namespaces/${NAMESPACE}/pods/talker:81/proxy/`]);
      assert.match(output.stderr, /error trying to reach service: dial tcp [\d.]+:81: connect: connection refused/);
    });
  });

  describe('the kubelet’s own port', () => {
    const ask = async (path: string, token?: string): Promise<string> => {
      const address = [...(await cluster.nodeAddresses()).values()][0]!;
      const bearer = token === undefined ? [] : ['-H', `Authorization: Bearer ${token}`];
      return execFileSync(
        'curl',
        ['-sk', '-m', '5', '-o', '/dev/null', '-w', '%{http_code}', ...bearer, `https://${address}:10250${path}`],
        { encoding: 'utf8' },
      );
    };

    it('answers those who may, and only what they may', async () => {
      const token = (await cluster.kubectl(['create', 'token', 'default'])).trim();
      assert.equal(await ask('/metrics/resource'), '401');
      assert.equal(await ask('/metrics/resource', token), '403');
      await cluster.kubectl(['create', 'clusterrole', 'scraper', '--verb=get', '--resource=nodes/metrics']);
      await cluster.kubectl([
        'create',
        'clusterrolebinding',
        'scraper',
        '--clusterrole=scraper',
        '--serviceaccount=default:default',
      ]);
      // A refusal is remembered for half a minute, so this may take a while.
      const fresh = (await cluster.kubectl(['create', 'token', 'default', '--duration=15m'])).trim();
      await until('the new right', 40_000, async () => (await ask('/metrics/resource', fresh)) === '200');
      assert.equal(await ask('/exec/default/talker/talk?command=id', fresh), '403');
      await cluster.kubectl(['delete', 'clusterrole/scraper', 'clusterrolebinding/scraper']);
    });
  });

  it('goes on after the server, and after the agent, were killed', async () => {
    for (const part of ['server', 'node-1-agent']) {
      process.kill(cluster.partPid(part), 'SIGKILL');
      await until(
        `exec after the death of ${part}`,
        60_000,
        async () => (await kubectl(['exec', 'talker', '-c', 'talk', '--', 'echo', 'back'])).stdout === 'back\n',
      );
    }
  });
});
