import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod, Probe } from '#generated/api/core-v1.ts';
import { SteppedClock } from '#base/clock.ts';
import { SeededRandom } from '#base/random.ts';
import { type Runtime, RuntimeError } from '../cri/runtime.ts';
import { Limiter } from '../limiter.ts';
import type { AnyContainer } from '../pods/containers.ts';
import type { RuntimeContainer } from '../pods/runtime-pod.ts';
import { Probes } from './probes.ts';

const exec = (what: string, more: Partial<Probe> = {}): Probe => ({
  exec: { command: [what] },
  periodSeconds: 1,
  ...more,
});

function bed(container: Partial<AnyContainer>) {
  const clock = new SteppedClock();
  const asked: string[] = [];
  const events: string[] = [];
  /** Command → exit code, or an error of the runtime. */
  const answers = new Map<string, number | RuntimeError>();
  const runtime = {
    execSync: async (_id: string, command: readonly string[]) => {
      asked.push(command[0]!);
      const answer = answers.get(command[0]!) ?? 0;
      if (answer instanceof RuntimeError) throw answer;
      return { exitCode: answer, stdout: Buffer.from('said'), stderr: Buffer.alloc(0) };
    },
  } as unknown as Runtime;
  const changes: string[] = [];
  const probes = new Probes({
    runtime,
    clock,
    random: new SeededRandom(1),
    events: { event: (_pod, _ref, _type, _reason, message) => void events.push(message) },
    limiter: new Limiter(4),
    onChange: (uid) => void changes.push(uid),
  });
  const pod = { metadata: { name: 'p', namespace: 'default', uid: 'u' } } as Pod;
  const running = { id: 'id', startedAtMs: clock.now() } as RuntimeContainer;
  probes.watch(pod, { name: 'c', ...container } as AnyContainer, running, '192.0.2.1');
  return { clock, probes, answers, asked, events, changes };
}

describe('Probes', () => {
  it('readiness: not ready until the exec probe passes as often as asked, and not ready after it failed as often', async () => {
    const { clock, probes, answers } = bed({
      readinessProbe: exec('ready', { initialDelaySeconds: 5, successThreshold: 2, failureThreshold: 2 }),
    });
    await clock.step(4999);
    assert.equal(probes.isReady('id'), false);
    await clock.step(10); // first success
    assert.equal(probes.isReady('id'), false);
    await clock.step(1000);
    assert.equal(probes.isReady('id'), true);
    answers.set('ready', 1);
    await clock.step(1000);
    assert.equal(probes.isReady('id'), true);
    await clock.step(1000);
    assert.equal(probes.isReady('id'), false);
    assert.equal(probes.failed('id'), undefined);
    probes.stop();
  });

  it('liveness: fails the container at the threshold, says so in upstream’s words, and asks no more', async () => {
    const { clock, probes, answers, asked, events, changes } = bed({ livenessProbe: exec('alive') });
    answers.set('alive', 1);
    await clock.step(1500);
    assert.equal(probes.failed('id'), undefined);
    await clock.step(1000);
    assert.equal(probes.failed('id'), 'livenessProbe');
    assert.deepEqual(changes, ['u']);
    assert.deepEqual([...new Set(events)], ['Liveness probe failed: said']);
    await clock.step(5000);
    assert.equal(asked.length, 3);
    probes.stop();
  });

  it('startup: the others wait for it, it is asked no more once it passed, and fails the container when it does not', async () => {
    const { clock, probes, answers, asked } = bed({
      startupProbe: exec('started', { failureThreshold: 10 }),
      livenessProbe: exec('alive'),
      readinessProbe: exec('ready'),
    });
    answers.set('started', 1);
    await clock.step(3500);
    assert.deepEqual([...new Set(asked)], ['started']);
    assert.equal(probes.isStarted('id'), false);
    answers.set('started', 0);
    await clock.step(3000);
    assert.equal(probes.isStarted('id'), true);
    assert.equal(probes.isReady('id'), true);
    const before = asked.filter((a) => a === 'started').length;
    await clock.step(3000);
    assert.equal(asked.filter((a) => a === 'started').length, before);
    probes.stop();

    const other = bed({ startupProbe: exec('started', { failureThreshold: 2 }) });
    other.answers.set('started', 1);
    await other.clock.step(1500);
    assert.equal(other.probes.failed('id'), 'startupProbe');
    other.probes.stop();
  });

  it('a command that does not end in time has failed; a runtime that is away says nothing', async () => {
    const { clock, probes, answers, events } = bed({ livenessProbe: exec('alive', { failureThreshold: 1 }) });
    answers.set('alive', new RuntimeError('UNAVAILABLE', 'away'));
    await clock.step(3500);
    assert.equal(probes.failed('id'), undefined);
    answers.set('alive', new RuntimeError('DEADLINE_EXCEEDED', 'late'));
    await clock.step(1000);
    assert.equal(probes.failed('id'), 'livenessProbe');
    assert.deepEqual(events, ['Liveness probe failed: command timed out: "alive" timed out after 1s']);
    probes.stop();
  });

  it('a terminating pod is asked for readiness only', async () => {
    const { clock, probes, asked } = bed({ livenessProbe: exec('alive'), readinessProbe: exec('ready') });
    await clock.step(1500);
    probes.podTerminating('u');
    asked.length = 0;
    await clock.step(2000);
    assert.deepEqual([...new Set(asked)], ['ready']);
    probes.stop();
  });
});
