// coracle image: archives onto all nodes.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { UserError } from '#cluster/errors.ts';
import { listImages, loadImages, removeImage } from '#cluster/images.ts';
import { run } from '#host/process.ts';
import { findPrograms } from '#install/programs.ts';
import { runtimeProgramsDir } from '#cluster/paths.ts';
import { env, home, openCluster } from '../context.ts';
import { makeProgress } from '../progress.ts';
import { printTable } from '../table.ts';

interface Flags {
  readonly name?: string;
}

export function addImage(program: Command): void {
  const image = program
    .command('image')
    .description('images on the nodes of a cluster')
    .option('--name <name>', 'the cluster (default: local, or CORACLE_NAME)');
  const named = (command: Command) => command.option('--name <name>', 'the cluster (default: local, or CORACLE_NAME)');
  named(image.command('load').description('docker or OCI archives onto all nodes').argument('<files...>')).action(
    async (files: string[], _flags: Flags, command: Command) => {
      const { config, paths } = open(command);
      const missing = files.find((f) => !existsSync(f));
      if (missing !== undefined)
        throw new UserError(`there is no file ${missing}; give archives made by docker save, or OCI archives`);
      await loadImages(
        config,
        paths,
        files.map((f) => resolve(f)),
        { run, say: makeProgress().say },
      );
    },
  );
  named(image.command('list').description('images and the nodes that have them')).action(
    async (_flags: Flags, command: Command) => {
      const { config, paths } = open(command);
      const images = await listImages(config, paths, run);
      printTable(
        ['IMAGE', 'NODES'],
        [...images].map(([name, nodes]) => [name, nodes.join(',')]),
      );
    },
  );
  named(image.command('rm').description('remove an image from all nodes').argument('<image>')).action(
    async (name: string, _flags: Flags, command: Command) => {
      const { config, paths } = open(command);
      await removeImage(config, paths, name, run);
    },
  );
}

function open(command: Command) {
  const cluster = openCluster(command.optsWithGlobals<Flags>());
  if (cluster.config.hollow) throw new UserError('hollow nodes hold no images: they pretend to have every one');
  process.env['PATH'] = findPrograms({ privateDir: runtimeProgramsDir(home), path: env['PATH'] ?? '' }).programs.path;
  return cluster;
}
