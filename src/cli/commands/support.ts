// coracle support: logs and objects in one archive to hand to somebody, without Secrets and keys.
import { createWriteStream, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import type { Command } from 'commander';
import { createGzip } from 'node:zlib';
import tar from 'tar-stream';
import { builtinKinds } from '#kinds/registry.ts';
import type { KubeObject } from '#machinery/object.ts';
import { adminClient } from '../admin-client.ts';
import { openCluster } from '../context.ts';

/** Log files are cut to their newest part. */
const LOG_BYTES = 2 * 1024 * 1024;
/** Never packed: their content is the secret. */
const SECRET_KINDS = new Set(['Secret', 'CertificateSigningRequest']);

export function addSupport(program: Command): void {
  program
    .command('support')
    .description('pack logs and objects, without Secrets, into an archive')
    .option('--name <name>', 'the cluster (default: local, or CORACLE_NAME)')
    .option('--output <file>', 'the archive', 'coracle-support.tar.gz')
    .action(async (_flags: unknown, command: Command) => {
      const flags = command.optsWithGlobals<{ name?: string; output: string }>();
      const cluster = openCluster(flags);
      const pack = tar.pack();
      const file = createWriteStream(resolve(flags.output), { mode: 0o600 });
      pack.pipe(createGzip()).pipe(file);
      const add = (name: string, text: string | Buffer) => pack.entry({ name: `coracle-support/${name}` }, text);
      add('cluster.json', `${JSON.stringify(cluster.config, undefined, 2)}\n`);
      if (existsSync(cluster.paths.logs)) {
        for (const log of readdirSync(cluster.paths.logs).filter((f) => f.endsWith('.log')))
          add(`logs/${log}`, readFileSync(join(cluster.paths.logs, log)).subarray(-LOG_BYTES));
      }
      const client = adminClient(cluster);
      for (const kind of builtinKinds()) {
        const version = kind.versions.find((v) => v.served)?.version;
        if (version === undefined || !kind.verbs.includes('list') || SECRET_KINDS.has(kind.kind)) continue;
        const ref = {
          group: kind.group,
          version,
          resource: kind.resource,
          kind: kind.kind,
          namespaced: kind.namespaced,
        };
        const list = await client
          .resource(ref)
          .list()
          .catch(() => undefined);
        if (list !== undefined && list.items.length > 0)
          add(
            `objects/${kind.resource}${kind.group === '' ? '' : `.${kind.group}`}.json`,
            JSON.stringify(list.items.map(withoutEnvironment), undefined, 1),
          );
      }
      pack.finalize();
      await finished(file);
      process.stdout.write(`${resolve(flags.output)}\n`);
    });
}

/** Values of environment variables and last-applied copies often hold passwords. */
function withoutEnvironment(object: KubeObject): unknown {
  return JSON.parse(
    JSON.stringify(object, (key, value: unknown) => {
      if (key === 'env' && Array.isArray(value))
        return value.map((e: { name?: string; value?: string }) =>
          e.value === undefined ? e : { ...e, value: '(removed)' },
        );
      return key === 'kubectl.kubernetes.io/last-applied-configuration' ? '(removed)' : value;
    }),
  );
}
