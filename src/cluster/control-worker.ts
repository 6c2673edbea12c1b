// Entry of the control thread: controllers and scheduler, each with its own identity, over message ports to the API
// thread. One slow reconcile never delays a request.
import { parentPort, workerData } from 'node:worker_threads';
import { SystemClock } from '#base/clock.ts';
import { stopAll, startAll } from '#base/lifecycle.ts';
import { createLog, describeError } from '#base/log.ts';
import { MetricsRegistry } from '#base/metrics.ts';
import { SystemRandom } from '#base/random.ts';
import { createMessagePortTransport, type Port } from '#client/transports/message-port.ts';
import { type ControlOptions, createControl } from './control-plane.ts';
import { settle } from './settle.ts';

const { options } = workerData as { options: ControlOptions };
const port = parentPort!;
const clock = new SystemClock();
const log = createLog({ write: (line) => void process.stderr.write(line) });
const transport = createMessagePortTransport(port as unknown as Port);
const parts = createControl(options, {
  transport,
  clock,
  random: new SystemRandom(),
  log,
  metrics: new MetricsRegistry(),
});

const starting = new AbortController();
port.once('close', () => void stopAll(parts));
startAll(parts, starting.signal).catch((error: unknown) => {
  log.error('the control thread could not start', { error: describeError(error) });
  process.exit(1);
});
settle(clock);
