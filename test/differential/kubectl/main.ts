// Only this area, for work on it: `node test/differential/kubectl/main.ts record | replay | live [FILTER]`.
import { kubectlArea } from './area.ts';

const [command = 'replay', filter] = process.argv.slice(2);
const area = kubectlArea();
const options = {
  ...(filter === undefined ? {} : { filter }),
  ...(process.env['VERBOSE'] === undefined ? {} : { log: (line: string) => console.error(line) }),
};
if (command === 'record' || command === 'live') await area.record(options);
if (command === 'replay' || command === 'live') {
  const results = await area.replay(options);
  for (const { id, difference } of results) {
    if (difference !== undefined)
      console.log(`${id}\n  ${difference.field}\n  - ${difference.expected}\n  + ${difference.actual}`);
  }
  const equal = results.filter((r) => r.difference === undefined).length;
  console.log(`kubectl: ${equal} equal, ${results.length - equal} different of ${results.length}`);
}
