import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod } from '#generated/api/core-v1.ts';
import { formatTime } from '#machinery/time.ts';
import {
  averageReplicas,
  groupPods,
  isWithin,
  type PodMetric,
  sharedReplicas,
  type Targets,
  utilizationReplicas,
  wholeReplicas,
} from './calculator.ts';

const NOW = 3_600_000;

interface Parts {
  readonly phase?: string;
  readonly ready?: boolean;
  /** Seconds before now. */
  readonly started?: number;
  readonly changed?: number;
  readonly request?: string;
  readonly leaving?: boolean;
}

function pod(name: string, parts: Parts = {}): Pod {
  const { phase = 'Running', ready = true, started = 3000, changed = 2990, request = '100m', leaving } = parts;
  return {
    metadata: { name, ...(leaving === true ? { deletionTimestamp: formatTime(NOW) } : {}) },
    spec: { containers: [{ name: 'c', resources: request === '' ? {} : { requests: { cpu: request } } }] },
    status: {
      phase,
      startTime: formatTime(NOW - started * 1000),
      conditions: [
        { type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: formatTime(NOW - changed * 1000) },
      ],
    },
  };
}

const reading = (value: number, ageSeconds = 0): PodMetric => ({
  value,
  atMs: NOW - ageSeconds * 1000,
  windowMs: 15_000,
});
const readings = (...values: readonly (number | undefined)[]) =>
  new Map(values.flatMap((value, i) => (value === undefined ? [] : [[`p${i}`, reading(value)] as const])));
const three = [pod('p0'), pod('p1'), pod('p2')];

const targets = (pods: readonly Pod[], replicas = pods.length): Targets => ({
  pods,
  replicas,
  tolerances: { up: 0.1, down: 0.1 },
  readiness: { cpuInitializationPeriodMs: 300_000, initialReadinessDelayMs: 30_000 },
  nowMs: NOW,
});

describe('groupPods', () => {
  for (const [condition, parts, metric, group] of [
    ['it is old and ready', {}, reading(1), 'ready'],
    ['it is leaving', { leaving: true }, reading(1), 'ignored'],
    ['it failed', { phase: 'Failed' }, reading(1), 'ignored'],
    ['it is pending', { phase: 'Pending' }, undefined, 'unready'],
    ['it has no reading', {}, undefined, 'missing'],
    ['it is young and not ready', { started: 60, ready: false, changed: 60 }, reading(1), 'unready'],
    ['it is young and measured before it was ready', { started: 60, changed: 10 }, reading(1), 'unready'],
    ['it is young and measured since it is ready', { started: 60, changed: 30 }, reading(1), 'ready'],
    ['it is old and was ready once', { ready: false, changed: 100 }, reading(1), 'ready'],
    ['it is old and was never ready', { ready: false, changed: 2990 }, reading(1), 'unready'],
  ] as const) {
    it(`counts a pod as ${group} when ${condition}`, () => {
      const metrics = new Map(metric === undefined ? [] : [['p', metric]]);
      const { ready, ...sets } = groupPods(targets([pod('p', parts)]), metrics, true);
      const found = ready === 1 ? 'ready' : Object.entries(sets).find(([, set]) => set.has('p'))![0];
      assert.equal(found, group);
    });
  }
});

describe('utilizationReplicas', () => {
  for (const [condition, pods, metrics, target, expected] of [
    ['all use twice the target', three, readings(100, 100, 100), 50, 6],
    ['all use half the target', three, readings(25, 25, 25), 50, 2],
    ['within tolerance', three, readings(54, 54, 54), 50, 3],
    ['just beyond tolerance', three, readings(56, 56, 56), 50, 4],
    ['a missing one counts as nothing on the way up', three, readings(100, 100, undefined), 50, 4],
    ['a missing one counts as full on the way down', three, readings(10, 10, undefined), 50, 3],
    ['a missing one would turn the direction', three, readings(60, 60, undefined), 50, 3],
    [
      'an unready one counts as nothing on the way up',
      [...three, pod('p3', { phase: 'Pending' })],
      readings(200, 200, 200),
      50,
      12,
    ],
    [
      'an unready one does not count on the way down',
      [pod('p0'), pod('p1', { started: 60, ready: false, changed: 60 })],
      readings(10, 90),
      50,
      1,
    ],
    ['a leaving one does not count at all', [pod('p0'), pod('p1', { leaving: true })], readings(100, 1), 50, 2],
  ] as const) {
    it(`proposes ${expected} when ${condition}`, () => {
      assert.equal(utilizationReplicas(targets(pods), metrics, 'cpu', target).replicas, expected);
    });
  }

  it('tells utilization and average use', () => {
    const { utilization, usage } = utilizationReplicas(targets(three), readings(30, 60, 61), 'cpu', 50);
    assert.deepEqual([utilization, usage], [50, 50]);
  });

  for (const [message, pods, metrics] of [
    ['no pods returned by selector while calculating replica count', [], readings(1)],
    ['did not receive metrics for targeted pods (pods might be unready)', three, readings()],
    ['missing request for cpu in container c of Pod p0', [pod('p0', { request: '' })], readings(1)],
  ] as const) {
    it(`fails with "${message}"`, () => {
      assert.throws(() => utilizationReplicas(targets(pods), metrics, 'cpu', 50), { message });
    });
  }
});

describe('averageReplicas', () => {
  it('compares the average with the target', () => {
    assert.deepEqual(averageReplicas(targets(three), readings(20_000, 30_000, 40_000), '', 10_000), {
      replicas: 9,
      usage: 30_000,
    });
  });
  it('takes a missing pod as on target on the way down', () => {
    assert.equal(averageReplicas(targets(three), readings(1_000, 1_000, undefined), '', 10_000).replicas, 2);
  });
});

describe('wholeReplicas', () => {
  it('multiplies the ready pods', () => {
    const pods = [...three, pod('p3', { ready: false })];
    assert.deepEqual(wholeReplicas(targets(pods), 20_000, 10_000), { usage: 20_000, replicas: 6 });
  });
});

describe('sharedReplicas', () => {
  it('divides the value among the pods', () => {
    assert.deepEqual(sharedReplicas(3, { up: 0.1, down: 0.1 }, 100_000, 20_000), { usage: 33_334, replicas: 5 });
    assert.equal(sharedReplicas(5, { up: 0.1, down: 0.1 }, 101_000, 20_000).replicas, 5);
  });
});

describe('isWithin', () => {
  it('knows two sides', () => {
    const tolerances = { up: 0, down: 0.5 };
    assert.deepEqual(
      [0.4, 0.5, 1, 1.01].map((ratio) => isWithin(ratio, tolerances)),
      [false, true, true, false],
    );
  });
});
