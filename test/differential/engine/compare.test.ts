import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AREAS } from '../areas.ts';
import { causeOf, differences } from './compare.ts';
import { Normaliser, RULES } from './normalise.ts';
import { readRecorded } from './recorded.ts';

/** Of each area: enough to have every kind of answer, few enough to alter each of their fields. */
const SAMPLES = 60;
/** Texts of which nothing is compared, whatever they say. */
const NOT_COMPARED: readonly string[] = ['<description>', '<build>'];
const OTHER_UID = '6f0a3c1e-1111-4222-8333-444455556666';

describe('the comparison', () => {
  it('notices any single field of a recorded answer that is altered, added or taken away', () => {
    let altered = 0;
    for (const area of AREAS) {
      const recorded = [...readRecorded(area.name).values()];
      const every = Math.max(1, Math.floor(recorded.length / SAMPLES));
      for (const { answers } of recorded.filter((_, i) => i % every === 0)) {
        // What Coracle would have sent goes through the normaliser, which must not hide the change.
        assert.deepEqual(differences(answers, renormalised(answers)), []);
        for (const { path, change, value } of alterations(answers)) {
          const found = differences(answers, renormalised(value));
          assert.notEqual(found.length, 0, `${change} ${path.join('.')} of ${JSON.stringify(answers).slice(0, 300)}`);
          altered++;
        }
      }
    }
    assert.ok(altered > 1_000, `only ${altered} alterations`);
  });

  it('has no order of keys, and an order of lists', () => {
    assert.deepEqual(differences({ a: 1, b: 2 }, { b: 2, a: 1 }), []);
    assert.equal(differences([1, 2], [2, 1]).length, 2);
  });

  it('tells an absent member from null, and 1 from "1"', () => {
    assert.equal(differences({ a: null }, {}).length, 1);
    assert.equal(differences({ a: 1 }, { a: '1' }).length, 1);
  });

  it('puts the status before headers and body', () => {
    const [first] = differences(
      [{ body: 1, headers: {}, status: 200 }],
      [{ body: 2, headers: { a: '' }, status: 201 }],
    );
    assert.deepEqual(first!.path, ['0', 'status']);
  });

  it('groups by what differs, whatever the kind, the names and the numbers', () => {
    const of = (kind: string, name: string) =>
      causeOf({ path: ['3', 'body', 'message'], reference: `${kind} "${name}" not found`, coracle: '' }, [kind]);
    assert.equal(of('pods', 'a'), of('services', 'b'));
  });
});

