// Pods with `hostUsers: false`: the article's PostgreSQL with its claim, whose root is nobody on the machine. Needs a containerd that
// can (see new-runtime.ts), and says loudly when there is none.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { loadAll } from 'js-yaml';
import type { Node, Pod, PodSpec } from '#generated/api/core-v1.ts';
import type { StatefulSet } from '#generated/api/apps-v1.ts';
import { isReady, processesOf, TestCluster, until } from './cluster.ts';
import { findNewRuntime, lacksNewRuntime } from './new-runtime.ts';

const ARTICLE = join(import.meta.dirname, '../../examples/article');
const NAMESPACE = 'default';
const IMAGE = 'busybox:1.35';
const IDS = 65_536;
/** Of `postgres` in the image. */
const POSTGRES_UID = 999;

const articleObjects = (file: string) => loadAll(readFileSync(join(ARTICLE, file), 'utf8')) as { kind: string }[];

/** The article's, one replica, in a user namespace. */
function postgres(): readonly object[] {
  return ['00-namespaces.yaml', '10-storage.yaml', '20-postgres.yaml'].flatMap(articleObjects).map((object) => {
    if (object.kind !== 'StatefulSet') return object;
    const { spec, ...rest } = object as StatefulSet;
    const template = { ...spec!.template, spec: { ...spec!.template.spec!, hostUsers: false } };
    return { ...rest, spec: { ...spec, replicas: 1, template } };
  });
}

const podOn = (name: string, node: string, spec: Partial<PodSpec> = {}): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: NAMESPACE },
  spec: {
    nodeName: node,
    hostUsers: false,
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'c', image: IMAGE, command: ['sleep', '1000'] }],
    ...spec,
  },
});

