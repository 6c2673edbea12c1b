import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod, PodSecurityContext, SecurityContext } from '#generated/api/core-v1.ts';
import type { FileFacts } from '#host/file-system.ts';
import type { Image } from '../cri/messages.ts';
import { containerSecurity, maskedPaths, sandboxSecurity } from './security.ts';

const rootImage: Image = { id: 'i', repoTags: [], repoDigests: [], size: 0, username: '', pinned: false };
const podWith = (securityContext: PodSecurityContext, own: SecurityContext = {}): Pod =>
  ({
    metadata: { name: 'p', namespace: 'd', uid: 'u' },
    spec: { securityContext, containers: [{ name: 'c', image: 'i', securityContext: own }] },
  }) as Pod;
const made = (
  podWide: PodSecurityContext,
  own: SecurityContext = {},
  image: Image = rootImage,
  seccompDefault = false,
) => {
  const pod = podWith(podWide, own);
  return containerSecurity(pod, pod.spec!.containers[0]!, image, {
    seccompDir: '/profiles',
    seccompDefault,
    maskedPaths: maskedPaths({ list: () => [], stat: () => undefined }),
    userNamespace: { mode: 'NODE' },
  })!;
};

describe('containerSecurity', () => {
  it('is unconfined by seccomp without a profile, as upstream has it, and prefers the container’s own', () => {
    assert.deepEqual(made({}).seccomp, { profileType: 'Unconfined' });
    const podWide = { seccompProfile: { type: 'RuntimeDefault' } };
    assert.deepEqual(made(podWide).seccomp, { profileType: 'RuntimeDefault' });
    assert.deepEqual(made(podWide, { seccompProfile: { type: 'Localhost', localhostProfile: 'a/b.json' } }).seccomp, {
      profileType: 'Localhost',
      localhostRef: '/profiles/a/b.json',
    });
    assert.deepEqual(made(podWide, { privileged: true }).seccomp, { profileType: 'Unconfined' });
  });

  it('gives the runtime’s profile to who asks for none, where the node is told so', () => {
    const asked = (type: string) => made({ seccompProfile: { type } }, {}, rootImage, true).seccomp;
    assert.deepEqual(made({}, {}, rootImage, true).seccomp, { profileType: 'RuntimeDefault' });
    assert.deepEqual(asked('Unconfined'), { profileType: 'Unconfined' });
    assert.deepEqual(made({}, { privileged: true }, rootImage, true).seccomp, { profileType: 'Unconfined' });
  });

  it('runs as the container’s user, else the pod’s, else the image’s by number or name', () => {
    const of = ({ runAsUser, runAsUsername, runAsGroup }: ReturnType<typeof made>) => [
      runAsUser?.value ?? runAsUsername,
      runAsGroup?.value,
    ];
    const byNumber: Image = { ...rootImage, uid: { value: 70 } };
    const byName: Image = { ...rootImage, username: 'app' };
    assert.deepEqual(of(made({ runAsUser: 5, runAsGroup: 6 }, { runAsUser: 7 }, byNumber)), [7, 6]);
    assert.deepEqual(of(made({ runAsUser: 5 }, {}, byName)), [5, undefined]);
    assert.deepEqual(of(made({}, {}, byNumber)), [70, undefined]);
    // A group alone does not make it root.
    assert.deepEqual(of(made({ runAsGroup: 6 }, {}, byName)), ['app', 6]);
    assert.deepEqual(of(made({})), [0, undefined]);
  });

  it('refuses root where it is not wanted, in upstream’s words', () => {
    const where = '(pod: "p_d(u)", container: c)';
    const cases: readonly [PodSecurityContext, SecurityContext, Image, string | undefined][] = [
      [{ runAsNonRoot: true }, {}, rootImage, `container has runAsNonRoot and image will run as root ${where}`],
      [{ runAsNonRoot: true }, { runAsUser: 0 }, rootImage, `container's runAsUser breaks non-root policy ${where}`],
      [
        {},
        { runAsNonRoot: true },
        { ...rootImage, username: 'app' },
        `container has runAsNonRoot and image has non-numeric user (app), cannot verify user is non-root ${where}`,
      ],
      [{ runAsNonRoot: true }, { runAsNonRoot: false }, rootImage, undefined],
      [{ runAsNonRoot: true }, {}, { ...rootImage, uid: { value: 70 } }, undefined],
      [{ runAsNonRoot: true, runAsUser: 5 }, {}, { ...rootImage, username: 'app' }, undefined],
    ];
    for (const [podWide, own, image, message] of cases) {
      if (message === undefined) made(podWide, own, image);
      else assert.throws(() => made(podWide, own, image), { code: 'CreateContainerConfigError', message });
    }
  });

  it('joins the volumes’ group and the supplemental ones, by the policy that is asked for', () => {
    const { supplementalGroups, supplementalGroupsPolicy } = made({
      fsGroup: 2000,
      supplementalGroups: [3000, 2000],
      supplementalGroupsPolicy: 'Strict',
    });
    assert.deepEqual([supplementalGroups, supplementalGroupsPolicy], [[2000, 3000], 'Strict']);
    assert.equal(made({}).supplementalGroupsPolicy, 'Merge');
  });

  it('masks parts of /proc unless told otherwise', () => {
    assert.ok(made({}).maskedPaths?.includes('/proc/kcore'));
    assert.ok(made({}).readonlyPaths?.includes('/proc/sys'));
    assert.equal(made({}, { procMount: 'Unmasked' }).maskedPaths, undefined);
    assert.equal(made({}, { privileged: true }).readonlyPaths, undefined);
  });

  it('passes on capabilities, the read-only root and the ban on new privileges', () => {
    const own = made(
      {},
      {
        capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] },
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
      },
    );
    assert.deepEqual(own.capabilities, { addCapabilities: ['NET_ADMIN'], dropCapabilities: ['ALL'] });
    assert.deepEqual([own.readonlyRootfs, own.noNewPrivs], [true, true]);
    assert.deepEqual([made({}).readonlyRootfs, made({}).noNewPrivs], [false, false]);
    assert.equal(made({}, { allowPrivilegeEscalation: true }).noNewPrivs, false);
  });
});

