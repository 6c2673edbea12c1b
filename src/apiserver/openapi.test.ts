import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startTestServer, type TestServer } from './fixture.ts';

describe('OpenApiV2', () => {
  let api: TestServer;
  before(async () => {
    api = await startTestServer();
  });
  after(() => api.stop());

  const PROTOBUF = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';
  const answers: readonly (readonly [string, number, string])[] = [
    ['', 200, 'application/json'],
    ['application/json', 200, 'application/json'],
    ['application/com.github.proto-openapi.spec.v2@v1.0+protobuf', 200, PROTOBUF],
    [`${PROTOBUF}, application/json;q=0.5`, 200, PROTOBUF],
    ['text/html', 406, 'application/json'],
  ];
  for (const [accept, status, type] of answers) {
    it(`answers ${status} in ${type} to "${accept}"`, async () => {
      const response = await api.raw('GET', '/openapi/v2', undefined, { accept });
      assert.deepEqual([response.status, response.headers['content-type']], [status, type]);
    });
  }

  it('refers to nothing that it does not define, and says once more only what changed', async () => {
    const { text, headers } = await api.call('GET', '/openapi/v2');
    const { definitions } = JSON.parse(text) as { definitions: Record<string, unknown> };
    const named = [...text.matchAll(/"\$ref":"#\/definitions\/([^"]+)"/g)].map((m) => m[1]!);
    assert.deepEqual(
      [...new Set(named)].filter((name) => !Object.hasOwn(definitions, name)),
      [],
    );
    assert.ok(named.length > 1_000);
    assert.ok(!text.includes('#/components/'));
    const again = await api.raw('GET', '/openapi/v2', undefined, { 'if-none-match': headers['etag']! });
    assert.equal(again.status, 304);
  });
});
