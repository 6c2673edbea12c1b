// The command line: one explicit list of commands, and one place where errors become sentences and exit codes.
import { Command, CommanderError } from 'commander';
import { describeForUser, EXIT, UserError } from '#cluster/errors.ts';

type Add = (program: Command) => void;

/** In the order of --help: what people use first stands first. A command that was asked for by name is loaded alone, so that a part of
 * the cluster holds nothing in memory that it does not use. */
const COMMANDS: readonly (readonly [names: string, load: () => Promise<Add>])[] = [
  ['up', async () => (await import('./commands/up.ts')).addUp],
  ['status list', async () => (await import('./commands/status.ts')).addStatus],
  ['down', async () => (await import('./commands/down.ts')).addDown],
  ['kubectl helm', async () => (await import('./commands/kubectl.ts')).addKubectl],
  ['why', async () => (await import('./commands/why.ts')).addWhy],
  ['connect', async () => (await import('./commands/connect.ts')).addConnect],
  ['node', async () => (await import('./commands/node.ts')).addNode],
  ['image', async () => (await import('./commands/image.ts')).addImage],
  ['logs', async () => (await import('./commands/logs.ts')).addLogs],
  ['support', async () => (await import('./commands/support.ts')).addSupport],
  ['version', async () => (await import('./commands/version.ts')).addVersion],
  ['completion', async () => (await import('./commands/completion.ts')).addCompletion],
  ['server agent supervisor', async () => (await import('./commands/parts.ts')).addParts],
  ['test', async () => (await import('./commands/test.ts')).addTest],
];

const program = new Command('coracle')
  .description('A complete Kubernetes 1.36 cluster, real down to the kernel.')
  .option('--name <name>', 'the cluster (default: local, or CORACLE_NAME)')
  .enablePositionalOptions()
  .showHelpAfterError('(add --help for what is allowed)')
  .exitOverride();
for (const add of await commandsFor(process.argv[2])) add(program);
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

/** All of them when the first word is an option or no command: help and suggestions need them. */
async function commandsFor(first = ''): Promise<readonly Add[]> {
  const asked = first === 'completion' ? undefined : COMMANDS.find(([names]) => names.split(' ').includes(first));
  return Promise.all((asked === undefined ? COMMANDS : [asked]).map(([, load]) => load()));
}

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
