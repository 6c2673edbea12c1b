// Two byte streams joined: what one reads the other writes, with back pressure, and the end of one direction leaves the other open.
import type { Duplex } from 'node:stream';

/** Resolves when both directions are over. When either side fails or is closed early, both are destroyed. */
export function splice(a: Duplex, b: Duplex): Promise<void> {
  return new Promise((resolve) => {
    let open = 2;
    const one = (early: boolean) => {
      if (early) {
        a.destroy();
        b.destroy();
      }
      // After clean ends each stream closes itself, once its last bytes are out.
      if (--open === 0) resolve();
    };
    half(a, b, one);
    half(b, a, one);
  });
}

/** Like pipeline(), but neither stream is destroyed at the end: each has another direction. */
function half(from: Duplex, to: Duplex, done: (early: boolean) => void): void {
  let finished = false;
  const finish = (early: boolean) => {
    if (finished) return;
    finished = true;
    done(early);
  };
  from.on('error', () => finish(true));
  to.on('error', () => finish(true));
  from.once('end', () => {
    if (to.writableFinished) finish(false);
    else to.once('finish', () => finish(false));
    if (!to.writableEnded) to.end();
  });
  // Closed without an end: the peer went away.
  from.once('close', () => {
    if (!from.readableEnded) finish(true);
  });
  to.once('close', () => finish(!to.writableFinished));
  if (from.destroyed || to.destroyed) return finish(true);
  from.pipe(to, { end: false });
}
