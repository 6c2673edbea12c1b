// coracle test: the project's own tests; no argument runs everything CI runs.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { MissingError } from '#cluster/errors.ts';
import { runInteractive } from '#host/process.ts';
import { env } from '../context.ts';

export function addTest(program: Command): void {
  program
    .command('test')
    .description('run the project’s tests (no suite: all that CI runs)')
    .argument('[suites...]')
    .option('--long', 'more rounds of everything that is random or long')
    .action(async (suites: string[], flags: { long?: boolean }) => {
      const root = env['CORACLE_ROOT'] ?? '.';
      const runner = join(root, 'test', 'run.ts');
      if (!existsSync(runner)) throw new MissingError('the tests are not here: this is not a source checkout');
      process.exitCode = await runInteractive(
        process.execPath,
        ['--disable-warning=ExperimentalWarning', runner, ...suites],
        {
          ...(flags.long === true ? { CORACLE_LONG: '1' } : {}),
          PATH: `${join(root, 'node_modules', '.bin')}:${env['PATH'] ?? ''}`,
        },
      );
    });
}
