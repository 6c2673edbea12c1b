import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod } from '#generated/api/core-v1.ts';
import { events, pods } from '#generated/resources.ts';
import { SteppedClock, settle } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { SeededRandom } from '#base/random.ts';
import { StatusError } from '#machinery/status.ts';
import { QueuedEventRecorder } from './events.ts';
import { createClient } from './rest-client.ts';
import { TestApi } from './testing.ts';
import { createInProcessTransport } from './transports/in-process.ts';

const pod: Pod = { metadata: { namespace: 'db', name: 'postgres-0', uid: 'u1', resourceVersion: '7' } };

async function setUp() {
  const api = new TestApi();
  const clock = new SteppedClock(Date.UTC(2026, 3, 1, 12));
  const client = createClient({
    transport: createInProcessTransport(api.exchange, { name: 'tester', groups: [] }),
    clock,
    userAgent: 'test/1',
  });
  const recorder = new QueuedEventRecorder(
    { client, clock, random: new SeededRandom(1), log: silentLog },
    { component: 'kubelet', host: 'node-1' },
  );
  await recorder.start();
  const recorded = () => api.all(events).map((e) => [e.reason, e.message, e.count]);
  return { api, clock, recorder, recorded };
}

describe('EventRecorder', () => {
  it('writes an event as upstream does', async () => {
    const { api, recorder } = await setUp();
    recorder.event(pod, pods, 'Normal', 'Started', 'Started container', { fieldPath: 'spec.containers{db}' });
    await settle();
    const [event] = api.all(events);
    const { metadata, ...rest } = event!;
    assert.equal(metadata.namespace, 'db');
    assert.match(metadata.name!, /^postgres-0\.[0-9a-f]{16}$/);
    assert.deepEqual(rest, {
      apiVersion: 'v1',
      kind: 'Event',
      involvedObject: {
        kind: 'Pod',
        namespace: 'db',
        name: 'postgres-0',
        uid: 'u1',
        apiVersion: 'v1',
        resourceVersion: '7',
        fieldPath: 'spec.containers{db}',
      },
      reason: 'Started',
      message: 'Started container',
      source: { component: 'kubelet', host: 'node-1' },
      firstTimestamp: '2026-04-01T12:00:00Z',
      lastTimestamp: '2026-04-01T12:00:00Z',
      count: 1,
      type: 'Normal',
      reportingComponent: 'kubelet',
      reportingInstance: 'node-1',
    });
    await recorder.stop();
  });

  it('counts equal events in one object', async () => {
    const { api, clock, recorder, recorded } = await setUp();
    for (let i = 0; i < 3; i++) {
      recorder.event(pod, pods, 'Warning', 'BackOff', 'Back-off restarting failed container');
      await clock.step(10_000);
    }
    assert.deepEqual(recorded(), [['BackOff', 'Back-off restarting failed container', 3]]);
    assert.equal(api.all(events)[0]!.firstTimestamp, '2026-04-01T12:00:00Z');
    assert.equal(api.all(events)[0]!.lastTimestamp, '2026-04-01T12:00:20Z');
    await recorder.stop();
  });

  it('begins a new object when the counted one has expired', async () => {
    const { api, recorder, recorded } = await setUp();
    recorder.event(pod, pods, 'Normal', 'Pulled', 'ok');
    await settle();
    api.remove(events, `db/${api.all(events)[0]!.metadata.name}`);
    recorder.event(pod, pods, 'Normal', 'Pulled', 'ok');
    await settle();
    assert.deepEqual(recorded(), [['Pulled', 'ok', 1]]);
    await recorder.stop();
  });

  it('combines many different messages about the same thing', async () => {
    const { recorder, recorded } = await setUp();
    for (let i = 1; i <= 14; i++) recorder.event(pod, pods, 'Warning', 'Failed', `try ${i}`);
    await settle();
    assert.equal(recorded().length, 11);
    assert.deepEqual(recorded().at(-1), ['Failed', '(combined from similar events): try 14', 4]);
    await recorder.stop();
  });

  it('cuts off a flood about one object and lets one in five minutes through', async () => {
    const { clock, recorder, recorded } = await setUp();
    const total = () => recorded().reduce((sum, [, , count]) => sum + (count as number), 0);
    for (let i = 0; i < 100; i++) recorder.event(pod, pods, 'Warning', 'Same', 'same');
    await clock.step(1);
    assert.equal(total(), 25);
    await clock.step(300_000);
    recorder.event(pod, pods, 'Warning', 'Same', 'same');
    recorder.event(pod, pods, 'Warning', 'Same', 'same');
    await settle();
    assert.equal(total(), 26);
    await recorder.stop();
  });

  it('keeps events while the server is away, and gives up what it refuses', async () => {
    const { api, clock, recorder, recorded } = await setUp();
    let answer = StatusError.serviceUnavailable('away');
    api.intercept = () => ({ status: answer.code, headers: {}, body: Buffer.from(JSON.stringify(answer.toStatus())) });
    recorder.event(pod, pods, 'Normal', 'Kept', 'kept');
    await clock.step(20_000);
    api.intercept = undefined;
    await clock.step(20_000);
    assert.deepEqual(recorded(), [['Kept', 'kept', 1]]);
    answer = StatusError.forbidden({ resource: 'events' }, '', 'namespace is being terminated');
    api.intercept = () => ({ status: answer.code, headers: {}, body: Buffer.from(JSON.stringify(answer.toStatus())) });
    api.requests.length = 0;
    recorder.event(pod, pods, 'Normal', 'Refused', 'refused');
    await clock.step(60_000);
    assert.equal(api.requests.length, 1);
    await recorder.stop();
  });
});
