// The scheduler as a part of the control plane, with informers of its own.
import type { Clock } from '#base/clock.ts';
import type { Component } from '#base/lifecycle.ts';
import type { Log } from '#base/log.ts';
import type { MetricsRegistry } from '#base/metrics.ts';
import type { Random } from '#base/random.ts';
import type { Client, EventRecorder } from '#client/client.ts';
import { createInformers } from '#client/informers.ts';
import { createScheduler } from '#scheduler/scheduler.ts';

export interface SchedulingDeps {
  readonly client: Client;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
  readonly freeze?: boolean;
}

export function scheduling(deps: SchedulingDeps): Component {
  const { client, clock, random, log, freeze = false } = deps;
  const informers = createInformers({ client, clock, random, log }, { freeze });
  const scheduler = createScheduler({ ...deps, informers });
  return {
    name: 'scheduler',
    async start(signal) {
      await informers.start(signal);
      await scheduler.start(signal);
    },
    async stop() {
      await scheduler.stop();
      await informers.stop();
    },
  };
}
