// `npm run scenarios [-- CODE…] [--seed N] [--at-once N] [--sample N] [--again]`: brings the real kubectl, which users paste cures for, first in PATH.
import { dirname, join } from 'node:path';
import { coracleHome } from '#cluster/paths.ts';
import { bringKubectl, layerArchive } from '#install/kubectl.ts';

const root = join(import.meta.dirname, '..', '..');
const { kubectl } = bringKubectl(join(coracleHome(process.env, process.getuid?.() === 0), 'tools'), layerArchive(root));
process.env['KUBECTL'] = kubectl;
process.env['PATH'] = `${dirname(kubectl)}:${process.env['PATH']}`;
await import('./command.ts');
