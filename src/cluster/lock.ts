// Locks between processes of this machine, one supervisor a data directory among them: each dies with its holder. An abstract
// unix socket needs no file and no cleaning.
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import { sleep, SystemClock } from '#base/clock.ts';

export interface Lock {
  release(): Promise<void>;
}

/** Undefined when another process of this machine holds the lock. */
export function tryLock(what: string): Promise<Lock | undefined> {
  const name = `\0coracle-${createHash('sha256').update(what).digest('hex').slice(0, 32)}`;
  return new Promise((resolve, reject) => {
    const server: Server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    );
    server.listen(name, () => {
      server.unref();
      resolve({ release: () => new Promise((done) => server.close(() => done())) });
    });
  });
}

const POLL_MS = 20;

/** Does the work alone among all that name the same lock; `waiting` is called once when another one has it. */
export async function withLock<T>(what: string, work: () => T | Promise<T>, waiting?: () => void): Promise<T> {
  const clock = new SystemClock();
  let lock = await tryLock(what);
  if (lock === undefined) waiting?.();
  while (lock === undefined) {
    await sleep(clock, POLL_MS);
    lock = await tryLock(what);
  }
  try {
    return await work();
  } finally {
    await lock.release();
  }
}
