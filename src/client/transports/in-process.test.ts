import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createInProcessTransport } from './in-process.ts';
import { describeTransport } from './transport.suite.ts';

const user = { name: 'system:kube-scheduler', groups: ['system:authenticated'] };

describeTransport('InProcessTransport', async (exchange) => {
  const transport = createInProcessTransport(exchange, user);
  return { transport, close: () => transport.close() };
});

it('InProcessTransport speaks as the user it was given', async () => {
  const transport = createInProcessTransport(
    async (r) => ({ status: 200, headers: {}, body: Buffer.from(r.peer.user!.name) }),
    user,
  );
  const response = await transport.request({
    method: 'GET',
    path: '/',
    headers: {},
    signal: new AbortController().signal,
  });
  assert.equal(response.body.toString(), user.name);
});
