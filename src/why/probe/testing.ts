// For tests of probes: servers on loopback that follow a script, and a probe of them.
import { createServer, type Socket } from 'node:net';
import tls from 'node:tls';
import { SystemClock } from '#base/clock.ts';
import { SeededRandom } from '#base/random.ts';
import type { ProbeRequest, ProbeResult } from './result.ts';
import { runProbe } from './run-probe.ts';
import { KernelSockets } from './sockets.ts';

const clock = new SystemClock();

export interface ScriptedServer {
  readonly port: number;
  /** Everything that clients sent, one buffer a connection. */
  readonly heard: readonly Buffer[];
  /** Resolves when the clients' last bytes are in, and ends it. */
  close(): Promise<void>;
}

export type Script = (socket: Socket, heard: () => Buffer) => void;

/** `script` is called with each connection; `heard` is what it has sent so far. */
export async function serveScript(script: Script): Promise<ScriptedServer> {
  const heard: Buffer[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const index = heard.push(Buffer.alloc(0)) - 1;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.prependListener('data', (chunk: Buffer) => (heard[index] = Buffer.concat([heard[index]!, chunk])));
    script(socket, () => heard[index]!);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', () => resolve()));
  return {
    port: (server.address() as { port: number }).port,
    heard,
    close: () =>
      new Promise((resolve) => {
        // What clients sent before they closed is read first.
        setImmediate(() =>
          setImmediate(() => {
            for (const socket of sockets) socket.destroy();
            server.close(() => resolve());
          }),
        );
      }),
  };
}

/** Takes a connection over into TLS, as a server; `next` gets the plain side. */
export function secureServer(
  socket: Socket,
  options: tls.TlsOptions & tls.SecureContextOptions,
  next: (secured: tls.TLSSocket) => void,
): void {
  socket.removeAllListeners('data');
  const secured = new tls.TLSSocket(socket, { isServer: true, ...options });
  secured.on('error', () => secured.destroy());
  secured.once('secure', () => next(secured));
}

/** A probe of a server on this machine. */
export function probeOf(
  request: Partial<ProbeRequest> & Pick<ProbeRequest, 'port' | 'protocol'>,
): Promise<ProbeResult> {
  return runProbe(
    { host: '127.0.0.1', timeoutMs: 1_000, ...request },
    {
      sockets: new KernelSockets(clock),
      clock,
      random: new SeededRandom(1),
      resolvConf: () => '',
      hosts: () => '127.0.0.1 db.test\n',
    },
  );
}
