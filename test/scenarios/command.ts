// Every scenario on a real cluster, as main.ts was asked. What was done for a seed is kept, so that an interrupted run goes on. Ends with one line: `scenarios: N right, N wrong, N missed, N false of N`.
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { TestCluster } from '../e2e/cluster.ts';
import { chosen, runAll } from './run-all.ts';
import type { Result } from './run-scenario.ts';
import { SCENARIOS } from './cases/list.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string' },
    'at-once': { type: 'string', default: '3' },
    sample: { type: 'string' },
    again: { type: 'boolean', default: false },
  },
});
const folder = join(import.meta.dirname, '..', '..', '.cache', 'scenarios');
const last = join(folder, 'seed');
mkdirSync(folder, { recursive: true });
// Without a seed an unfinished run goes on; a finished one is followed by a new seed.
const seed = Number(
  values.seed ?? (existsSync(last) ? readFileSync(last, 'utf8') : (Date.now() % 1_000_000).toString()),
);
appendFileSync(last, '');
rmSync(last);
appendFileSync(last, String(seed));
const file = join(folder, `${seed}.jsonl`);
if (values.again) rmSync(file, { force: true });
const known: readonly Result[] = existsSync(file)
  ? readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Result)
  : [];
const wanted = chosen(SCENARIOS, {
  codes: positionals,
  seed,
  ...(values.sample === undefined ? {} : { sample: Number(values.sample) }),
});
const left = wanted.filter((s) => !known.some((k) => k.code === s.code && k.title === s.title));
process.stdout.write(`seed ${seed}: ${left.length} of ${wanted.length} scenarios\n`);
const results: Result[] = known.filter((k) => wanted.some((s) => k.code === s.code && k.title === s.title));
const groups = Object.groupBy(left, (s) => (s.up ?? []).join(' '));
for (const [options, scenarios = []] of Object.entries(groups)) {
  // A cluster that stays is an ordinary one.
  const kept = process.env['CORACLE_E2E_CLUSTER'];
  if (options !== '') delete process.env['CORACLE_E2E_CLUSTER'];
  const { cluster } = await TestCluster.up(options === '' ? [] : options.split(' '));
  if (kept !== undefined) process.env['CORACLE_E2E_CLUSTER'] = kept;
  try {
    await runAll(cluster, scenarios, seed, Number(values['at-once']), (result) => {
      results.push(result);
      appendFileSync(file, `${JSON.stringify(result)}\n`);
      const detail = result.detail === undefined ? '' : `\n    ${result.detail.trim().replaceAll('\n', '\n    ')}`;
      process.stdout.write(
        `${result.outcome.padEnd(11)} ${result.code} ${result.title} (${result.whyMs} ms)${detail}\n`,
      );
    });
  } finally {
    await cluster.down();
  }
}
const count = (outcome: string, among = results) => among.filter((r) => r.outcome === outcome).length;
for (const code of [...new Set(results.map((r) => r.code))].toSorted()) {
  const own = results.filter((r) => r.code === code);
  process.stdout.write(
    `${code.padEnd(28)} ${own.length} cases: ${count('right', own)} right, ${count('wrong', own)} wrong, ${count('missed', own)} missed, ${count('false alarm', own)} false, ${count('not shown', own)} not shown\n`,
  );
}
process.stdout.write(
  `scenarios: ${count('right')} right, ${count('wrong')} wrong, ${count('missed')} missed, ${count('false alarm')} false of ${results.length}\n`,
);
rmSync(last, { force: true }); // finished: the next run has a new seed
process.exitCode = count('right') === results.length ? 0 : 1;
