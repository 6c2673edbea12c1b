import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LimitRange, LimitRangeItem, Pod, ResourceRequirements } from '#generated/api/core-v1.ts';
import { claimErrors, LimitRanger, podErrors, withDefaults } from './limitranger.ts';
import { makeAttributes } from './testing.ts';

const range = (item: Partial<LimitRangeItem>): LimitRange => ({
  metadata: { name: 'r', namespace: 'db' },
  spec: { limits: [{ type: 'Container', ...item }] },
});
const podOf = (...resources: (ResourceRequirements | undefined)[]): Pod => ({
  metadata: { name: 'web', namespace: 'db' },
  spec: { containers: resources.map((r, i) => ({ name: `c${i}`, ...(r === undefined ? {} : { resources: r }) })) },
});

describe('withDefaults', () => {
  const defaults = range({ default: { cpu: '500m', memory: '1Gi' }, defaultRequest: { cpu: '100m', memory: '256Mi' } });

  it('fills in what containers leave open and says so', () => {
    const pod = withDefaults(podOf({ requests: { cpu: '200m' } }), defaults);
    assert.deepEqual(pod.spec!.containers[0]!.resources, {
      limits: { cpu: '500m', memory: '1Gi' },
      requests: { cpu: '200m', memory: '256Mi' },
    });
    assert.equal(
      pod.metadata.annotations!['kubernetes.io/limit-ranger'],
      'LimitRanger plugin set: memory request for container c0; cpu, memory limit for container c0',
    );
  });

  it('changes nothing when everything is said', () => {
    const pod = podOf({ limits: { cpu: '1', memory: '1' }, requests: { cpu: '1', memory: '1' } });
    assert.equal(withDefaults(pod, defaults), pod);
  });
});

describe('podErrors', () => {
  const cases: { when: string; item: Partial<LimitRangeItem>; pod: Pod; errors: string[] }[] = [
    {
      when: 'the limit is too high',
      item: { max: { memory: '1Gi' } },
      pod: podOf({ limits: { memory: '2Gi' } }),
      errors: ['maximum memory usage per Container is 1Gi, but limit is 2147483648'],
    },
    {
      when: 'no limit is said under a maximum',
      item: { max: { cpu: '1' } },
      pod: podOf({}),
      errors: ['maximum cpu usage per Container is 1.  No limit is specified'],
    },
    {
      when: 'the request is too low',
      item: { min: { cpu: '100m' } },
      pod: podOf({ requests: { cpu: '50m' } }),
      errors: ['minimum cpu usage per Container is 100m, but request is 50m'],
    },
    {
      when: 'no request is said over a minimum',
      item: { min: { cpu: '100m' } },
      pod: podOf({}),
      errors: ['minimum cpu usage per Container is 100m.  No request is specified'],
    },
    {
      when: 'everything fits',
      item: { min: { cpu: '100m' }, max: { cpu: '1' } },
      pod: podOf({ requests: { cpu: '100m' }, limits: { cpu: '1' } }),
      errors: [],
    },
    {
      when: 'the containers together ask too much',
      item: { type: 'Pod', max: { cpu: '1' } },
      pod: podOf({ limits: { cpu: '600m' } }, { limits: { cpu: '600m' } }),
      errors: ['maximum cpu usage per Pod is 1, but limit is 1200m'],
    },
    {
      when: 'the limit is too far above the request',
      item: { maxLimitRequestRatio: { cpu: '2' } },
      pod: podOf({ requests: { cpu: '100m' }, limits: { cpu: '300m' } }),
      errors: ['cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000'],
    },
  ];
  for (const { when, item, pod, errors } of cases) {
    it(`finds ${errors.length} when ${when}`, () => assert.deepEqual(podErrors(pod, range(item)), errors));
  }
});

describe('claimErrors', () => {
  const item = range({ type: 'PersistentVolumeClaim', min: { storage: '1Gi' }, max: { storage: '10Gi' } });
  const claim = (storage: string) => ({ metadata: { name: 'c' }, spec: { resources: { requests: { storage } } } });
  for (const [storage, errors] of [
    ['5Gi', []],
    ['500Mi', ['minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 500Mi']],
    ['20Gi', ['maximum storage usage per PersistentVolumeClaim is 10Gi, but request is 20Gi']],
  ] as const) {
    it(`finds ${errors.length} for a claim of ${storage}`, () =>
      assert.deepEqual(claimErrors(claim(storage), item), errors));
  }
});

describe('LimitRanger', () => {
  it('looks at new pods and at resized ones', () => {
    const plugin = new LimitRanger({ limitRanges: { listNamespace: () => [] } } as never);
    const handles = (operation: 'CREATE' | 'UPDATE', subresource: string) =>
      plugin.handles(operation, '', 'pods', subresource);
    assert.deepEqual(
      [handles('CREATE', ''), handles('UPDATE', 'resize'), handles('UPDATE', ''), handles('UPDATE', 'status')],
      [true, true, false, false],
    );
  });

  it('refuses in upstream words', () => {
    const plugin = new LimitRanger({ limitRanges: { listNamespace: () => [range({ max: { memory: '1Gi' } })] } });
    assert.throws(
      () => plugin.validate(makeAttributes({ resource: 'pods', object: podOf({ limits: { memory: '2Gi' } }) })),
      /^StatusError: pods "web" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2147483648$/,
    );
  });
});
