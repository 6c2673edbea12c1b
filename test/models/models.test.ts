// `coracle why` on generated clusters, against the second walker. A difference is shown with the smallest model that has it.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { answerTo, describeModel, differenceIn, shrink } from './compare.ts';
import { generate } from './generate.ts';
import { allows, inside } from './policies.ts';

const LONG = process.env['CORACLE_LONG'] === '1';
/** New ones each day, the same all day: a failure can be repeated by its seed. */
const DAY = Math.floor(Date.now() / 86_400_000);
const FIXED = LONG ? 20_000 : 2_000;
const FRESH = LONG ? 20_000 : 1_000;

describe('explain on generated clusters', () => {
  const agrees = (from: number, count: number) => {
    const differences: string[] = [];
    for (let seed = from; seed < from + count && differences.length < 3; seed++) {
      const model = generate(seed);
      if (differenceIn(model) === undefined) continue;
      const small = shrink(model);
      differences.push(`seed ${seed}: ${differenceIn(small)}\n${describeModel(small)}`);
    }
    assert.equal(differences.join('\n\n'), '');
  };
  it('names the link at which the walker ends, on the seeds that everybody has', () => agrees(0, FIXED));
  it('names the link at which the walker ends, on the seeds of the day', () => agrees(DAY * 100_000, FRESH));
});

describe('generate', () => {
  it('makes clusters in which each link of the way is where some connection ends, and many connect', () => {
    const seen = new Map<string, number>();
    for (let seed = 0; seed < 1_500; seed++) {
      const answer = answerTo(generate(seed));
      for (const key of answer.kind === 'fails' ? answer.links : [answer.kind]) seen.set(key, (seen.get(key) ?? 0) + 1);
    }
    const links = ['position', 'name', 'address', 'service', 'endpoint', 'egress-policy', 'load-balancer'];
    for (const key of [...links, 'ingress-policy', 'pod', 'listener']) assert.ok((seen.get(key) ?? 0) >= 3, key);
    assert.ok(seen.get('connects')! > 200, `${seen.get('connects')} connect`);
    // Where the documentation says nothing, there is nothing to compare.
    assert.ok(seen.get('open')! < 100, `${seen.get('open')} are left open`);
  });
});

describe('the walker’s policies', () => {
  // Its own reading is checked against sentences of the documentation, so that it is no second guess.
  const model = { ...generate(1), policies: [] };
  const [api] = model.pods;
  const web = model.pods.find((p) => p.object.metadata.name === 'web')!;
  const isolated = (ingress: object[]) => ({
    ...model,
    policies: [
      {
        metadata: { name: 'p', namespace: web.object.metadata.namespace! },
        spec: { podSelector: {}, policyTypes: ['Ingress'], ingress },
      },
    ],
  });
  const from = { pod: api!.object, ip: '10.244.1.10' };
  const ask = (ingress: object[], port = 8080) => allows(isolated(ingress), 'Ingress', web.object, from, port, 'TCP');

  it('lets everything through that no policy selects', () =>
    assert.ok(allows(model, 'Ingress', web.object, from, 1, 'TCP')));
  it('lets nothing through where no rule stands', () => assert.equal(ask([]), false));
  it('lets everything through where an empty rule stands', () => assert.ok(ask([{}])));
  it('takes a range of ports with both ends', () => {
    const rule = [{ ports: [{ port: 8000, endPort: 8080 }] }];
    assert.deepEqual([ask(rule, 8000), ask(rule, 8080), ask(rule, 8081)], [true, true, false]);
  });
  it('takes one element with two selectors as both, two elements as either', () => {
    const pods = { podSelector: { matchLabels: { app: 'api' } } };
    const places = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'nowhere' } } };
    assert.equal(ask([{ from: [{ ...pods, ...places }] }]), false);
    assert.equal(ask([{ from: [places, { ...pods, namespaceSelector: {} }] }]), true);
  });
  it('leaves the exceptions of a block out', () => {
    const block = (except: string[]) => [{ from: [{ ipBlock: { cidr: '10.244.0.0/16', except } }] }];
    assert.deepEqual([ask(block([])), ask(block(['10.244.1.0/24']))], [true, false]);
    assert.ok(inside('10.244.1.10', '10.244.1.10/32'));
  });
});
