// coracle kubectl and coracle helm: the real programs with this cluster's kubeconfig.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { UserError } from '#cluster/errors.ts';
import { bringKubectl } from '#install/kubectl.ts';
import { runInteractive } from '#host/process.ts';
import { env, home, openCluster } from '../context.ts';

export function addKubectl(program: Command): void {
  for (const tool of ['kubectl', 'helm'] as const) {
    program
      .command(tool)
      .description(`the real ${tool} with this cluster's kubeconfig`)
      .argument('[args...]')
      .allowUnknownOption()
      .passThroughOptions()
      .helpOption(false)
      .action(async (args: string[], _options: unknown, command: Command) => {
        process.exitCode = await runTool(tool, args, command.parent?.opts<{ name?: string }>().name);
      });
  }
}

/** `--name` (or CORACLE_NAME), then KUBECONFIG, then the default cluster. */
async function runTool(tool: 'kubectl' | 'helm', args: readonly string[], name: string | undefined): Promise<number> {
  const program = bringKubectl(
    join(home, 'tools'),
    (await import('#install/kubectl.ts')).layerArchive(env['CORACLE_ROOT'] ?? '.'),
  )[tool];
  const wanted = name ?? env['CORACLE_NAME'];
  if (wanted === undefined && env['KUBECONFIG'] !== undefined && env['KUBECONFIG'] !== '')
    return runInteractive(program, args);
  const { paths } = openCluster(wanted === undefined ? {} : { name: wanted });
  if (!existsSync(paths.kubeconfig)) throw new UserError(`the cluster has no kubeconfig yet; run: coracle up`);
  return runInteractive(program, args, { KUBECONFIG: paths.kubeconfig });
}
