// All scripts, in the order in which they are started: the long ones first, so that none is waited for at the end.
import type { Script } from './script.ts';
import { changing } from './scripts/changing.ts';
import { creating } from './scripts/creating.ts';
import { helm } from './scripts/helm.ts';
import { looking } from './scripts/looking.ts';
import { mistakes } from './scripts/mistakes.ts';
import { nodes } from './scripts/nodes.ts';
import { permissions } from './scripts/permissions.ts';
import { workloads } from './scripts/workloads.ts';

export const SCRIPTS: readonly Script[] = [
  ...workloads,
  ...helm,
  ...changing,
  ...creating,
  ...nodes,
  ...looking,
  ...permissions,
  ...mistakes,
];