describe('Normaliser', () => {
  const normalised = (value: unknown, sent = '') =>
    new Normaliser({ nowMs: () => Date.parse('2030-01-01T00:00:00Z'), host: '127.0.0.1:1', sent }).json(
      JSON.stringify(value),
    );
  const object = (metadata: object, more: object = {}) => ({ kind: 'Service', apiVersion: 'v1', metadata, ...more });

  it('replaces what differs by nature only where it looks like it', () => {
    const good = object({ uid: OTHER_UID, resourceVersion: '12', creationTimestamp: '2030-01-01T00:00:03Z' });
    assert.deepEqual(normalised(good), {
      ...good,
      metadata: { uid: '<uid 1>', resourceVersion: '<resourceVersion 1>', creationTimestamp: '<now>' },
    });
    for (const bad of [
      object({ uid: 'x' }),
      object({ uid: OTHER_UID.toUpperCase() }),
      object({ resourceVersion: '0' }),
      object({ resourceVersion: 'a' }),
      object({ creationTimestamp: null }),
      object({ creationTimestamp: '2029-01-01T00:00:03Z' }),
      object({ name: 'a', generateName: 'b-' }),
      object({ name: 'b-aaaaa', generateName: 'b-' }),
    ])
      assert.deepEqual(normalised(bad), bad);
  });

  it('tells two uids and a resource version that changed', () => {
    const list = { kind: 'List', items: [object({ uid: OTHER_UID }), object({ uid: OTHER_UID.replace('6', '7') })] };
    const { items } = normalised(list) as typeof list;
    assert.deepEqual(
      items.map((i) => (i.metadata as { uid: string }).uid),
      ['<uid 1>', '<uid 2>'],
    );
  });

  it('keeps addresses and ports that were asked for', () => {
    const service = object({}, { spec: { clusterIP: '10.96.0.77', ports: [{ nodePort: 30123 }] } });
    assert.deepEqual(
      normalised(service),
      object({}, { spec: { clusterIP: '<clusterIP>', ports: [{ nodePort: '<nodePort>' }] } }),
    );
    assert.deepEqual(normalised(service, '{"clusterIP":"10.96.0.77","nodePort":30123}'), service);
  });

  it('never touches messages, reasons and causes, but for ids of the case and the store’s newest revision', () => {
    const status = {
      kind: 'Status',
      metadata: {},
      message: 'services "a" not found at 2029-01-01T00:00:00Z 10.96.0.77 30123 77',
      reason: 'NotFound',
      details: { causes: [{ reason: 'x', message: `${OTHER_UID}`, field: 'metadata.uid' }] },
    };
    assert.deepEqual(normalised(status, '{"clusterIP":"10.96.0.77"}'), status);
    assert.ok(RULES.every((r) => !/message|reason|causes/.test(r.path)));
  });

  it('replaces in messages what the case was given: its uids, allocated addresses, generated names, times of now', () => {
    const normaliser = new Normaliser({
      nowMs: () => Date.parse('2030-01-01T00:00:00Z'),
      host: '',
      sent: '{"generateName":"a-"}',
    });
    const json = (value: unknown) => normaliser.json(JSON.stringify(value));
    json(object({ uid: OTHER_UID, name: 'a-bcdfg', generateName: 'a-' }));
    const message = `a-bcdfg with ${OTHER_UID} has 10.97.1.2 since 2030-01-01T00:00:01Z`;
    assert.deepEqual(json({ kind: 'Status', message }), {
      kind: 'Status',
      message: 'a-<suffix> with <uid 1> has <clusterIP> since <now>',
    });
  });
});

/** What a server would have to send for this record, sent through the normaliser again: placeholders stay what they are. */
function renormalised(answers: unknown): unknown {
  if (!Array.isArray(answers)) return answers;
  // Addresses and ports that were left in the record had been asked for.
  const sent = [...JSON.stringify(answers).matchAll(/\d[\d.]+/g)].map((m) => `"${m[0]}"`).join();
  const normaliser = new Normaliser({ nowMs: () => Date.now(), host: '127.0.0.1:1', sent });
  const again = (value: unknown) => normaliser.json(JSON.stringify(value));
  return answers.map((answer: unknown) => {
    if (typeof answer !== 'object' || answer === null) return answer;
    const { body, events, ...rest } = answer as { body?: unknown; events?: unknown };
    return {
      ...rest,
      ...(body === undefined ? {} : { body: again(body) }),
      ...(events === undefined ? {} : { events: Array.isArray(events) ? events.map(again) : events }),
    };
  });
}

interface Alteration {
  readonly path: readonly string[];
  readonly change: string;
  readonly value: unknown;
}

/** The value with one leaf changed, one member taken away or one added, each in turn. */
function* alterations(value: unknown, path: readonly string[] = []): Iterable<Alteration> {
  if (typeof value === 'string' && NOT_COMPARED.includes(value)) return;
  if (typeof value !== 'object' || value === null) {
    yield { path, change: 'altered', value: other(value) };
    return;
  }
  const isList = Array.isArray(value);
  for (const [key, member] of Object.entries(value)) {
    const rest = isList
      ? value.toSpliced(Number(key), 1)
      : Object.fromEntries(Object.entries(value).filter(([k]) => k !== key));
    yield { path: [...path, key], change: 'taken away', value: rest };
    for (const inner of alterations(member, [...path, key]))
      yield { ...inner, value: isList ? value.with(Number(key), inner.value) : { ...value, [key]: inner.value } };
  }
  yield { path, change: 'added to', value: isList ? [...value, 'more'] : { ...value, 'one-more': 1 } };
}

const other = (leaf: unknown): unknown =>
  typeof leaf === 'number' ? leaf + 1 : typeof leaf === 'boolean' ? !leaf : typeof leaf === 'string' ? `${leaf}x` : 0;