describe('maskedPaths', () => {
  it('hides the heat of each processor that has a gauge', () => {
    const gauge = '/sys/devices/system/cpu/cpu1/thermal_throttle';
    const stat = (path: string) => (path === gauge ? ({ type: 'directory' } as FileFacts) : undefined);
    const paths = maskedPaths({ list: () => ['cpu0', 'cpu1', 'cpufreq', 'online'], stat });
    assert.deepEqual(
      paths.filter((p) => p.includes('thermal')),
      [gauge],
    );
    assert.ok(paths.includes('/proc/interrupts'));
  });
});

describe('sandboxSecurity', () => {
  it('has the runtime’s own profile, whatever the pod’s containers want', () => {
    const pod = podWith({ seccompProfile: { type: 'Localhost', localhostProfile: 'strict.json' } });
    assert.deepEqual(sandboxSecurity(pod, { mode: 'NODE' }).seccomp, { profileType: 'RuntimeDefault' });
  });

  it('is in the pod’s user namespace, and privileged only with a privileged container', () => {
    const ids = [{ hostId: 1 << 30, containerId: 0, length: 65_536 }];
    const own = sandboxSecurity(podWith({}), { mode: 'POD', uids: ids, gids: ids });
    assert.deepEqual(own.namespaceOptions.usernsOptions, { mode: 'POD', uids: ids, gids: ids });
    assert.equal(own.privileged, false);
    assert.equal(sandboxSecurity(podWith({}, { privileged: true }), { mode: 'NODE' }).privileged, true);
  });
});
