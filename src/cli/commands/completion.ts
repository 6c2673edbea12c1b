// coracle completion bash|zsh|fish: made from the command list itself.
import type { Command } from 'commander';
import { UsageError } from '#cluster/errors.ts';

export function addCompletion(program: Command): void {
  program
    .command('completion')
    .description('a completion script for your shell')
    .argument('<shell>', 'bash, zsh or fish')
    .action((shell: string) => void process.stdout.write(completion(program, shell)));
}

function completion(program: Command, shell: string): string {
  const commands = program.commands.filter((c) => !hidden(c));
  const flags = (c: Command) =>
    [...c.options.map((o) => o.long ?? ''), ...c.commands.map((s) => s.name())].filter((w) => w !== '').join(' ');
  const names = commands.map((c) => c.name()).join(' ');
  switch (shell) {
    case 'bash':
    case 'zsh': {
      const cases = commands.map((c) => `    ${c.name()}) words="${flags(c)}" ;;`).join('\n');
      const head = shell === 'zsh' ? 'autoload -U +X bashcompinit && bashcompinit\n' : '';
      return `${head}_coracle() {
  local words="${names}" current="\${COMP_WORDS[COMP_CWORD]}"
  [ "$COMP_CWORD" -gt 1 ] && case "\${COMP_WORDS[1]}" in
${cases}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _coracle coracle ./coracle
`;
    }
    case 'fish':
      return commands
        .map(
          (c) =>
            `complete -c coracle -n __fish_use_subcommand -a ${c.name()} -d '${c.description().replaceAll("'", '’')}'\n`,
        )
        .join('');
    default:
      throw new UsageError(`completion knows bash, zsh and fish, not "${shell}"`);
  }
}

const hidden = (command: Command): boolean => (command as Command & { _hidden?: boolean })._hidden === true;
