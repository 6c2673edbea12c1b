// `coracle connect` under load while the pod is deleted again and again; credentials from the workload's own Secret; what it says. And
// probes and facts from laptop, node and pod, as the explainer asks for them.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Node, Pod, Service } from '#generated/api/core-v1.ts';
import { SystemClock } from '#base/clock.ts';
import type { Client } from '#client/client.ts';
import { parseKubeconfig } from '#client/kubeconfig.ts';
import { createClient } from '#client/rest-client.ts';
import { createHttpsTransport } from '#client/transports/https.ts';
import { localProbeDeps } from '#cluster/probe-deps.ts';
import { DEFAULT_DEBUG_IMAGE, type VantageKit, vantageKit } from '#cli/vantage.ts';
import { ProxiedNodeSight } from '#why/node/node-sight.ts';
import { AgentProber } from '#why/probe/agent-prober.ts';
import { LaptopProber } from '#why/probe/laptop-prober.ts';
import type { ProbeRequest, ProbeResult, Vantage } from '#why/probe/result.ts';
import { call, makeClientPod, TestCluster, until } from './cluster.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const isRoot = process.getuid?.() === 0;
const NAMESPACE = 'shop';
const PAUSE_IMAGE = 'coracle.local/pause:1';
const DELETIONS = 10;
const WORKERS = 3;
const PASSWORD = 'not-in-any-output-7391';

const secret = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'orders-login', namespace: NAMESPACE },
  stringData: { user: 'clerk', password: PASSWORD },
};
const fromSecret = (key: string) => ({ secretKeyRef: { name: 'orders-login', key } });
const database = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'orders', namespace: NAMESPACE },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: 'orders' } },
    template: {
      metadata: { labels: { app: 'orders' } },
      spec: {
        terminationGracePeriodSeconds: 5,
        containers: [
          {
            name: 'postgres',
            image: 'docker.io/library/postgres:15',
            ports: [{ name: 'pg', containerPort: 5432 }],
            env: [
              { name: 'POSTGRES_USER', valueFrom: fromSecret('user') },
              { name: 'POSTGRES_PASSWORD', valueFrom: fromSecret('password') },
              { name: 'POSTGRES_DB', value: 'orders' },
            ],
            readinessProbe: {
              exec: { command: ['pg_isready', '-h', '127.0.0.1', '-U', 'clerk', '-d', 'orders'] },
              periodSeconds: 1,
            },
          },
        ],
      },
    },
  },
};
const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'orders', namespace: NAMESPACE },
  spec: { selector: { app: 'orders' }, ports: [{ name: 'sql', port: 5432, targetPort: 'pg' }] },
};
const policy = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'nobody', namespace: NAMESPACE },
  spec: { podSelector: { matchLabels: { app: 'orders' } }, policyTypes: ['Ingress'], ingress: [] },
};

