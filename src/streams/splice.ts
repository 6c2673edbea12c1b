// Two byte streams joined: what one reads the other writes, with back pressure, and the end of one direction leaves the other open.
import type { Duplex } from 'node:stream';

/** Resolves when both directions are over. A failure of either side ends both. */
export function splice(a: Duplex, b: Duplex): Promise<void> {
  return new Promise((resolve) => {
    let open = 2;
    const one = (error?: Error | null) => {
      if (error !== undefined && error !== null) {
        a.destroy();
        b.destroy();
      }
      if (--open === 0) {
        // A socket whose peer never closes its half would stay for ever.
        a.destroy();
        b.destroy();
        resolve();
      }
    };
    half(a, b, one);
    half(b, a, one);
  });
}

/** Like pipeline(), but neither stream is destroyed at the end: each has another direction. */
function half(from: Duplex, to: Duplex, done: (error?: Error | null) => void): void {
  let finished = false;
  const finish = (error?: Error | null) => {
    if (finished) return;
    finished = true;
    done(error);
  };
  from.once('error', finish);
  to.once('error', finish);
  from.once('end', () => {
    if (!to.writableEnded) to.end();
    finish();
  });
  // Closed without an end: the peer went away.
  from.once('close', () => finish(from.readableEnded ? null : new Error('the stream was closed')));
  to.once('close', () => finish(from.readableEnded ? null : new Error('the stream was closed')));
  from.pipe(to, { end: false });
}
