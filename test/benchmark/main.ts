// `npm run benchmark -- start pods services idle`: a real cluster of its own, measured end to end, with bare CRI calls beside
// it in the same run. Absolute figures move with the machine; the ratios are what to quote.
import { parseArgs } from 'node:util';
import { BenchCluster } from './cluster.ts';
import { measureIdle } from './idle.ts';
import { measurePods } from './pods.ts';
import { measureServices } from './services.ts';
import { measureStart } from './start.ts';

/** In the order they run: the first brings the cluster up. */
const SUBJECTS = {
  start: measureStart,
  idle: measureIdle,
  pods: measurePods,
  services: measureServices,
} as const;

const { positionals } = parseArgs({ allowPositionals: true });
const unknown = positionals.filter((p) => !(p in SUBJECTS));
if (unknown.length > 0) {
  console.error(`unknown subject ${unknown.join(', ')}; there are ${Object.keys(SUBJECTS).join(', ')}`);
  process.exit(64);
}
const cluster = new BenchCluster();
try {
  for (const [name, measure] of Object.entries(SUBJECTS)) {
    if (name !== 'start' && positionals.length > 0 && !positionals.includes(name)) continue;
    console.log(`\n## ${name}`);
    await measure(cluster);
  }
} finally {
  cluster.down();
}
process.exit();
