// The command line: one explicit list of commands, and one place where errors become sentences and exit codes.
import { Command, CommanderError } from 'commander';
import { describeForUser, EXIT, UserError } from '#cluster/errors.ts';
import { addDown } from './commands/down.ts';
import { addImage } from './commands/image.ts';
import { addKubectl } from './commands/kubectl.ts';
import { addLogs } from './commands/logs.ts';
import { addNode } from './commands/node.ts';
import { addParts } from './commands/parts.ts';
import { addStatus } from './commands/status.ts';
import { addSupport } from './commands/support.ts';
import { addTest } from './commands/test.ts';
import { addUp } from './commands/up.ts';
import { addVersion } from './commands/version.ts';
import { addCompletion } from './commands/completion.ts';

/** In the order of --help: what people use first stands first. */
const COMMANDS = [
  addUp,
  addStatus,
  addDown,
  addKubectl,
  addNode,
  addImage,
  addLogs,
  addSupport,
  addVersion,
  addCompletion,
  addParts,
  addTest,
] as const;

const program = new Command('coracle')
  .description('A complete Kubernetes 1.36 cluster, real down to the kernel.')
  .option('--name <name>', 'the cluster (default: local, or CORACLE_NAME)')
  .enablePositionalOptions()
  .showHelpAfterError('(add --help for what is allowed)')
  .exitOverride();
for (const add of COMMANDS) add(program);
// The name may stand before the command or after it.
program.hook('preAction', (_program, command) => {
  const { name } = program.opts<{ name?: string }>();
  if (name !== undefined && command.opts<{ name?: string }>().name === undefined) command.setOptionValue('name', name);
});

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}

// Connections that are kept open for reuse must not keep the command alive. What was printed goes out first.
process.stdout.write('', () => process.stderr.write('', () => process.exit()));

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof UserError) {
    process.stderr.write(`coracle: ${error.message}\n`);
    return error.exitCode;
  }
  process.stderr.write(`coracle: ${describeForUser(error)}\n`);
  if (process.env['CORACLE_DEBUG'] !== undefined && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return EXIT.failed;
}
