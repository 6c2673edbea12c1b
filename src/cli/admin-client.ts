// The way a command talks to its cluster: as the administrator.
import { readFileSync } from 'node:fs';
import type { Client } from '#client/client.ts';
import { createClient } from '#client/rest-client.ts';
import { createHttpsTransport } from '#client/transports/https.ts';
import { machineEndpoint } from '#cluster/materials.ts';
import { clock, type OpenCluster } from './context.ts';

/** A client with the administrator's certificate. */
export function adminClient({ config, paths }: Pick<OpenCluster, 'config' | 'paths'>, userAgent = 'coracle'): Client {
  return createClient({
    transport: createHttpsTransport({
      server: machineEndpoint(config),
      ca: readFileSync(`${paths.pki}/ca.crt`),
      cert: readFileSync(`${paths.pki}/admin.crt`),
      key: readFileSync(`${paths.pki}/admin.key`),
      clock,
    }),
    clock,
    userAgent,
  });
}