describe('connect and probes', { timeout: 400_000, skip: isRoot ? false : 'needs root' }, () => {
  let cluster: TestCluster;
  before(async () => {
    ({ cluster } = await TestCluster.up(['--nodes', '2']));
    await cluster.apply(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
      secret,
      database,
      service,
      makeClientPod({ name: 'client', namespace: NAMESPACE, labels: { app: 'client' } }),
    );
    await cluster.ready(NAMESPACE, 'client');
    await readyOrders();
  });
  after(() => cluster.down());

  const readyOrders = (): Promise<Pod> =>
    until('a database that is ready', 90_000, async () => {
      const pods = await cluster.list<Pod>(NAMESPACE, 'pods', 'app=orders');
      return pods.find(
        (p) =>
          p.metadata.deletionTimestamp === undefined &&
          p.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true,
      );
    });
  const connect = (...args: readonly string[]) => cluster.coracle(['connect', '-n', NAMESPACE, ...args]);

  describe('coracle connect', () => {
    it('runs a client with the workload’s own user, password and database in its environment alone, and returns its exit code', async () => {
      const query = "select current_user || ' ' || current_database()";
      const good = await connect('svc/orders', ':sql', '--', 'psql', '-Atc', query);
      assert.deepEqual([good.code, good.stdout.trim()], [0, 'clerk orders'], good.stderr);
      assert.match(good.stderr, /permission to create pods\/portforward in namespace shop/);
      const bad = await connect(
        'deploy/orders',
        ':5432',
        '--',
        'sh',
        '-c',
        'tr "\\0" "\\n" < /proc/self/cmdline; exit 7',
      );
      assert.equal(bad.code, 7);
      for (const { stdout, stderr } of [good, bad]) assert.ok(!`${stdout}${stderr}`.includes(PASSWORD));
    });

    it('warns that it bypasses NetworkPolicy, and does', async () => {
      await cluster.apply(policy);
      try {
        const output = await connect('svc/orders', ':5432', '--', 'psql', '-Atc', 'select 1');
        assert.equal(output.stdout.trim(), '1', output.stderr);
        assert.match(output.stderr, /bypasses NetworkPolicy nobody/);
      } finally {
        await cluster.kubectl(['-n', NAMESPACE, 'delete', 'networkpolicy', 'nobody']);
      }
    });

    it('says which permission is missing, and that a target is not there', async () => {
      const kubeconfig = await stranger(cluster);
      const denied = await call(join(ROOT, 'coracle'), [
        'connect',
        '--kubeconfig',
        kubeconfig,
        '-n',
        NAMESPACE,
        'svc/orders',
        ':5432',
      ]);
      assert.equal(denied.code, 1);
      assert.match(denied.stderr, /the permission to create pods\/portforward in namespace shop is missing/);
      assert.match((await connect('svc/nothere', ':5432')).stderr, /there is no service shop\/nothere/);
      assert.equal((await connect('orders', ':5432')).code, 64);
    });

    it(`loses no request but those in flight while the pod is deleted ${DELETIONS} times`, async () => {
      const forward = await startForward(cluster, ['connect', '-n', NAMESPACE, 'svc/orders', ':5432']);
      const url = `postgres://clerk:${PASSWORD}@127.0.0.1:${forward.port}/orders`;
      const over = new AbortController();
      let served = 0;
      const failures: { readonly started: number; readonly ended: number; readonly said: string }[] = [];
      const worker = async () => {
        while (!over.signal.aborted) {
          const started = performance.now();
          const output = await call('psql', [url, '-Atc', 'select pg_sleep(0.05), 1'], { timeoutMs: 60_000 });
          if (output.code === 0) served++;
          else failures.push({ started, ended: performance.now(), said: output.stderr.trim() });
        }
      };
      const deletions: number[] = [];
      const workers = Array.from({ length: WORKERS }, worker);
      try {
        for (let i = 0; i < DELETIONS; i++) {
          const pod = await readyOrders();
          const before = served;
          await until('requests that are answered', 30_000, async () => served >= before + WORKERS);
          await cluster.kubectl(['-n', NAMESPACE, 'delete', 'pod', pod.metadata.name!, '--wait=false']);
          deletions.push(performance.now());
        }
        await readyOrders();
        const before = served;
        await until('requests that are answered', 30_000, async () => served >= before + WORKERS);
      } finally {
        over.abort();
        await Promise.all(workers);
        forward.stop();
      }
      const notInFlight = failures.filter((f) => !deletions.some((d) => f.started <= d && f.ended >= d - 1_000));
      assert.deepEqual(notInFlight, [], `${failures.length} failed; deletions at ${deletions.join(', ')}`);
      assert.ok(failures.length <= DELETIONS * WORKERS, `${failures.length} failed`);
      assert.ok(served > DELETIONS * WORKERS);
      const switches = forward.said().match(/connections go to shop\/orders-/g) ?? [];
      assert.equal(switches.length, DELETIONS + 1, forward.said());
    });

    it('goes on after the API server was killed', async () => {
      const forward = await startForward(cluster, ['connect', '-n', NAMESPACE, 'svc/orders', ':5432']);
      const url = `postgres://clerk:${PASSWORD}@127.0.0.1:${forward.port}/orders`;
      try {
        const query = () => call('psql', [url, '-Atc', 'select 1'], { timeoutMs: 60_000 });
        assert.equal((await query()).code, 0);
        process.kill(cluster.partPid('server'), 'SIGKILL');
        const next = await query();
        assert.equal(next.code, 0, `${next.stderr}${forward.said()}`);
      } finally {
        forward.stop();
      }
    });
  });

  describe('probes', () => {
    let client: Client;
    let from: Readonly<Record<'laptop' | 'node' | 'pod', Vantage>>;
    let address: string;
    const signal = AbortSignal.timeout(300_000);
    before(async () => {
      client = clientOf(cluster.kubeconfig);
      const pod = await cluster.get<Pod>(NAMESPACE, 'pod', 'client');
      const node = pod.spec!.nodeName!;
      from = {
        laptop: { at: 'laptop' },
        node: { at: 'node', node },
        pod: { at: 'pod', node, namespace: NAMESPACE, pod: 'client', uid: pod.metadata.uid! },
      };
      address = (await cluster.get<Service>(NAMESPACE, 'service', 'orders')).spec!.clusterIP!;
    });
    const probe = async (at: keyof typeof from, request: Partial<ProbeRequest> = {}): Promise<ProbeResult> => {
      const whole: ProbeRequest = { host: 'orders', port: 5432, protocol: 'postgres', timeoutMs: 1_500, ...request };
      const prober = at === 'laptop' ? new LaptopProber(localProbeDeps(new SystemClock())) : new AgentProber(client);
      const result = await prober.probe(from[at], whole, signal);
      assert.ok(!('cannot' in result), JSON.stringify(result));
      return result;
    };

    it('resolve by the pod’s own resolv.conf, connect from its own address, and stop at the server’s question', async () => {
      const { dns, connects, handshake } = await probe('pod', { user: 'clerk', database: 'orders' });
      assert.deepEqual(dns?.addresses, [address]);
      assert.equal(dns?.attempts[0]?.question, 'orders.shop.svc.cluster.local');
      const pod = await cluster.get<Pod>(NAMESPACE, 'pod', 'client');
      assert.deepEqual([connects[0]?.outcome, connects[0]?.localAddress], ['connected', pod.status?.podIP]);
      assert.deepEqual(handshake, { outcome: 'auth-wanted', authMethod: 'SCRAM-SHA-256' });
    });

    it('log in with the password given, and say why not with a wrong one', async () => {
      const login = { user: 'clerk', database: 'orders' };
      const good = await probe('pod', { ...login, password: PASSWORD });
      assert.deepEqual([good.handshake?.outcome, good.handshake?.readOnly], ['ready', false]);
      const bad = await probe('pod', { ...login, password: 'wrong' });
      assert.deepEqual([bad.handshake?.outcome, bad.handshake?.code], ['rejected', '28P01']);
      const other = await probe('pod', { ...login, password: PASSWORD, database: 'nothere' });
      assert.equal(other.handshake?.code, '3D000');
    });

    it('leave no complaint in the server’s log when they were not let in for want of a password', async () => {
      const pod = await readyOrders();
      const lines = async () => (await cluster.kubectl(['-n', NAMESPACE, 'logs', pod.metadata.name!])).split('\n');
      // What earlier tests have caused is in the log first.
      let before = await lines();
      await until('a log that rests', 10_000, async () => {
        const again = await lines();
        const rests = again.length === before.length;
        before = again;
        return rests;
      });
      for (let i = 0; i < 3; i++) await probe('pod', { user: 'clerk' });
      const added = (await lines()).slice(before.length - 1);
      assert.deepEqual(
        added.filter((l) => /FATAL|ERROR|EOF|startup packet|could not/.test(l)),
        [],
      );
    });

    it('see from the laptop what the laptop sees: no cluster addresses, no cluster names', async () => {
      assert.equal((await probe('laptop', { host: address, timeoutMs: 700 })).connects[0]?.outcome, 'timeout');
      assert.deepEqual((await probe('laptop', { host: 'orders.shop.svc.cluster.local' })).dns?.addresses, []);
    });

    it('reach services from a node, and are refused where nobody listens', async () => {
      assert.equal((await probe('node', { host: address })).connects[0]?.outcome, 'connected');
      assert.equal((await probe('node', { host: address, port: 5433 })).connects[0]?.outcome, 'refused');
    });

    it('are answered with what is missing where the right to ask nodes is', async () => {
      const weak = clientOf(await stranger(cluster));
      const answer = await new AgentProber(weak).probe(
        from.pod,
        { host: 'orders', port: 5432, protocol: 'tcp', timeoutMs: 500 },
        signal,
      );
      assert.deepEqual('cannot' in answer && answer.permission, 'create nodes/proxy');
      const facts = await new ProxiedNodeSight(weak).facts(
        (from.node as { node: string }).node,
        { pods: [], services: [] },
        signal,
      );
      assert.deepEqual('cannot' in facts && facts.permission, 'get nodes/proxy');
    });

    it('come with facts: sockets with their program, programmed services, policies in force, routes', async () => {
      const pod = await readyOrders();
      const key = `${address}:5432/tcp`;
      const sight = new ProxiedNodeSight(client);
      const request = {
        pods: [{ namespace: NAMESPACE, name: pod.metadata.name! }],
        services: [key, '10.96.200.200:1/tcp'],
      };
      const facts = await sight.facts(pod.spec!.nodeName!, request, signal);
      assert.ok(!('cannot' in facts), JSON.stringify(facts));
      const [seen] = facts.pods;
      const listening = seen?.listening.find((l) => l.protocol === 'tcp' && l.family === 4);
      assert.deepEqual([listening?.address, listening?.port, listening?.program], ['0.0.0.0', 5432, 'postgres']);
      assert.deepEqual(seen?.addresses.slice(0, 1), [pod.status?.podIP]);
      assert.deepEqual(facts.services, [{ key, endpoints: [`${pod.status?.podIP}:5432`] }]);
      assert.equal(facts.policyEnforced, true);
      assert.deepEqual(seen?.policyProfiles, { ingress: false, egress: false });
      const nodes = await cluster.list<Node>('default', 'nodes');
      for (const other of nodes.filter((n) => n.metadata.name !== pod.spec!.nodeName))
        assert.ok(
          facts.routes.some((r) => r.startsWith(other.spec!.podCIDR!)),
          facts.routes.join('\n'),
        );
    });
  });

  describe('probes of a cluster whose nodes cannot be asked', () => {
    const kits: VantageKit[] = [];
    const signal = AbortSignal.timeout(300_000);
    before(async () => {
      const small = (name: string, image: string, command?: readonly string[]) => ({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: NAMESPACE },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [{ name, image, ...(command === undefined ? {} : { command }) }],
        },
      });
      await cluster.apply(
        small('small', 'docker.io/library/busybox:1.35', ['sleep', '1000']),
        small('bare', PAUSE_IMAGE),
      );
      for (const name of ['small', 'bare']) await cluster.ready(NAMESPACE, name);
    });
    after(async () => {
      for (const kit of kits) await kit.close();
      await cluster.kubectl(['-n', NAMESPACE, 'delete', 'pod', 'small', 'bare', '--now']);
    });
    const foreign = (kubeconfig: string, debugImage?: string): VantageKit => {
      const kit = vantageKit(accessOf(kubeconfig), {
        hideNodes: true,
        ...(debugImage === undefined ? {} : { debugImage }),
      });
      kits.push(kit);
      return kit;
    };
    const ask = async (kit: VantageKit, name: string, request: Partial<ProbeRequest> = {}) => {
      const pod = await cluster.get<Pod>(NAMESPACE, 'pod', name);
      const at: Vantage = {
        at: 'pod',
        node: pod.spec!.nodeName!,
        namespace: NAMESPACE,
        pod: name,
        uid: pod.metadata.uid!,
      };
      return kit.prober.probe(
        at,
        { host: 'orders', port: 5432, protocol: 'postgres', timeoutMs: 1_500, ...request },
        signal,
      );
    };

    for (const [name, what] of [
      ['client', 'bash'],
      ['small', 'busybox’ nc'],
    ] as const) {
      it(`come from the pod by exec, with ${what}`, async () => {
        const kit = foreign(cluster.kubeconfig);
        const result = await ask(kit, name, { user: 'clerk', password: PASSWORD, database: 'orders' });
        assert.ok(!('cannot' in result), JSON.stringify(result));
        assert.equal(result.connects[0]?.outcome, 'connected', JSON.stringify(result));
        assert.deepEqual([result.handshake?.outcome, result.handshake?.readOnly], ['ready', false]);
        const refused = await ask(kit, name, { port: 5433, protocol: 'tcp' });
        assert.equal('connects' in refused && refused.connects[0]?.outcome, 'refused', JSON.stringify(refused));
        const unknown = await ask(kit, name, { host: 'nothere' });
        assert.deepEqual('dns' in unknown && unknown.dns?.addresses, [], JSON.stringify(unknown));
      });
    }

    it('say that a container has nothing to probe with, and come from an ephemeral container when asked for one', async () => {
      const without = await ask(foreign(cluster.kubeconfig), 'bare');
      assert.match('cannot' in without ? without.cannot : '', /no container of pod shop\/bare has sh/);
      const result = await ask(foreign(cluster.kubeconfig, DEFAULT_DEBUG_IMAGE), 'bare', { user: 'clerk' });
      assert.deepEqual('handshake' in result && result.handshake?.outcome, 'auth-wanted', JSON.stringify(result));
    });

    it('say which permission is missing', async () => {
      const kit = foreign(await stranger(cluster));
      const result = await ask(kit, 'client');
      assert.equal('cannot' in result && result.permission, `create pods/exec in ${NAMESPACE}`, JSON.stringify(result));
      const facts = await kit.sight.facts('node-1', { pods: [], services: [] }, signal);
      assert.match('cannot' in facts ? facts.cannot : '', /not one of Coracle’s nodes/);
    });
  });
});

