// What pods ask of the kernel for their safety, seen from inside their containers; and what a node refuses, with its reason.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Container, Event, Node, PersistentVolumeClaim, Pod, PodSpec } from '#generated/api/core-v1.ts';
import { TestCluster, until } from './cluster.ts';

const NAMESPACE = 'default';
const IMAGE = 'busybox:1.35';
const NODE = 'node-1';
const isRoot = process.getuid?.() === 0;
/** Bits of capability sets. */
const NET_ADMIN = 1n << 12n;
const SYS_ADMIN = 1n << 21n;

const podOf = (
  name: string,
  securityContext: PodSpec['securityContext'],
  containers: readonly (Partial<Container> & { readonly name?: string })[] = [{}],
  spec: Partial<PodSpec> = {},
): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: NAMESPACE },
  spec: {
    terminationGracePeriodSeconds: 0,
    ...(securityContext === undefined ? {} : { securityContext }),
    ...spec,
    containers: containers.map((c) => ({ name: 'c', image: IMAGE, command: ['sleep', '1000'], ...c })),
  },
});

const SECURITY: readonly object[] = [
  { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'key', namespace: NAMESPACE }, stringData: { k: 'v' } },
  podOf('plain', undefined),
  podOf('privileged', undefined, [{ securityContext: { privileged: true } }]),
  podOf(
    'locked',
    {
      runAsUser: 1234,
      runAsGroup: 2345,
      supplementalGroups: [3456],
      fsGroup: 4567,
      seccompProfile: { type: 'RuntimeDefault' },
      // On a machine without SELinux it means nothing.
      seLinuxOptions: { level: 's0:c1,c2' },
    },
    [
      {
        securityContext: {
          capabilities: { drop: ['ALL'] },
          readOnlyRootFilesystem: true,
          allowPrivilegeEscalation: false,
        },
        volumeMounts: [
          { name: 'scratch', mountPath: '/scratch' },
          { name: 'key', mountPath: '/key' },
        ],
      },
      {
        name: 'admin',
        securityContext: {
          runAsUser: 0,
          seccompProfile: { type: 'Unconfined' },
          capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] },
        },
      },
    ],
    {
      volumes: [
        { name: 'scratch', emptyDir: {} },
        { name: 'key', secret: { secretName: 'key', defaultMode: 0o400 } },
      ],
    },
  ),
  podOf('profiled', { seccompProfile: { type: 'Localhost', localhostProfile: 'tests/no-mkdir.json' } }),
  podOf('profileless', { seccompProfile: { type: 'Localhost', localhostProfile: 'tests/missing.json' } }),
  podOf('rootless', { runAsNonRoot: true }, [{}, { name: 'zero', securityContext: { runAsUser: 0 } }]),
  podOf(
    'tuned',
    {
      runAsUser: 1234,
      sysctls: [
        { name: 'net.ipv4.ip_unprivileged_port_start', value: '42' },
        { name: 'kernel/shm_rmid_forced', value: '1' },
        { name: 'kernel.msgmax', value: '12345' },
      ],
    },
    [{}],
  ),
  podOf('untuned', { sysctls: [{ name: 'net.core.somaxconn', value: '5' }] }),
  podOf('armoured', { appArmorProfile: { type: 'RuntimeDefault' } }),
];