describe('user namespaces', { timeout: 240_000, skip: lacksNewRuntime('hostUsers: false') }, () => {
  let cluster: TestCluster;
  before(async () => {
    ({ cluster } = await TestCluster.up(['--nodes', '2', '--runtime-dir', findNewRuntime()!]));
  });
  after(() => cluster?.down());

  const statusOf = (pid: number, field: string) =>
    new RegExp(`^${field}:\\s+(.+)$`, 'm')
      .exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]!
      .split(/\s+/)
      .map(Number);
  /** The container's first process, as the machine counts. */
  const initOf = async (namespace: string, name: string): Promise<number> => {
    const pod = await cluster.ready(namespace, name);
    return Math.min(...processesOf(pod.status!.containerStatuses![0]!.containerID!));
  };
  /** First id of the range, as the kernel has it. */
  const rangeOf = (pid: number): number => {
    const [inside, outside, length] = readFileSync(`/proc/${pid}/uid_map`, 'utf8').trim().split(/\s+/).map(Number);
    assert.deepEqual([inside, length], [0, IDS]);
    assert.equal(readFileSync(`/proc/${pid}/gid_map`, 'utf8'), readFileSync(`/proc/${pid}/uid_map`, 'utf8'));
    return outside!;
  };
  const shell = (namespace: string, name: string, line: string) =>
    cluster.mustExec(namespace, name, ['sh', '-c', line]);
  const sql = (line: string) =>
    cluster.mustExec('db', 'postgres-0', ['psql', '-U', 'postgres', '-d', 'production', '-Atc', line]);
  /** Ranges that pods of this cluster hold. */
  const claimed = () => {
    const { userNamespacesDir } = JSON.parse(readFileSync(join(cluster.dataDir, 'cluster.json'), 'utf8')) as {
      userNamespacesDir: string;
    };
    return readdirSync(userNamespacesDir).filter((n) =>
      readlinkSync(join(userNamespacesDir, n)).startsWith(cluster.dataDir),
    );
  };

  it('are a feature that nodes name', async () => {
    const { runtimeHandlers, features } = (await cluster.get<Node>('', 'node', 'node-1')).status!;
    assert.equal(runtimeHandlers?.find((h) => h.name === '')?.features?.userNamespaces, true);
    assert.equal(features?.supplementalGroupsPolicy, true);
  });

  it('run the article’s PostgreSQL: its root is an unprivileged user of the machine', async () => {
    await cluster.apply(...postgres());
    const init = await until('postgres-0 runs', 90_000, async () => {
      const pod = await cluster.get<Pod>('db', 'pod', 'postgres-0');
      return isReady(pod) && (await initOf('db', 'postgres-0'));
    });
    const first = rangeOf(init);
    assert.ok(first >= 1 << 30, `${first} is high`);
    assert.equal(readFileSync(`/proc/${init}/comm`, 'utf8').trim(), 'postgres');
    assert.deepEqual(statusOf(init, 'Uid'), Array(4).fill(first + POSTGRES_UID));
    assert.deepEqual(statusOf(init, 'Gid'), Array(4).fill(first + POSTGRES_UID));

    // Root inside, which may do what root may there: on the machine it is the first id of the range.
    const pod = await cluster.get<Pod>('db', 'pod', 'postgres-0');
    const sleeping = cluster.exec('db', 'postgres-0', ['bash', '-c', 'id -u > /tmp/me; exec sleep 31.5']);
    const root = await until('root’s process is there', 10_000, async () =>
      processesOf(pod.status!.containerStatuses![0]!.containerID!).find((pid) =>
        readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('sleep\x0031.5'),
      ),
    );
    assert.equal(await shell('db', 'postgres-0', 'cat /tmp/me'), '0');
    assert.deepEqual(statusOf(root, 'Uid'), Array(4).fill(first));
    process.kill(root, 'SIGKILL');
    await sleeping;
  });

  it('leave the claim’s files what they are: translated at the mount, owned by no high id on the disk', async () => {
    await sql('INSERT INTO orders (customer_id, total_cents) VALUES (7, 4242)');
    assert.equal(
      await shell('db', 'postgres-0', 'stat -c %u /var/lib/postgresql/data/pgdata/PG_VERSION'),
      String(POSTGRES_UID),
    );
    const pod = await cluster.get<Pod>('db', 'pod', 'postgres-0');
    const volumes = join(
      cluster.dataDir,
      'nodes',
      pod.spec!.nodeName!,
      'kubelet/pods',
      pod.metadata.uid!,
      'volumes/kubernetes.io~csi',
    );
    const seen = await cluster.nodeShell(pod.spec!.nodeName!, `stat -c %u ${volumes}/*/mount/pgdata/PG_VERSION`);
    assert.equal(seen.stdout.trim(), String(POSTGRES_UID));
  });

  it('keep the data when the pod is replaced, whatever its new ids are', async () => {
    const { uid } = (await cluster.get<Pod>('db', 'pod', 'postgres-0')).metadata;
    await cluster.kubectl(['-n', 'db', 'delete', 'pod', 'postgres-0', '--grace-period=5'], { timeoutMs: 60_000 });
    await until('postgres-0 is back', 60_000, async () => {
      const pod = await cluster.get<Pod>('db', 'pod', 'postgres-0');
      return pod.metadata.uid !== uid && isReady(pod);
    });
    assert.equal(await sql('SELECT total_cents FROM orders WHERE customer_id = 7'), '4242');
    rangeOf(await initOf('db', 'postgres-0'));
  });

  it('show every kind of volume with the owners that a pod sees without them', async () => {
    await cluster.apply(
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'key', namespace: NAMESPACE }, stringData: { k: 's' } },
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'map', namespace: NAMESPACE }, data: { k: 'm' } },
      podOn('volumes', 'node-1', {
        securityContext: { fsGroup: 2000 },
        volumes: [
          { name: 'key', secret: { secretName: 'key', defaultMode: 0o400 } },
          { name: 'map', configMap: { name: 'map' } },
          { name: 'disk', emptyDir: {} },
          { name: 'memory', emptyDir: { medium: 'Memory' } },
          {
            name: 'all',
            projected: { sources: [{ secret: { name: 'key' } }, { serviceAccountToken: { path: 'token' } }] },
          },
        ],
        containers: [
          {
            name: 'c',
            image: IMAGE,
            command: ['sleep', '1000'],
            volumeMounts: ['key', 'map', 'disk', 'memory', 'all'].map((name) => ({ name, mountPath: `/${name}` })),
          },
        ],
      }),
    );
    await cluster.ready(NAMESPACE, 'volumes');
    const owners =
      'for f in /key/k /map/k /all/k /all/token /disk /memory /etc/hosts /dev/termination-log; do stat -L -c "%n %u %g" $f; done';
    assert.deepEqual((await shell(NAMESPACE, 'volumes', owners)).split('\n'), [
      '/key/k 0 2000',
      '/map/k 0 2000',
      '/all/k 0 2000',
      '/all/token 0 2000',
      '/disk 0 2000',
      '/memory 0 2000',
      '/etc/hosts 0 0',
      '/dev/termination-log 0 0',
    ]);
    const write = 'for d in /disk /memory; do echo x > $d/x && stat -c "%u %g" $d/x; done; cat /key/k /map/k';
    assert.equal(await shell(NAMESPACE, 'volumes', write), '0 2000\n0 2000\nsm');
  });

  it('may see the whole of /proc', async () => {
    await cluster.apply(
      podOn('unmasked', 'node-1', {
        containers: [
          { name: 'c', image: IMAGE, command: ['sleep', '1000'], securityContext: { procMount: 'Unmasked' } },
        ],
      }),
    );
    await cluster.ready(NAMESPACE, 'unmasked');
    const mounts = 'grep -c " /proc/" /proc/mounts || true';
    assert.equal(await shell(NAMESPACE, 'unmasked', mounts), '0');
    assert.notEqual(await shell(NAMESPACE, 'volumes', mounts), '0');
  });

  it('hold a privileged container, which is nobody on the machine all the same', async () => {
    await cluster.apply(
      podOn('mighty', 'node-1', {
        containers: [{ name: 'c', image: IMAGE, command: ['sleep', '1000'], securityContext: { privileged: true } }],
      }),
    );
    const pid = await initOf(NAMESPACE, 'mighty');
    assert.deepEqual(statusOf(pid, 'Uid'), Array(4).fill(rangeOf(pid)));
    // Over its own namespaces it has power, over the machine's none.
    await shell(NAMESPACE, 'mighty', 'hostname other && ip link set lo down && ip link set lo up');
    const output = await cluster.exec(NAMESPACE, 'mighty', ['sh', '-c', 'echo 0 > /proc/sys/kernel/panic']);
    assert.match(output.stderr, /Permission denied|Read-only file system/);
  });

  it('may have groups of the spec alone, and mounts that are read-only however deep', async () => {
    await cluster.apply(
      podOn('strict', 'node-1', {
        securityContext: {
          runAsUser: 1234,
          runAsGroup: 2345,
          supplementalGroups: [3456],
          supplementalGroupsPolicy: 'Strict',
        },
        volumes: [{ name: 'disk', emptyDir: {} }],
        containers: [
          {
            name: 'c',
            image: IMAGE,
            command: ['sleep', '1000'],
            volumeMounts: [{ name: 'disk', mountPath: '/disk', readOnly: true, recursiveReadOnly: 'Enabled' }],
          },
        ],
      }),
    );
    const pod = await cluster.ready(NAMESPACE, 'strict');
    const [own] = pod.status!.containerStatuses!;
    assert.deepEqual(own!.user, { linux: { uid: 1234, gid: 2345, supplementalGroups: [2345, 3456] } });
    assert.equal(own!.volumeMounts!.find((m) => m.mountPath === '/disk')?.recursiveReadOnly, 'Enabled');
    assert.equal(await shell(NAMESPACE, 'strict', 'id -G'), '2345 3456');
    assert.match(await shell(NAMESPACE, 'strict', 'grep " /disk " /proc/mounts'), / ro,/);
  });

  it('have ids that no other pod of the machine has, through a restart of the agent, until the pods are gone', async () => {
    await cluster.apply(podOn('one', 'node-1'), podOn('two', 'node-2'));
    const pids = await Promise.all(['one', 'two', 'volumes', 'unmasked'].map((p) => initOf(NAMESPACE, p)));
    const ranges = new Set([...pids, await initOf('db', 'postgres-0')].map(rangeOf));
    assert.equal(ranges.size, 5);

    const before = cluster.partPid('node-1-agent');
    process.kill(before, 'SIGKILL');
    await until('another agent runs', 30_000, async () => cluster.partPid('node-1-agent') !== before);
    await cluster.apply(podOn('three', 'node-1'));
    const third = rangeOf(await initOf(NAMESPACE, 'three'));
    assert.ok(!ranges.has(third), `${third} is new`);
    assert.deepEqual(
      await Promise.all(['one', 'two', 'volumes', 'unmasked'].map((p) => initOf(NAMESPACE, p))),
      pids,
      'what ran goes on',
    );
    assert.equal(claimed().length, 8);

    await cluster.kubectl(['-n', NAMESPACE, 'delete', 'pod', '--all', '--now'], { timeoutMs: 60_000 });
    await until('their ids are free', 20_000, async () => claimed().length === 1);
    assert.ok(!existsSync(`/proc/${pids[0]}`));
  });
});
