// Finds tunnels whose other side is gone without a word (a node's namespace was removed, a machine lost its power).
import type { Http2Session } from 'node:http2';
import type { Clock, Timer } from '#base/clock.ts';
import { PING_INTERVAL_MS, PING_TIMEOUT_MS } from './protocol.ts';

/** Pings until the session closes; destroys it when an answer stays out. */
export function keepAlive(session: Http2Session, clock: Clock): void {
  let timer: Timer;
  const wait = () => {
    timer = clock.setTimer(PING_INTERVAL_MS, ask);
  };
  const ask = () => {
    if (session.destroyed || session.closed) return;
    timer = clock.setTimer(PING_TIMEOUT_MS, () => session.destroy());
    const sent = session.ping(() => {
      timer.cancel();
      if (!session.destroyed) wait();
    });
    // Too many pings are unanswered already: the deadline set above stands.
    if (!sent) return;
  };
  wait();
  session.once('close', () => timer.cancel());
}
