import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod, PodSpec } from '#generated/api/core-v1.ts';
import { SteppedClock } from '#base/clock.ts';
import { SeededRandom } from '#base/random.ts';
import { FakeRuntime } from '../cri/fake.ts';
import type { Pressure } from '../eviction/thresholds.ts';
import { admitPod } from './admission.ts';
import { dottedSysctl, whyNotAllowable } from './sysctls.ts';

const runtime = new FakeRuntime({ clock: new SteppedClock(), random: new SeededRandom(1), ipOf: () => '' });
const oldRuntime = new FakeRuntime({ clock: new SteppedClock(), random: new SeededRandom(1), ipOf: () => '' });
oldRuntime.status = async () => ({ conditions: [], runtimeHandlers: [] });

const podWith = (spec: Partial<PodSpec>, annotations: Record<string, string> = {}): Pod =>
  ({ metadata: { name: 'p', annotations }, spec: { containers: [{ name: 'c', image: 'i' }], ...spec } }) as Pod;
const admit = (
  pod: Pod,
  more: { allowed?: readonly string[]; old?: boolean; appArmor?: string; pressures?: readonly Pressure[] } = {},
) =>
  admitPod(pod, {
    runtime: more.old === true ? oldRuntime : runtime,
    files: { readText: () => more.appArmor },
    allowedUnsafeSysctls: more.allowed ?? [],
    pressures: () => more.pressures ?? [],
  });
const setting = (...names: string[]): Partial<PodSpec> => ({
  securityContext: { sysctls: names.map((name) => ({ name, value: '1' })) },
});

describe('admitPod', () => {
  it('takes an ordinary pod', async () => assert.equal(await admit(podWith({})), undefined));

  for (const name of ['kernel.shm_rmid_forced', 'net.ipv4.ip_unprivileged_port_start', 'net/ipv4/tcp_rmem'])
    it(`takes the safe sysctl ${name}`, async () => assert.equal(await admit(podWith(setting(name))), undefined));

  it('refuses a sysctl that is not on the list, in upstream’s words', async () => {
    assert.deepEqual(await admit(podWith(setting('net.ipv4.tcp_syncookies', 'kernel.msgmax'))), {
      reason: 'SysctlForbidden',
      message: 'forbidden sysctl: "kernel.msgmax" not allowlisted',
    });
  });

  it('takes what the node allows, by name or by beginning', async () => {
    const allowed = ['kernel.msg*', 'net/core/somaxconn'];
    assert.equal(await admit(podWith(setting('kernel.msgmax', 'net.core.somaxconn')), { allowed }), undefined);
    assert.match((await admit(podWith(setting('kernel.sem')), { allowed }))!.message, /"kernel.sem" not allowlisted/);
  });

  it('refuses a setting of a namespace that is the node’s', async () => {
    const network = await admit(podWith({ ...setting('net.ipv4.tcp_syncookies'), hostNetwork: true }));
    assert.equal(network?.message, 'forbidden sysctl: "net.ipv4.tcp_syncookies" not allowed with host net enabled');
    const ipc = await admit(podWith({ ...setting('kernel.shmmax'), hostIPC: true }), { allowed: ['kernel.shm*'] });
    assert.equal(ipc?.message, 'forbidden sysctl: "kernel.shmmax" not allowed with host ipc enabled');
  });

  it('refuses the policy Strict for groups where the runtime would ignore it', async () => {
    const pod = podWith({ securityContext: { supplementalGroupsPolicy: 'Strict' } });
    assert.equal(await admit(pod), undefined);
    assert.deepEqual(await admit(pod, { old: true }), {
      reason: 'SupplementalGroupsPolicyNotSupported',
      message: 'SupplementalGroupsPolicy=Strict is not supported in this node',
    });
    assert.equal(
      await admit(podWith({ securityContext: { supplementalGroupsPolicy: 'Merge' } }), { old: true }),
      undefined,
    );
  });

  describe('AppArmor', () => {
    const profiled = (type: string) =>
      podWith({ containers: [{ name: 'c', image: 'i', securityContext: { appArmorProfile: { type } } }] });
    const refusal = { reason: 'AppArmor', message: 'Cannot enforce AppArmor: AppArmor is not enabled on the host' };

    it('is refused by name where the kernel has none', async () => {
      assert.deepEqual(await admit(profiled('RuntimeDefault')), refusal);
      assert.deepEqual(
        await admit(podWith({ securityContext: { appArmorProfile: { type: 'RuntimeDefault' } } })),
        refusal,
      );
      const annotated = { 'container.apparmor.security.beta.kubernetes.io/c': 'localhost/x' };
      assert.deepEqual(await admit(podWith({}, annotated)), refusal);
    });

    it('is refused with the true reason where the kernel has it', async () => {
      assert.match(
        (await admit(profiled('RuntimeDefault'), { appArmor: 'Y\n' }))!.message,
        /switched off in the container runtime/,
      );
    });

    it('is no matter for who wants none', async () => {
      assert.equal(await admit(profiled('Unconfined')), undefined);
      const annotated = { 'container.apparmor.security.beta.kubernetes.io/c': 'unconfined' };
      assert.equal(await admit(podWith({}, annotated)), undefined);
    });
  });
});

describe('dottedSysctl', () => {
  it('takes the first separator for the kind that is meant', () => {
    assert.equal(dottedSysctl('net/ipv4/conf/eno2.100/rp_filter'), 'net.ipv4.conf.eno2/100.rp_filter');
    assert.equal(dottedSysctl('net.ipv4.conf.eno2/100.rp_filter'), 'net.ipv4.conf.eno2/100.rp_filter');
  });
});

describe('whyNotAllowable', () => {
  for (const pattern of [
    'kernel.msg*',
    'net.*',
    'net.core.somaxconn',
    'kernel.sem',
    'fs.mqueue.*',
    'net/core/somaxconn',
  ])
    it(`allows ${pattern}`, () => assert.equal(whyNotAllowable(pattern), undefined));
  for (const [pattern, why] of [
    ['vm.swappiness', /not known to be namespaced/],
    ['*', /not known to be namespaced/],
    ['kernel.*', /not known to be namespaced/],
    ['Net.X', /must have at most 253 characters/],
    ['net.*.x', /must have at most 253 characters/],
  ] as const)
    it(`refuses ${pattern}`, () => assert.match(whyNotAllowable(pattern) ?? '', why));
});
