// All kinds whose validation and defaulting the corpus asks about.
import { network } from './network.ts';
import { pods } from './pods.ts';
import type { Subject } from './subject.ts';
import { workloads } from './workloads.ts';

export const subjects: readonly Subject[] = [pods, ...workloads, ...network];
