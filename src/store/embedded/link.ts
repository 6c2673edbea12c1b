// The way to the store's thread: a worker, or the same thread for simulation.
import { Worker } from 'node:worker_threads';
import { transfersOf, type Reply, type Request } from './protocol.ts';
import { StoreServer } from './server.ts';

export interface Link {
  post(request: Request): void;
  /** Set once, before anything arrives. `failed`: the thread is gone. */
  listen(reply: (reply: Reply) => void, failed: (error: Error) => void): void;
  /** Resolves when the thread has ended. */
  ended(): Promise<void>;
}

export function workerLink(entry: URL | string, directory: string): Link {
  const worker = new Worker(entry, { workerData: { directory }, name: 'store', execArgv: [] });
  const exit = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  return {
    post: (request) => worker.postMessage(request, transfersOf(request)),
    listen(reply, failed) {
      worker.on('message', reply);
      worker.on('error', failed);
      worker.on('exit', (code) => failed(new Error(`the store thread ended with code ${code}`)));
    },
    ended: () => exit,
  };
}

/** Everything in the calling thread, one event-loop turn later: the same order of things as with a worker. */
export function sameThreadLink(directory: string, pid: number): Link {
  let onReply: (reply: Reply) => void = () => {};
  const waiting: Request[] = [];
  let scheduled = false;
  const server = new StoreServer((reply) => onReply(reply));
  return {
    post(request) {
      waiting.push(request);
      if (scheduled) return;
      scheduled = true;
      setImmediate(() => {
        scheduled = false;
        server.handle(waiting.splice(0));
      });
    },
    listen(reply) {
      onReply = reply;
      setImmediate(() => server.open(directory, pid));
    },
    ended: async () => {},
  };
}
