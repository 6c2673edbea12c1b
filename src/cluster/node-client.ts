// A node's clients of the API server, with the node's own certificates.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '#base/clock.ts';
import type { Client } from '#client/client.ts';
import { createClient } from '#client/rest-client.ts';
import { createHttpsTransport } from '#client/transports/https.ts';
import type { ClusterConfig } from './config.ts';
import { nodeEndpoint } from './materials.ts';
import type { ClusterPaths } from './paths.ts';

/** `pair` is the path of certificate and key without `.crt` and `.key`. */
export function nodeClient(
  config: ClusterConfig,
  paths: ClusterPaths,
  pair: string,
  clock: Clock,
  userAgent: string,
): Client {
  const transport = createHttpsTransport({
    server: nodeEndpoint(config),
    ca: readFileSync(join(paths.pki, 'ca.crt')),
    cert: readFileSync(`${pair}.crt`),
    key: readFileSync(`${pair}.key`),
    clock,
  });
  return createClient({ transport, clock, userAgent });
}
