// One supervisor a data directory: a lock that dies with its holder. An abstract unix socket needs no file and no cleaning.
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:net';

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
