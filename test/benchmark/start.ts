// From the first process of a server with an empty data directory until /readyz: Coracle's makes its keys and certificates in that time,
// those of the reference are there.
import { setTimeout as delay } from 'node:timers/promises';
import { addMemory, Figures } from './api.ts';
import { startCoracle, startOriginal } from './contenders.ts';
import { cpuSeconds } from './processes.ts';
import type { Subject } from './subject.ts';

const QUIET_MS = 5_000;

export const start: Subject = async ({ rounds, say }) => {
  const figures = new Figures(say);
  for (let round = 0; round < rounds; round++) {
    for (const begin of [startCoracle, startOriginal]) {
      const side = await begin();
      try {
        figures.add('server started, empty → ready', 'ms', side, {
          value: side.readyMs,
          cpuMicros: cpuSeconds(Object.values(side.pids)) * 1e6,
        });
        await delay(QUIET_MS);
        addMemory(figures, 'five seconds later', side);
      } finally {
        await side.stop();
      }
    }
  }
  return figures.all();
};
