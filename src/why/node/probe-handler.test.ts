import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Run } from '#host/process.ts';
import type { ProbeRequest } from '../probe/result.ts';
import type { ProcFiles } from './processes.ts';
import { probeHandler, type ProbeHandlerDeps } from './probe-handler.ts';

/** A node with one pod in a network namespace (pid 7) and one on the host's (pid 9). */
const texts: Readonly<Record<string, string>> = {
  '/proc/7/root/etc/resolv.conf': 'nameserver 10.96.0.10\n',
  '/proc/7/root/etc/hosts': '10.244.0.9 own\n',
  '/proc/9/cgroup': '0::/kubepods/podhost-uid/abc\n',
};
const files = {
  list: (path: string) => (path === '/proc' ? ['7', '9', 'self'] : []),
  readText: (path: string) => texts[path],
  readlink: (path: string) => (path === '/proc/7/ns/net' ? 'net:[4711]' : 'net:[1]'),
  stat: (path: string) => (path === '/run/netns/a' ? { inode: 4711 } : undefined),
} as unknown as ProcFiles;

function handler(more: Partial<ProbeHandlerDeps> = {}) {
  const ran: { command: readonly string[]; request: ProbeRequest }[] = [];
  const run: Run = async (command, args, options) => {
    ran.push({ command: [command, ...args], request: JSON.parse(String(options?.input)) as ProbeRequest });
    return { code: 0, stdout: '{"connects":[],"ms":1}', stderr: '' };
  };
  const { handle } = probeHandler({
    run,
    files,
    podUid: (_, name) => (name === 'api' ? 'api-uid' : undefined),
    podNetns: async () => '/run/netns/a',
    usesHostNetwork: () => false,
    program: ['node', 'probe.mjs'],
    own: {} as NonNullable<ProbeHandlerDeps['own']>,
    ...more,
  });
  const ask = (uid: string, request: object, pod = 'api') =>
    handle(
      new URLSearchParams(),
      Buffer.from(JSON.stringify({ from: { at: 'pod', node: 'n', namespace: 'app', pod, uid }, request })),
      AbortSignal.timeout(5_000),
    );
  return { ask, ran };
}
const request = { host: 'db', port: 5432, protocol: 'tcp', timeoutMs: 60_000 };

describe('probeHandler', () => {
  it('runs the probe inside the pod’s network namespace with the pod’s own files, and bounds its time', async () => {
    const { ask, ran } = handler();
    assert.deepEqual(await ask('api-uid', request), { connects: [], ms: 1 });
    assert.deepEqual(ran[0]!.command, ['nsenter', '--net=/run/netns/a', '--', 'node', 'probe.mjs']);
    assert.deepEqual(
      [ran[0]!.request.resolvConf, ran[0]!.request.hosts, ran[0]!.request.timeoutMs],
      ['nameserver 10.96.0.10\n', '10.244.0.9 own\n', 10_000],
    );
  });

  it('does not probe from another pod of the same name, nor from one that is not here', async () => {
    await assert.rejects(handler().ask('older-uid', request), { code: 404 });
    await assert.rejects(handler().ask('', request, 'other'), { code: 404 });
  });

  it('says that a pod has no network yet', async () =>
    assert.rejects(handler({ podNetns: async () => undefined }).ask('', request), /has no network namespace yet/));

  it('says that a hollow node has no kernel network', async () => {
    const handle = probeHandler({
      run: async () => ({ code: 0, stdout: '', stderr: '' }),
      files,
      podUid: () => 'u',
      podNetns: async () => undefined,
      usesHostNetwork: () => false,
      program: [],
    }).handle;
    const body = Buffer.from(JSON.stringify({ from: { at: 'node', node: 'n' }, request }));
    await assert.rejects(handle(new URLSearchParams(), body, AbortSignal.timeout(1_000)), /hollow/);
  });

  it('refuses what is no probe', async () => assert.rejects(handler().ask('', { host: 'x' }), { code: 400 }));
});
