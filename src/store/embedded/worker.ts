// Entry of the store thread. In the bundle a file of its own.
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { transfersOf, type Request } from './protocol.ts';
import { StoreServer } from './server.ts';

const port = parentPort!;
const { directory } = workerData as { readonly directory: string };
const server = new StoreServer((reply) => port.postMessage(reply, transfersOf(reply)));

port.on('message', (first: Request) => {
  // Whatever arrived while the last transaction waited for the disk shares the next one.
  const requests = [first];
  for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
    requests.push(next.message as Request);
  }
  if (!server.handle(requests)) port.close();
});
server.open(directory, process.pid);
