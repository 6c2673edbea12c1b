// A watch by a real WebSocket client, over TLS.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { WebSocket } from 'ws';
import { type LoopbackServer, startLoopbackServer } from './loopback.ts';

describe('a watch over a WebSocket', () => {
  let server: LoopbackServer;
  before(async () => {
    server = await startLoopbackServer();
  });
  after(() => server.stop());

  it('is an event a message, until the client goes', async () => {
    const tls = { ca: server.authority.certificate, cert: server.client.certificate, key: server.client.key };
    const client = new WebSocket(
      `${server.url.replace('https', 'wss')}/api/v1/namespaces?watch=1&fieldSelector=metadata.name=default`,
      tls,
    );
    const [event, isBinary] = await new Promise<[Buffer, boolean]>((resolve, reject) => {
      client.once('message', (data: Buffer, binary: boolean) => resolve([data, binary]));
      client.once('error', reject);
    });
    const { type, object } = JSON.parse(event.toString()) as { type: string; object: { metadata: { name: string } } };
    assert.deepEqual([type, object.metadata.name, isBinary], ['ADDED', 'default', false]);
    const code = await new Promise((resolve) => {
      client.once('close', resolve);
      client.close(1000);
    });
    assert.equal(code, 1000);
  });
});
