// Coracle's answers against the recorded ones of the original, area by area. `npm run differential -- replay` shows the same with filters.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AREAS } from './areas.ts';
import { startCoracle } from './engine/coracle-server.ts';
import { readLists } from './engine/lists.ts';
import { readRecorded } from './engine/recorded.ts';
import { details, lastLines } from './engine/report.ts';
import { askArea, type Choose, isFailure, judge, type Judged } from './engine/run.ts';
import { skipWithoutKubectl } from './kubectl/area.ts';

/** Failures shown of an area; `npm run differential` shows all. */
const SHOWN = 20;

// Areas that bring a whole cluster mostly wait, so they run beside the others, which take turns.
describe('Coracle', { concurrency: true }, () => {
  const lists = readLists();
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const mine = turn.then(work);
    turn = mine.catch(() => {});
    return mine;
  };
  for (const area of AREAS) {
    const ask = async (choose: Choose): Promise<Judged[]> => {
      const server = await (area.servers?.coracle ?? startCoracle)();
      try {
        return judge(area.name, readRecorded(area.name), await askArea(area, server, choose), lists);
      } finally {
        await server.stop();
      }
    };
    const compare = async () => {
      const judged = await ask(() => true);
      let failed = judged.filter((j) => isFailure(j.verdict));
      if (area.servers !== undefined && failed.length > 0) {
        // Controllers and command lines meet in real time, where two things of one second may come in either order: what differs by
        // that alone does so once. On a fresh cluster the same cases have to fail again.
        const ids = new Set(failed.map((j) => j.id));
        failed = (await ask((id) => ids.has(id))).filter((j) => isFailure(j.verdict));
      }
      const lines = failed.slice(0, SHOWN).flatMap((j) => details(j, false));
      assert.equal(failed.length, 0, [...lines, ...lastLines(judged)].join('\n'));
    };
    const skip = area.servers === undefined ? false : skipWithoutKubectl;
    it(`answers as the original does, but for the listed cases: ${area.name}`, { skip }, () =>
      area.servers === undefined ? inTurn(compare) : compare(),
    );
  }

  it('is asked about every listed case', async () => {
    const known = new Set((await Promise.all(AREAS.map((a) => a.ids()))).flat().map((c) => c.id));
    assert.deepEqual(
      [...lists.todo, ...lists.byDesign.keys()].filter((id) => !known.has(id)),
      [],
    );
  });
});
