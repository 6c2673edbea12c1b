// One port of a port-forward connection as an ordinary stream, for readers that know nothing of SPDY. The connection serves it alone.
import { Duplex } from 'node:stream';
import type { SpdyConnection } from './spdy.ts';

export function openPortStream(connection: SpdyConnection, port: number): Duplex {
  const headers = { port: String(port), requestid: '0' };
  const errors = connection.open({ ...headers, streamtype: 'error' }, true);
  const data = connection.open({ ...headers, streamtype: 'data' });
  const stream = new Duplex({
    read: () => connection.resume(),
    write(chunk: Buffer, _encoding, done) {
      if (data.write(chunk)) return done();
      void connection.drained().then(() => done());
    },
    final(done) {
      data.end();
      done();
    },
    destroy(error, done) {
      connection.close();
      done(error);
    },
  });
  errors.onData = (chunk) => void stream.destroy(new Error(chunk.toString('utf8').trim()));
  data.onData = (chunk) => void (stream.push(chunk) || connection.pause());
  data.onEnd = () => void stream.push(null);
  void connection.closed.then(() => stream.destroy());
  return stream;
}