describe('security contexts', { timeout: 240_000, skip: isRoot ? false : 'needs root' }, () => {
  let cluster: TestCluster;
  before(async () => {
    ({ cluster } = await TestCluster.up(['--nodes', '1', '--allowed-unsafe-sysctls', 'kernel.msg*']));
    const profiles = join(cluster.dataDir, 'nodes', NODE, 'kubelet', 'seccomp', 'tests');
    mkdirSync(profiles, { recursive: true });
    writeFileSync(
      join(profiles, 'no-mkdir.json'),
      JSON.stringify({
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 }],
      }),
    );
    await cluster.apply(...SECURITY);
  });
  after(() => cluster?.down());

  const run = (pod: string, line: string, container = 'c') =>
    cluster.mustExec(NAMESPACE, pod, ['sh', '-c', line], { container });
  const fails = async (pod: string, line: string, container = 'c') => {
    const output = await cluster.exec(NAMESPACE, pod, ['sh', '-c', line], { container });
    assert.notEqual(output.code, 0, `${line} worked: ${output.stdout}`);
    return output.stderr;
  };
  /** Fields of /proc/1/status: the container's own process, not the one that exec made. */
  const status = async (pod: string, container = 'c'): Promise<ReadonlyMap<string, string>> => {
    await cluster.ready(NAMESPACE, pod);
    const text = await run(pod, 'cat /proc/1/status', container);
    return new Map(
      text.split('\n').map((l) => [
        l.split(':')[0]!,
        l
          .slice(l.indexOf(':') + 1)
          .trim()
          .replaceAll(/\s+/g, ' '),
      ]),
    );
  };
  const capabilities = (s: ReadonlyMap<string, string>) => BigInt(`0x${s.get('CapEff')}`);
  const refused = (name: string) =>
    until(`${name} is Failed`, 30_000, async () => {
      const pod = await cluster.get<Pod>(NAMESPACE, 'pod', name);
      return pod.status?.phase === 'Failed' && pod;
    });
  const eventOf = (name: string, reason: string) =>
    until(`event ${reason} of ${name}`, 20_000, async () => {
      const text = await cluster.kubectl(['-n', NAMESPACE, 'get', 'events', '-o', 'json']);
      return (JSON.parse(text) as { items: Event[] }).items.find(
        (e) => e.reason === reason && e.involvedObject.name === name,
      );
    });
  const waiting = (name: string, container: string, reason: string) =>
    until(`${name} waits with ${reason}`, 30_000, async () => {
      const pod = await cluster.get<Pod>(NAMESPACE, 'pod', name);
      const state = pod.status?.containerStatuses?.find((c) => c.name === container)?.state?.waiting;
      return state?.reason === reason && state;
    });

  it('gives a container without wishes upstream’s defaults', async () => {
    const own = await status('plain');
    assert.deepEqual([own.get('Seccomp'), own.get('NoNewPrivs'), own.get('Uid')], ['0', '0', '0 0 0 0']);
    assert.equal(own.get('CapEff'), '00000000a80425fb');
    assert.match(await fails('plain', 'echo 1 > /proc/sys/net/ipv4/ip_forward'), /Read-only file system/);
    // What is masked reads as empty.
    assert.equal(
      await run('plain', 'cat /proc/keys /proc/timer_list /proc/kcore 2>/dev/null | head -c 1 | wc -c'),
      '0',
    );
    assert.equal(await run('plain', 'echo x > /root-is-writable && cat /root-is-writable'), 'x');
  });

  it('gives a privileged one all of the machine’s', async () => {
    const own = await status('privileged');
    const all = capabilities(own);
    assert.ok((all & SYS_ADMIN) !== 0n && (all & NET_ADMIN) !== 0n, own.get('CapEff')!);
    assert.equal(own.get('Seccomp'), '0');
    await run('privileged', 'test -c /dev/loop-control');
    await fails('plain', 'test -c /dev/loop-control');
    // Its own network namespace's; written as it is.
    await run('privileged', 'f=/proc/sys/net/ipv4/ip_forward; v=$(cat $f); echo $v > $f');
  });

  it('runs as user, groups and with the profile of the pod, without capabilities and new privileges', async () => {
    const own = await status('locked');
    assert.deepEqual([own.get('Uid'), own.get('Gid')], ['1234 1234 1234 1234', '2345 2345 2345 2345']);
    for (const group of ['3456', '4567']) assert.ok(own.get('Groups')!.split(' ').includes(group), own.get('Groups')!);
    assert.deepEqual([own.get('Seccomp'), own.get('NoNewPrivs')], ['2', '1']);
    for (const set of ['CapEff', 'CapPrm', 'CapBnd']) assert.equal(own.get(set), '0000000000000000', set);
  });

  it('lets a container differ from its pod, and adds what it asks for', async () => {
    const own = await status('locked', 'admin');
    assert.deepEqual([own.get('Uid'), own.get('Seccomp'), own.get('NoNewPrivs')], ['0 0 0 0', '0', '0']);
    assert.equal(capabilities(own), NET_ADMIN);
  });

  it('keeps the root read-only, and lets the volumes’ group write and read', async () => {
    assert.match(await run('locked', 'grep " / " /proc/mounts'), / ro,/);
    assert.match(await fails('locked', 'echo x > /tmp/x'), /Read-only file system/);
    assert.equal(
      await run('locked', 'echo x > /scratch/x; stat -c "%u %g" /scratch/x; stat -c "%g %a" /scratch'),
      '1234 4567\n4567 2777',
    );
    assert.equal(await run('locked', 'cat /key/k; stat -L -c " %u %g %a" /key/k'), 'v 0 4567 440');
  });

  it('loads a profile from the kubelet’s folder, and says when it is not there', async () => {
    assert.equal((await status('profiled')).get('Seccomp'), '2');
    assert.match(await fails('profiled', 'mkdir /tmp/x'), /Function not implemented/);
    await run('profiled', 'touch /tmp/y');
    const state = await waiting('profileless', 'c', 'CreateContainerError');
    assert.match(state.message!, /seccomp profile .*tests\/missing\.json/);
  });

  it('does not start root where the pod wants none', async () => {
    const pod = await cluster.get<Pod>(NAMESPACE, 'pod', 'rootless');
    const where = `(pod: "rootless_default(${pod.metadata.uid})", container`;
    const image = await waiting('rootless', 'c', 'CreateContainerConfigError');
    assert.equal(image.message, `container has runAsNonRoot and image will run as root ${where}: c)`);
    const zero = await waiting('rootless', 'zero', 'CreateContainerConfigError');
    assert.equal(zero.message, `container's runAsUser breaks non-root policy ${where}: zero)`);
    const event = await eventOf('rootless', 'Failed');
    assert.match(event.message!, /^Error: container/);
  });

  it('sets sysctls that are safe or allowed, in the pod’s namespaces alone', async () => {
    await cluster.ready(NAMESPACE, 'tuned');
    const read = 'cd /proc/sys; cat net/ipv4/ip_unprivileged_port_start kernel/shm_rmid_forced kernel/msgmax';
    assert.equal(await run('tuned', read), '42\n1\n12345');
    // Without a capability, on a low port.
    await run('tuned', 'nc -l -p 43 & sleep 0.3; kill %1');
    assert.notEqual(await run('plain', 'cat /proc/sys/kernel/msgmax'), '12345');
  });

  it('refuses other sysctls', async () => {
    const pod = await refused('untuned');
    assert.equal(pod.status!.reason, 'SysctlForbidden');
    assert.equal(pod.status!.message, 'Pod was rejected: forbidden sysctl: "net.core.somaxconn" not allowlisted');
    const event = await eventOf('untuned', 'SysctlForbidden');
    assert.deepEqual(
      [event.type, event.message],
      ['Warning', 'forbidden sysctl: "net.core.somaxconn" not allowlisted'],
    );
  });

  it('refuses AppArmor by name: no node enforces it', async () => {
    const pod = await refused('armoured');
    assert.equal(pod.status!.reason, 'AppArmor');
    assert.match(pod.status!.message!, /^Pod was rejected: Cannot enforce AppArmor: AppArmor is /);
  });

  it('refuses what the runtime cannot do instead of ignoring it', async (t) => {
    const { runtimeHandlers } = (await cluster.get<Node>('', 'node', NODE)).status!;
    if (runtimeHandlers?.some((h) => h.features?.userNamespaces === true) === true)
      return t.skip('this containerd has user namespaces: see user-namespaces.test.ts');
    await cluster.apply(
      podOf('mapped', undefined, [{}], { hostUsers: false }),
      podOf('strict', { supplementalGroupsPolicy: 'Strict' }),
    );
    const event = await eventOf('mapped', 'FailedCreatePodSandBox');
    assert.equal(
      event.message,
      "Failed to create pod sandbox: can't set `spec.hostUsers: false`, runtime does not support user namespaces",
    );
    const mapped = await cluster.get<Pod>(NAMESPACE, 'pod', 'mapped');
    assert.deepEqual([mapped.status!.phase, mapped.status!.podIP], ['Pending', undefined]);
    const strict = await refused('strict');
    assert.equal(strict.status!.reason, 'SupplementalGroupsPolicyNotSupported');
  });

  it('hands a claim’s files to the group, always or only when its root is another’s', async () => {
    const claim: PersistentVolumeClaim = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'disk', namespace: NAMESPACE },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '16Mi' } } },
    };
    const user = (name: string, policy: string) =>
      podOf(
        name,
        { fsGroup: 4567, fsGroupChangePolicy: policy },
        [{ volumeMounts: [{ name: 'disk', mountPath: '/disk' }] }],
        { volumes: [{ name: 'disk', persistentVolumeClaim: { claimName: 'disk' } }] },
      );
    const next = async (name: string, policy: string, line: string) => {
      await cluster.apply(user(name, policy));
      await cluster.ready(NAMESPACE, name);
      const said = await run(name, line);
      await cluster.kubectl(['-n', NAMESPACE, 'delete', 'pod', name, '--now']);
      return said;
    };
    await cluster.apply(claim);
    assert.equal(await next('first', 'Always', 'echo x > /disk/x; stat -c %g /disk/x; chgrp 1 /disk/x'), '4567');
    assert.equal(await next('second', 'OnRootMismatch', 'stat -c %g /disk/x'), '1');
    assert.equal(await next('third', 'Always', 'stat -c %g /disk/x'), '4567');
  });
});
