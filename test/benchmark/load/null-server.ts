// A server that answers every request at once with the same few bytes, over the same TLS: what is measured against it is the ceiling of
// the load generator. A process of its own; says its port to its parent.
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';

process.once('message', ({ certificate, key, bytes }: { certificate: string; key: string; bytes: number }) => {
  const body = Buffer.alloc(bytes, 'x');
  const server = http2.createSecureServer({ cert: certificate, key, settings: { maxConcurrentStreams: 250 } });
  server.on('stream', (each) => {
    const stream = each as http2.ServerHttp2Stream;
    stream.on('error', () => stream.destroy());
    stream.resume();
    stream.respond({ ':status': 200, 'content-type': 'application/json' });
    stream.end(body);
  });
  server.listen(0, '127.0.0.1', () => process.send!({ port: (server.address() as AddressInfo).port }));
});
process.on('disconnect', () => process.exit());
