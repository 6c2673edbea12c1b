import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod, PodSpec } from '#generated/api/core-v1.ts';
import { StatusError } from '#machinery/status.ts';
import { rebuild } from '#schema/decode.ts';
import { schemaByName } from '#schema/load.ts';
import { defaultPod } from './defaults.ts';
import { validatePod, validatePodUpdate } from './validation.ts';

const SCHEMA = schemaByName('io.k8s.api.core.v1.Pod');
const makePod = (spec: Partial<PodSpec> | Record<string, unknown> = {}): Pod =>
  defaultPod(
    rebuild<Pod>({ metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'i:1' }], ...spec } }, SCHEMA),
  );

const text = (pod: Pod): string => {
  const errors = validatePod(pod);
  return errors.length === 0 ? '' : StatusError.invalid({ kind: 'Pod' }, 'p', errors).message;
};
const container = (more: Record<string, unknown>) => ({ containers: [{ name: 'c', image: 'i:1', ...more }] });

describe('validatePod', () => {
  it('takes an ordinary pod', () => assert.equal(text(makePod()), ''));

  it('takes an unmasked /proc and sysctls in a user namespace', () => {
    const securityContext = { sysctls: [{ name: 'net.ipv4.tcp_syncookies', value: '1' }] };
    const pod = makePod({
      hostUsers: false,
      securityContext,
      ...container({ securityContext: { procMount: 'Unmasked' } }),
    });
    assert.equal(text(pod), '');
  });

  const table: readonly (readonly [string, Record<string, unknown>, string])[] = [
    ['no containers', { containers: [] }, 'spec.containers: Required value'],
    ['no image', { containers: [{ name: 'c' }] }, 'spec.containers[0].image: Required value'],
    [
      'twice the same name',
      {
        containers: [
          { name: 'c', image: 'i' },
          { name: 'c', image: 'i' },
        ],
      },
      'spec.containers[1].name: Duplicate value: "c"',
    ],
    [
      'a mount without volume',
      container({ volumeMounts: [{ name: 'v', mountPath: '/x' }] }),
      'spec.containers[0].volumeMounts[0].name: Not found: "v"',
    ],
    [
      'a port out of range',
      container({ ports: [{ containerPort: 70000 }] }),
      'spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive',
    ],
    [
      'an unknown protocol',
      container({ ports: [{ containerPort: 1, protocol: 'X' }] }),
      'spec.containers[0].ports[0].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"',
    ],
    [
      'the node’s network in a user namespace',
      { hostUsers: false, hostNetwork: true },
      'spec.hostNetwork: Forbidden: when `hostUsers` is false',
    ],
    [
      'the node’s processes in a user namespace',
      { hostUsers: false, hostPID: true },
      'spec.HostPID: Forbidden: when `hostUsers` is false',
    ],
    [
      'the node’s IPC in a user namespace',
      { hostUsers: false, hostIPC: true },
      'spec.HostIPC: Forbidden: when `hostUsers` is false',
    ],
    [
      'a block device in a user namespace',
      {
        hostUsers: false,
        volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'v' } }],
        ...container({ volumeDevices: [{ name: 'v', devicePath: '/dev/v' }] }),
      },
      'spec.containers[0].volumeDevices: Forbidden: when `hostUsers` is false',
    ],
    [
      'an unmasked /proc of the machine’s root',
      container({ securityContext: { procMount: 'Unmasked' } }),
      'spec.containers[0].securityContext.procMount: Invalid value: "Unmasked": `hostUsers` must be false to use `Unmasked`',
    ],
    [
      'a sysctl that is no name',
      { securityContext: { sysctls: [{ name: 'Kernel..x', value: '1' }] } },
      'spec.securityContext.sysctls[0].name: Invalid value: "Kernel..x": must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$',
    ],
    [
      'a sysctl twice',
      {
        securityContext: {
          sysctls: [
            { name: 'kernel.shmmax', value: '1' },
            { name: 'kernel.shmmax', value: '2' },
          ],
        },
      },
      'spec.securityContext.sysctls[1].name: Duplicate value: "kernel.shmmax"',
    ],
    [
      'a sysctl of the network that is the node’s',
      { hostNetwork: true, securityContext: { sysctls: [{ name: 'net/ipv4/tcp_syncookies', value: '1' }] } },
      `spec.securityContext.sysctls[0].name: Invalid value: "net/ipv4/tcp_syncookies": may not be specified when 'hostNetwork' is true`,
    ],
    [
      'a seccomp profile without its file',
      { securityContext: { seccompProfile: { type: 'Localhost' } } },
      'spec.securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost',
    ],
    [
      'a seccomp profile outside of its folder',
      container({ securityContext: { seccompProfile: { type: 'Localhost', localhostProfile: '../x' } } }),
      `spec.containers[0].securityContext.seccompProfile.localhostProfile: Invalid value: "../x": must not contain '..'`,
    ],
    [
      'an unknown seccomp type',
      container({ securityContext: { seccompProfile: { type: 'X' } } }),
      'spec.containers[0].securityContext.seccompProfile.type: Unsupported value: "X": supported values: "Localhost", "RuntimeDefault", "Unconfined"',
    ],
    [
      'an AppArmor profile without a type',
      container({ securityContext: { appArmorProfile: {} } }),
      'spec.containers[0].securityContext.appArmorProfile.type: Required value: type is required when appArmorProfile is set',
    ],
    [
      'a mount that is writable and recursively read-only',
      {
        volumes: [{ name: 'v', emptyDir: {} }],
        ...container({ volumeMounts: [{ name: 'v', mountPath: '/v', recursiveReadOnly: 'Enabled' }] }),
      },
      'spec.containers[0].volumeMounts.recursiveReadOnly: Forbidden: may only be specified when readOnly is true',
    ],
    [
      'an unknown policy for groups',
      { securityContext: { supplementalGroupsPolicy: 'X' } },
      'spec.securityContext.supplementalGroupsPolicy: Unsupported value: "X": supported values: "Merge", "Strict"',
    ],
    [
      'an unknown restart policy',
      { restartPolicy: 'Sometimes' },
      'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
    ],
    [
      'a request above the limit',
      container({ resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } }),
      'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
    ],
    [
      'a probe without handler',
      container({ livenessProbe: {} }),
      'spec.containers[0].livenessProbe: Required value: must specify a handler type',
    ],
    [
      'two volume types',
      { volumes: [{ name: 'v', emptyDir: {}, hostPath: { path: '/x' } }] },
      'spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type',
    ],
    [
      'a toleration without key or Exists',
      { tolerations: [{ operator: 'Equal' }] },
      'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty',
    ],
    [
      'an init container with a probe',
      { initContainers: [{ name: 'a', image: 'i', readinessProbe: { exec: { command: ['x'] } } }] },
      'spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always',
    ],
  ];
  for (const [name, spec, message] of table)
    it(`refuses ${name}`, () => assert.ok(text(makePod(spec)).includes(message), text(makePod(spec))));
});

