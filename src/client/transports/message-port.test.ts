import assert from 'node:assert/strict';
import { it } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { createMessagePortTransport, serveExchange } from './message-port.ts';
import { describeTransport } from './transport.suite.ts';

const user = { name: 'system:kube-scheduler', groups: ['system:authenticated'] };

describeTransport('MessagePortTransport', async (exchange) => {
  const { port1, port2 } = new MessageChannel();
  const stop = serveExchange(port1, exchange, user);
  const transport = createMessagePortTransport(port2);
  return {
    transport,
    close: async () => {
      await transport.close();
      stop();
    },
  };
});

it('MessagePortTransport speaks as the user that serveExchange was given, and fails when the other end goes', async () => {
  const { port1, port2 } = new MessageChannel();
  const stop = serveExchange(
    port1,
    async (r) =>
      r.path === '/hang' ? new Promise(() => {}) : { status: 200, headers: {}, body: Buffer.from(r.peer.user!.name) },
    user,
  );
  const transport = createMessagePortTransport(port2);
  const { signal } = new AbortController();
  const response = await transport.request({ method: 'GET', path: '/', headers: {}, signal });
  assert.equal(Buffer.from(response.body as Uint8Array).toString(), user.name);
  const hanging = transport.request({ method: 'GET', path: '/hang', headers: {}, signal });
  stop();
  await assert.rejects(hanging, { reason: 'ServiceUnavailable' });
  await assert.rejects(transport.request({ method: 'GET', path: '/', headers: {}, signal }), {
    reason: 'ServiceUnavailable',
  });
});
