import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SteppedClock } from '#base/clock.ts';
import type { Client } from '#client/client.ts';
import { KindMapper } from '../runtime/kind-mapper.ts';
import { ApiMetricsClient } from './metrics-client.ts';

/** Serves both APIs with one value of everything. */
function makeClient() {
  const asked: string[] = [];
  const group = { name: 'custom.metrics.k8s.io', versions: [{ version: 'v1beta2' }] };
  const items = [{ describedObject: { name: 'web' }, timestamp: '2026-01-01T00:00:00Z', value: '3' }];
  const client = {
    raw: async (_method: string, path: string) => {
      asked.push(path);
      const answer = path === '/apis/custom.metrics.k8s.io' ? group : { items };
      return { status: 200, body: [Buffer.from(JSON.stringify(answer))] };
    },
  } as unknown as Client;
  return { asked, metrics: new ApiMetricsClient(client, new KindMapper(client, new SteppedClock())) };
}

describe('ApiMetricsClient', () => {
  it('asks for a metric by its name, whatever characters are in it', async () => {
    const { asked, metrics } = makeClient();
    assert.deepEqual(await metrics.external('queue?limit=1#x', 'shop', ''), [3000]);
    await metrics.pods('hits per s', 'shop', 'app=web', '');
    await metrics.object('a/b', 'shop', { apiVersion: 'v1', kind: 'Namespace', name: 'shop' }, '');
    assert.deepEqual(
      asked.filter((path) => path !== '/apis/custom.metrics.k8s.io'),
      [
        '/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/queue%3Flimit%3D1%23x',
        '/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/pods/*/hits%20per%20s?labelSelector=app%3Dweb',
        '/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/metrics/a%2Fb',
      ],
    );
  });
});