describe('validatePodUpdate', () => {
  const old = makePod();
  it('lets the image change', () =>
    assert.deepEqual(
      validatePodUpdate(makePod({ containers: [{ name: 'c', image: 'i:2', imagePullPolicy: 'IfNotPresent' }] }), old),
      [],
    ));
  it('lets tolerations be added', () =>
    assert.deepEqual(validatePodUpdate(makePod({ tolerations: [{ operator: 'Exists' }] }), old), []));
  it('refuses every other change', () => {
    const [error] = validatePodUpdate(makePod({ hostNetwork: true }), old);
    assert.equal(error?.field, 'spec');
    assert.match(error?.detail ?? '', /^pod updates may not change fields other than `spec.containers\[\*\].image`/);
  });
  it('refuses another number of containers', () => {
    assert.equal(
      validatePodUpdate(
        makePod({
          containers: [
            { name: 'c', image: 'i:1' },
            { name: 'd', image: 'i:1' },
          ],
        }),
        old,
      )[0]?.field,
      'spec.containers',
    );
  });
});

describe('defaultPod', () => {
  it('takes requests from limits and the pull policy from the tag', () => {
    const [first] = makePod(container({ image: 'nginx', resources: { limits: { cpu: '1' } } })).spec!.containers;
    assert.deepEqual(first!.resources?.requests, { cpu: '1' });
    assert.equal(first!.imagePullPolicy, 'Always');
  });
  it('makes a volume without source an emptyDir', () =>
    assert.deepEqual(makePod({ volumes: [{ name: 'v' }] }).spec!.volumes, [{ name: 'v', emptyDir: {} }]));
});
