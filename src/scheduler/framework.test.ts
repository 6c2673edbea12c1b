import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SeededRandom } from '#base/random.ts';
import { snapshotOf } from './cache.ts';
import { type ListedPlugin, type Plugin, rejectForGood } from './framework.ts';
import { makeNodeInfo } from './node-info.ts';
import { makePodInfo } from './pod-info.ts';
import { schedule } from './schedule.ts';
import { makeNode, makePod } from './testing.ts';

const snapshot = snapshotOf(['a', 'b', 'c'].map((name) => makeNodeInfo(makeNode({ name }), [])));
const run = (...plugins: readonly ListedPlugin[]) =>
  schedule(makePodInfo(makePod()), snapshot, { plugins, random: new SeededRandom(1), start: 0 });
const listed = (plugin: Plugin<any, any>, weight = 0): ListedPlugin => ({ plugin, weight });

describe('extension points of the scheduling cycle', () => {
  it('are called in order, each with the state of the one before', () => {
    const calls: string[] = [];
    const decision = run(
      listed(
        {
          name: 'Recording',
          preFilter: () => {
            calls.push('preFilter');
            return { state: 'filter state', nodeNames: new Set(['a', 'b']) };
          },
          filter: (state, _pod, node) => {
            calls.push(`filter ${node.name} with ${state}`);
            return undefined;
          },
          preScore: (_pod, _snapshot, feasible) => {
            calls.push(`preScore of ${feasible.map((n) => n.name).toSorted()}`);
            return 'score state';
          },
          score: (state, _pod, node) => {
            calls.push(`score ${node.name} with ${state}`);
            return node.name === 'b' ? 7 : 3;
          },
          normalize: (scores, state) => {
            calls.push(`normalize ${scores.toSorted()} with ${state}`);
            return scores.map((s) => s * 10);
          },
        },
        1,
      ),
    );
    assert.equal(decision.kind === 'placed' && decision.node, 'b');
    assert.equal(calls[0], 'preFilter');
    assert.deepEqual(calls.filter((c) => c.startsWith('filter')).toSorted(), [
      'filter a with filter state',
      'filter b with filter state',
    ]);
    assert.deepEqual(
      calls.slice(3).map((c) => c.split(' ')[0]),
      ['preScore', 'score', 'score', 'normalize'],
    );
    assert.equal(calls.at(-1), 'normalize 3,7 with score state');
  });

  it('preFilter that skips takes the plugin’s filter out; the first filter that rejects a node counts', () => {
    const reject = (name: string, why: string): Plugin => ({ name, filter: () => rejectForGood(why) });
    const skip = true;
    const skipped: Plugin = {
      name: 'Skipped',
      preFilter: () => ({ skip }),
      filter: () => rejectForGood('never'),
    };
    const decision = run(listed(skipped), listed(reject('First', 'one')), listed(reject('Second', 'two')));
    assert.ok(decision.kind !== 'placed');
    assert.deepEqual(
      [...decision.failure.rejections.values()].map((r) => r.plugin),
      ['First', 'First', 'First'],
    );
  });

  it('score is weighed by the place in the list', () => {
    const prefers = (name: string, node: string): Plugin => ({
      name: `Prefers${name}`,
      preScore: () => 'state',
      score: (_state, _pod, n) => (n.name === node ? 60 : 0),
    });
    const decision = run(listed(prefers('A', 'a'), 1), listed(prefers('C', 'c'), 2));
    assert.equal(decision.kind === 'placed' && decision.node, 'c');
  });
});
