// coracle version: ours, the Kubernetes it speaks, and the kubectl versions that work with it.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { KUBERNETES_VERSION } from '#machinery/version.ts';
import { env } from '../context.ts';

/** Upstream's skew policy: one minor version either way. */
const KUBECTL_VERSIONS = 'v1.35, v1.36, v1.37';

export function coracleVersion(): string {
  const file = join(env['CORACLE_ROOT'] ?? '.', 'package.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version : 'unknown';
}

export function addVersion(program: Command): void {
  program
    .command('version')
    .description('versions')
    .option('-o, --output <format>', 'json')
    .action((flags: { output?: string }) => {
      const versions = {
        coracle: coracleVersion(),
        kubernetes: KUBERNETES_VERSION,
        kubectl: KUBECTL_VERSIONS,
        node: process.version,
      };
      if (flags.output === 'json') process.stdout.write(`${JSON.stringify(versions)}\n`);
      else
        process.stdout.write(
          `Coracle ${versions.coracle}, Kubernetes ${versions.kubernetes}, works with kubectl ${versions.kubectl}, on Node ${versions.node}\n`,
        );
    });
}
