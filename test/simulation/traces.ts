// Runs a scenario as every simulation is run: each seed twice, with equal traces; another seed leaves another one.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { SimulatedCluster, type SimulationOptions } from './cluster.ts';

export type Scenario = (cluster: SimulatedCluster) => Promise<void>;

const LONG = process.env['CORACLE_LONG'] === '1';
/** The first two always; many more when there is time to look for rare orders of things. */
const SEEDS = Array.from({ length: LONG ? 25 : 2 }, (_, i) => i + 1);
/** Lines of trace and log shown with a failure. */
const SHOWN = 30;
/** What a node says of itself all the time. */
const HEARTBEAT = / system:node:\S+ (PATCH \/api\/v1\/nodes|PUT \S*\/leases)\//;

/** One run of the scenario on a cluster of its own. Returns its trace. */
export async function run(options: SimulationOptions, scenario: Scenario): Promise<readonly string[]> {
  const lines: string[] = [];
  const cluster = new SimulatedCluster({ ...options, log: (line) => void lines.push(line) });
  try {
    await cluster.start();
    await scenario(cluster);
  } catch (error) {
    const told = lines.filter((l) => /"level":"(warn|error)"/.test(l)).slice(-SHOWN);
    const trace = cluster.trace
      .filter((line) => !HEARTBEAT.test(line))
      .slice(-SHOWN)
      .join('\n');
    throw new Error(`seed ${options.seed}: ${(error as Error).message}\n${told.join('')}\n${trace}`, { cause: error });
  } finally {
    await cluster.stop();
  }
  return cluster.trace;
}

/** Cases for the scenario. To be called inside describe(). */
export function simulated(options: Omit<SimulationOptions, 'seed'>, scenario: Scenario): void {
  const traces = new Map<number, readonly string[]>();
  for (const seed of SEEDS) {
    it(`holds on seed ${seed}, and leaves the same trace twice`, async () => {
      const first = await run({ ...options, seed }, scenario);
      const second = await run({ ...options, seed }, scenario);
      assert.ok(first.length > 50, 'hardly anything was written');
      const differs = first.findIndex((line, i) => line !== second[i]);
      assert.equal(differs === -1 ? undefined : second[differs], differs === -1 ? undefined : first[differs]);
      assert.equal(second.length, first.length);
      traces.set(seed, first);
    });
  }
  it('leaves another trace on another seed', () => {
    const [one, other] = [...traces.values()];
    assert.ok(one !== undefined && other !== undefined);
    assert.notDeepEqual(one, other);
  });
}
