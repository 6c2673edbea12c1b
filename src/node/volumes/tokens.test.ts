import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod } from '#generated/api/core-v1.ts';
import { serviceaccounts } from '#generated/resources.ts';
import { SteppedClock } from '#base/clock.ts';
import type { Client } from '#client/client.ts';
import { formatTime } from '#machinery/time.ts';
import { Tokens } from './tokens.ts';

interface Asked {
  readonly path: string;
  readonly spec: {
    readonly audiences: readonly string[];
    readonly expirationSeconds: number;
    readonly boundObjectRef: object;
  };
}

function bed() {
  const clock = new SteppedClock();
  const asked: Asked[] = [];
  const server = { isAway: false };
  const client = {
    resource: () => ({
      createSubresource: async (
        namespace: string,
        name: string,
        subresource: string,
        body: { spec: Asked['spec'] },
      ) => {
        if (server.isAway) throw new Error('away');
        asked.push({ path: `${namespace}/${name}/${subresource}`, spec: body.spec });
        const end = formatTime(clock.now() + body.spec.expirationSeconds * 1000);
        return { status: { token: `token-${asked.length}`, expirationTimestamp: end } };
      },
    }),
  } as unknown as Client;
  return { clock, asked, server, tokens: new Tokens({ client, clock, serviceAccounts: serviceaccounts }) };
}
const pod = { metadata: { name: 'p', namespace: 'app', uid: 'u' }, spec: { serviceAccountName: 'sa' } } as Pod;

describe('tokens of pods', () => {
  it('are asked for by TokenRequest, bound to the pod, one for each audience', async () => {
    const { asked, tokens } = bed();
    assert.equal(await tokens.get(pod, undefined, 3600), 'token-1');
    assert.equal(await tokens.get(pod, 'vault', 600), 'token-2');
    assert.equal(await tokens.get(pod, undefined, 3600), 'token-1');
    assert.deepEqual(
      asked.map((a) => [a.path, a.spec.audiences, a.spec.expirationSeconds]),
      [
        ['app/sa/token', [], 3600],
        ['app/sa/token', ['vault'], 600],
      ],
    );
    assert.deepEqual(asked[0]!.spec.boundObjectRef, { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'u' });
  });

  it('are renewed after four fifths of their life; the old one serves on while the server is away', async () => {
    const { clock, server, tokens } = bed();
    await tokens.get(pod, undefined, 1000);
    await clock.step(790_000);
    assert.equal(await tokens.get(pod, undefined, 1000), 'token-1');
    await clock.step(20_000);
    server.isAway = true;
    assert.equal(await tokens.get(pod, undefined, 1000), 'token-1');
    server.isAway = false;
    assert.equal(await tokens.get(pod, undefined, 1000), 'token-2');
    tokens.forget('u');
    server.isAway = true;
    await assert.rejects(tokens.get(pod, undefined, 1000), /away/);
  });

  it('that live long are renewed after a day', async () => {
    const { clock, asked, tokens } = bed();
    await tokens.get(pod, undefined, 365 * 86_400);
    await clock.step(86_400_000 + 1);
    await tokens.get(pod, undefined, 365 * 86_400);
    assert.equal(asked.length, 2);
  });
});
