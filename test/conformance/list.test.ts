import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { areaOf, chooseTests, focusOf, parseList, readList, runsAlone } from './list.ts';

const SMALL = parseList(
  [
    'api\tapimachinery/watch\t[sig-api-machinery] Watchers should observe an object deletion',
    'ctrl\tapps/cronjob\t[sig-apps] CronJob should support CronJob API operations [Serial]',
    'run\tcommon/node/pods\t[sig-node] Pods should be updated [NodeConformance]',
    'run\tcommon/node/pods\t[sig-node] Pods should be updated (twice) [NodeConformance]',
  ].join('\n'),
);

describe('readList', () => {
  const all = readList();
  const count = (c: string) => all.filter((t) => t.class === c).length;

  it('has the 446 tests, each once', () => {
    assert.deepEqual([count('api'), count('ctrl'), count('run')], [105, 46, 295]);
    assert.equal(new Set(all.map((t) => t.name)).size, 446);
  });

  it('knows the 29 that must be alone', () => assert.equal(all.filter(runsAlone).length, 29));

  it('has an area for each', () =>
    assert.deepEqual(
      all.filter((t) => !/^sig-[a-z-]+ [a-z]+(\/[a-z_]+)+$/.test(areaOf(t))),
      [],
    ));
});

describe('parseList', () => {
  it('refuses a class that does not exist', () => assert.throws(() => parseList('ran\tx/y\t[sig-x] a'), /not a line/));
});

describe('chooseTests', () => {
  const chosen = (choice: Parameters<typeof chooseTests>[1]) => chooseTests(SMALL, choice).map((t) => SMALL.indexOf(t));
  for (const [name, choice, expected] of [
    ['takes all', {}, [0, 1, 2, 3]],
    ['takes several classes', { class: 'api,ctrl' }, [0, 1]],
    ['takes names that match the focus', { focus: 'Watchers|twice' }, [0, 3]],
    ['takes files that match the focus', { focus: '^common/node/' }, [2, 3]],
    ['leaves out what is skipped', { class: 'run', skip: 'twice' }, [2]],
  ] as const)
    it(name, () => assert.deepEqual(chosen(choice), expected));

  it('refuses an unknown class', () => assert.throws(() => chosen({ class: 'apis' }), /api, ctrl, run or all/));
});

describe('focusOf', () => {
  it('matches the tests it was made of and none whose name they begin', () => {
    const pattern = new RegExp(focusOf([SMALL[2]!, SMALL[1]!]));
    assert.deepEqual(
      SMALL.map((t) => pattern.test(t.name)),
      [false, true, true, false],
    );
  });
});
