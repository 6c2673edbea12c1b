import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Container, Pod } from '#generated/api/core-v1.ts';
import { computeQos } from './qos.ts';
import { defaultPod } from './defaults.ts';
import { prepareResize, validateResize } from './resize.ts';

const container = (name: string, requests: object, limits?: object, more: object = {}): Container =>
  ({
    name,
    image: 'i',
    terminationMessagePolicy: 'File',
    resources: { requests, ...(limits === undefined ? {} : { limits }) },
    ...more,
  }) as Container;

function podOf(containers: readonly Container[], initContainers: readonly Container[] = []): Pod {
  const pod = defaultPod({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'default', resourceVersion: '1' },
    spec: {
      restartPolicy: 'Always',
      dnsPolicy: 'ClusterFirst',
      containers,
      ...(initContainers.length === 0 ? {} : { initContainers }),
    },
  });
  return { ...pod, status: { phase: 'Running', qosClass: computeQos(pod) } };
}

/** The messages of a resize from one to the other. */
const judge = (old: Pod, wanted: Pod): readonly string[] =>
  validateResize(prepareResize(wanted, old), old).map((e) => `${e.field}: ${e.detail}`);

const BASE = podOf([container('a', { cpu: '100m', memory: '64Mi' }, { cpu: '200m', memory: '128Mi' })]);
const resized = (requests: object, limits?: object, more: object = {}) =>
  podOf([container('a', requests, limits, more)]);

describe('prepareResize', () => {
  it('takes resources and policies, and nothing else of the request', () => {
    const wanted = resized(
      { cpu: '150m', memory: '64Mi' },
      { cpu: '200m', memory: '128Mi' },
      {
        image: 'other',
        resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }],
      },
    );
    const pod = prepareResize({ ...wanted, metadata: { ...wanted.metadata, labels: { a: 'b' } } }, BASE);
    assert.equal(pod.spec!.containers[0]!.image, 'i');
    assert.equal(pod.metadata.labels, undefined);
    assert.equal(pod.spec!.containers[0]!.resources!.requests!.cpu, '150m');
    assert.equal(pod.spec!.containers[0]!.resizePolicy![0]!.restartPolicy, 'RestartContainer');
  });
});

describe('validateResize', () => {
  it('allows more and less of cpu and memory, also of a memory limit', () => {
    assert.deepEqual(judge(BASE, resized({ cpu: '50m', memory: '32Mi' }, { cpu: '1', memory: '64Mi' })), []);
  });

  it('allows a limit where there was none', () => {
    const old = podOf([container('a', { cpu: '100m' })]);
    assert.deepEqual(judge(old, podOf([container('a', { cpu: '100m' }, { cpu: '200m' })])), []);
  });

  for (const [condition, old, wanted, message] of [
    [
      'the class changes',
      BASE,
      resized({ cpu: '200m', memory: '128Mi' }, { cpu: '200m', memory: '128Mi' }),
      'spec: Pod QOS Class may not change as a result of resizing',
    ],
    [
      'a request is taken away',
      BASE,
      podOf([
        {
          ...BASE.spec!.containers[0]!,
          resources: { requests: { memory: '64Mi', cpu: '100m' }, limits: { cpu: '200m' } },
        },
      ]),
      'spec.containers[0].resources.limits: resource limits cannot be removed',
    ],
    [
      'another resource changes',
      BASE,
      resized({ cpu: '100m', memory: '64Mi', 'ephemeral-storage': '1Gi' }, { cpu: '200m', memory: '128Mi' }),
      'spec: only cpu and memory resources are mutable',
    ],
    [
      'a request exceeds its limit',
      BASE,
      resized({ cpu: '300m', memory: '64Mi' }, { cpu: '200m', memory: '128Mi' }),
      'spec.containers[0].resources.requests: must be less than or equal to cpu limit of 200m',
    ],
    [
      'a container has another name',
      BASE,
      podOf([container('b', { cpu: '100m', memory: '64Mi' }, { cpu: '200m', memory: '128Mi' })]),
      'spec.containers[0].name: containers may not be renamed or reordered on resize',
    ],
    [
      'a container is added',
      BASE,
      podOf([...BASE.spec!.containers, container('b', { cpu: '1m' })]),
      'spec.containers: containers may not be added or removed on resize',
    ],
    [
      'an init container that ends is meant',
      podOf([container('a', { cpu: '100m' })], [container('i', { cpu: '100m' })]),
      podOf([container('a', { cpu: '100m' })], [container('i', { cpu: '200m' })]),
      'spec.initContainers[0].resources: resources for non-sidecar init containers are immutable',
    ],
  ] as const)
    it(`refuses when ${condition}`, () => assert.deepEqual(judge(old, wanted), [message]));

  it('allows a sidecar', () => {
    const sidecar = (cpu: string) => container('s', { cpu }, undefined, { restartPolicy: 'Always' });
    const main = container('a', { cpu: '100m' });
    assert.deepEqual(judge(podOf([main], [sidecar('100m')]), podOf([main], [sidecar('200m')])), []);
  });

  it('refuses pods that a node’s own files are the source of', () => {
    const mirror = { ...BASE, metadata: { ...BASE.metadata, annotations: { 'kubernetes.io/config.mirror': 'x' } } };
    assert.deepEqual(judge(mirror, mirror), [': static pods cannot be resized']);
  });

  it('wants policies that are known, once a resource, and no restart where nothing restarts', () => {
    const policy = (resourceName: string, restartPolicy: string) => ({ resourceName, restartPolicy });
    const of = (pod: Pod, ...resizePolicy: object[]): Pod => ({
      ...pod,
      spec: { ...pod.spec!, containers: pod.spec!.containers.map((c) => ({ ...c, resizePolicy }) as Container) },
    });
    const path = 'spec.containers[0].resizePolicy';
    assert.deepEqual(judge(BASE, of(BASE, policy('cpu', 'NotRequired'), policy('cpu', 'RestartContainer'))), [
      `${path}[1].resourceName: `,
    ]);
    assert.match(judge(BASE, of(BASE, policy('disk', 'NotRequired')))[0]!, /supported values: "cpu", "memory"/);
    assert.match(judge(BASE, of(BASE, policy('cpu', 'Maybe')))[0]!, /"NotRequired", "RestartContainer"/);
    const never: Pod = { ...BASE, spec: { ...BASE.spec!, restartPolicy: 'Never' } };
    assert.match(
      judge(never, of(never, policy('cpu', 'RestartContainer')))[0]!,
      /must be 'NotRequired' when `restartPolicy` is 'Never'/,
    );
  });
});
