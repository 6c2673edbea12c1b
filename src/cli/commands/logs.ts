// coracle logs: the logs of the parts.
import { createReadStream, existsSync, readdirSync, statSync, watchFile } from 'node:fs';
import { basename } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { UsageError } from '#cluster/errors.ts';
import { openCluster } from '../context.ts';

export function addLogs(program: Command): void {
  program
    .command('logs')
    .description('the log of a part (no part: which there are)')
    .argument('[part]')
    .option('--name <name>', 'the cluster (default: local, or CORACLE_NAME)')
    .option('-f, --follow', 'go on as it grows')
    .action(async (part: string | undefined, _flags: unknown, command: Command) => {
      const flags = command.optsWithGlobals<{ name?: string; follow?: boolean }>();
      const { paths } = openCluster(flags);
      const known = existsSync(paths.logs)
        ? readdirSync(paths.logs)
            .filter((f) => f.endsWith('.log'))
            .map((f) => basename(f, '.log'))
        : [];
      if (part === undefined) {
        process.stdout.write(`${known.join('\n')}\n`);
        return;
      }
      if (!known.includes(part)) throw new UsageError(`there is no log of "${part}"; there are ${known.join(', ')}`);
      if (flags.follow === true) await follow(paths.log(part));
      else await pipeline(createReadStream(paths.log(part)), process.stdout, { end: false });
    });
}

/** Prints the file and what is added to it, for ever. */
export async function follow(file: string): Promise<never> {
  let at = 0;
  const print = async () => {
    const size = existsSync(file) ? statSync(file).size : 0;
    if (size < at) at = 0;
    if (size === at) return;
    const from = at;
    at = size;
    await pipeline(createReadStream(file, { start: from, end: size - 1 }), process.stdout, { end: false });
  };
  await print();
  watchFile(file, { interval: 200 }, () => void print());
  return new Promise<never>(() => {});
}
