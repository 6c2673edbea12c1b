// All scripts, in the order in which they are started: the long ones first, so that none is waited for at the end.
import type { Script } from './script.ts';
import { creating } from './scripts/creating.ts';

export const SCRIPTS: readonly Script[] = [...creating];
