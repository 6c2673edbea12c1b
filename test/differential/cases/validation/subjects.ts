// All kinds whose validation and defaulting the corpus asks about.
import { access } from './access.ts';
import { config } from './config.ts';
import { deviceKinds } from './devices.ts';
import { extensions } from './extensions.ts';
import { network } from './network.ts';
import { pods } from './pods.ts';
import { policies } from './policies.ts';
import { storage } from './storage.ts';
import type { Subject } from './subject.ts';
import { workloads } from './workloads.ts';

export const subjects: readonly Subject[] = [
  pods,
  ...workloads,
  ...network,
  ...storage,
  ...config,
  ...access,
  ...policies,
  ...extensions,
  ...deviceKinds,
];
