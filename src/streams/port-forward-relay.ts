// A client's port-forward (SPDY in a WebSocket) joined with the runtime's. Stream by stream and not byte by byte, because of one thing: a server
// that ends a connection with a reset (PostgreSQL does after TLS) is no failure of the forward, but runtimes report it as one, and kubectl
// then gives up the port for good: "lost connection to pod".
import type { Duplex } from 'node:stream';
import { SpdyConnection, type SpdyStream } from './spdy.ts';

/** How runtimes say that one of the two ends went away in the middle. */
const CONNECTION_ENDED = /connection reset by peer|broken pipe/;

/** Resolves when either side is gone. */
export async function relayPortForward(client: Duplex, runtime: Duplex): Promise<void> {
  const towards = new SpdyConnection(runtime, { role: 'client' });
  const from = new SpdyConnection(client, {
    role: 'server',
    onStream: (asked) => {
      const opened = towards.open(asked.headers);
      pass(asked, opened, from, towards);
      if (asked.headers['streamtype'] === 'error') passErrors(opened, asked);
      else pass(opened, asked, towards, from);
    },
  });
  await Promise.race([from.closed, towards.closed]);
  from.close();
  towards.close();
}

function pass(source: SpdyStream, target: SpdyStream, read: SpdyConnection, written: SpdyConnection): void {
  source.onData = (chunk) => {
    if (target.write(chunk)) return;
    read.pause();
    void written.drained().then(() => read.resume());
  };
  source.onEnd = () => target.end();
  source.onReset = () => target.cancel();
}

/** An error is one text, and over. */
function passErrors(source: SpdyStream, target: SpdyStream): void {
  const said: Buffer[] = [];
  const over = () => {
    const text = Buffer.concat(said);
    if (text.length > 0 && !CONNECTION_ENDED.test(text.toString('utf8'))) target.write(text);
    target.end();
  };
  source.onData = (chunk) => void said.push(Buffer.from(chunk));
  source.onEnd = over;
  source.onReset = over;
}
