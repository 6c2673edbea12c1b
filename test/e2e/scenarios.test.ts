// A sample of the scenarios of `coracle why`, other codes every day: each breaks what it says, shows the symptom, asks, and pastes the cure.
// `npm run scenarios` runs them all.
import assert from 'node:assert/strict';
import { dirname } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { SCENARIOS } from '../scenarios/cases/list.ts';
import { sampleOfCodes } from '../scenarios/run-all.ts';
import { runScenario } from '../scenarios/run-scenario.ts';
import { TestCluster } from './cluster.ts';

const CODES = 12;
const AT_ONCE = 4;
const DAY_MS = 86_400_000;
const seed = Number(process.env['CORACLE_SEED'] ?? Math.floor(Date.now() / DAY_MS));
// Cures are pasted as they are: kubectl is found as a user finds it.
const { KUBECTL } = process.env;
if (KUBECTL !== undefined) process.env['PATH'] = `${dirname(KUBECTL)}:${process.env['PATH']}`;
const sample = sampleOfCodes(SCENARIOS, CODES, seed);

describe(`a sample of the scenarios (CORACLE_SEED=${seed})`, { timeout: 300_000 }, () => {
  let cluster: TestCluster;
  before(
    async () => {
      ({ cluster } = await TestCluster.up());
    },
    { timeout: 240_000 },
  );
  after(() => cluster.down(), { timeout: 120_000 });

  describe('names the cause, and its cure mends it', { concurrency: AT_ONCE }, () => {
    for (const scenario of sample)
      it(`${scenario.code}: ${scenario.title}`, { timeout: 200_000 }, async () => {
        const result = await runScenario(cluster, scenario, seed);
        assert.equal(result.outcome, 'right', `seed ${seed}: ${result.detail ?? ''}`);
      });
  });
});