function accessOf(kubeconfig: string) {
  const clock = new SystemClock();
  const readFile = (path: string) => readFileSync(path, 'utf8');
  const { transport, context, namespace } = parseKubeconfig(readFile(kubeconfig), kubeconfig, { readFile, clock });
  const client = createClient({ transport: createHttpsTransport(transport), clock, userAgent: 'test' });
  return { client, transport, context, namespace };
}

const clientOf = (kubeconfig: string): Client => accessOf(kubeconfig).client;

/** A kubeconfig of a service account that may read objects and nothing else. */
async function stranger(cluster: TestCluster): Promise<string> {
  await cluster.apply(
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'stranger', namespace: NAMESPACE } },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'stranger' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
      subjects: [{ kind: 'ServiceAccount', name: 'stranger', namespace: NAMESPACE }],
    },
  );
  const token = (await cluster.kubectl(['-n', NAMESPACE, 'create', 'token', 'stranger'])).trim();
  const path = join(cluster.folder, 'stranger.kubeconfig');
  const run = (...args: readonly string[]) =>
    call(process.env['KUBECTL'] ?? 'kubectl', ['--kubeconfig', path, 'config', ...args]);
  const whole = JSON.parse(await cluster.kubectl(['config', 'view', '--raw', '-o', 'json'])) as {
    readonly clusters: readonly {
      readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string };
    }[];
  };
  const { server, 'certificate-authority-data': authority } = whole.clusters[0]!.cluster;
  await run('set-cluster', 'c', `--server=${server}`);
  await run('set', 'clusters.c.certificate-authority-data', authority);
  await run('set-credentials', 'u', `--token=${token}`);
  await run('set-context', 'x', '--cluster=c', '--user=u');
  await run('use-context', 'x');
  return path;
}

/** A `connect` in the background, once it listens. */
function startForward(cluster: TestCluster, args: readonly string[]) {
  const child: ChildProcess = spawn(join(ROOT, 'coracle'), ['--name', cluster.name, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, KUBECONFIG: join(cluster.folder, 'kubeconfig') },
  });
  let said = '';
  return new Promise<{ readonly port: number; said(): string; stop(): void }>((resolve, reject) => {
    child.on('exit', () => reject(new Error(`connect ended: ${said}`)));
    child.stderr!.on('data', (chunk: Buffer) => {
      said += chunk.toString('utf8');
      const found = /127\.0\.0\.1:(\d+) and \[::1\]:\1/.exec(said);
      if (found !== null) resolve({ port: Number(found[1]), said: () => said, stop: () => void child.kill('SIGTERM') });
    });
  });
}
