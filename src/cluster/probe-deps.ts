// What a probe needs of the place this process stands in.
import type { Clock } from '#base/clock.ts';
import { SystemRandom } from '#base/random.ts';
import { readTextIfExists } from '#host/files.ts';
import type { ProbeDeps } from '#why/probe/run-probe.ts';
import { KernelSockets } from '#why/probe/sockets.ts';

export const localProbeDeps = (clock: Clock): ProbeDeps => ({
  sockets: new KernelSockets(clock),
  clock,
  random: new SystemRandom(),
  resolvConf: () => readTextIfExists('/etc/resolv.conf') ?? '',
  hosts: () => readTextIfExists('/etc/hosts') ?? '',
});
