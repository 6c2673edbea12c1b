// An API server on a free loopback port with real certificates, for tests that run real clients against it.
import { SystemClock } from '#base/clock.ts';
import { createLog, silentLog } from '#base/log.ts';
import { testServerParts, type TestServerOptions } from '#apiserver/fixture.ts';
import { Listener } from '#apiserver/listener.ts';
import type { ApiServer } from '#apiserver/server.ts';
import { createAuthority, createLeaf } from '#pki/certificates.ts';
import type { Store } from '#store/store.ts';

export interface LoopbackServer {
  readonly url: string;
  readonly port: number;
  /** A kubeconfig's text: a client certificate in system:masters. */
  readonly kubeconfig: string;
  readonly authority: { readonly certificate: string };
  readonly client: { readonly certificate: string; readonly key: string };
  readonly server: ApiServer;
  readonly store: Store;
  stop(): Promise<void>;
}

export async function startLoopbackServer(
  options: TestServerOptions & {
    readonly port?: number;
    /** Called before it starts, for parts of it that are its clients. */
    readonly made?: (server: ApiServer) => void;
  } = {},
): Promise<LoopbackServer> {
  const clock = options.clock ?? new SystemClock();
  const log =
    process.env.TEST_LOG === undefined
      ? silentLog
      : createLog({ write: (line) => process.stderr.write(line) }, { level: 'debug' });
  const authority = await createAuthority('test', clock.now());
  const valid = { notBeforeMs: clock.now() - 60_000, notAfterMs: clock.now() + 24 * 3_600_000 };
  const serving = await createLeaf(authority, {
    ...valid,
    commonName: 'kube-apiserver',
    extendedUsages: ['server auth'],
    names: { dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] },
  });
  const client = await createLeaf(authority, {
    ...valid,
    commonName: 'admin',
    organizations: ['system:masters'],
    extendedUsages: ['client auth'],
  });
  const { server, store } = testServerParts({ ...options, clock, log });
  options.made?.(server);
  await server.start(new AbortController().signal);
  const listener = new Listener(
    {
      host: '127.0.0.1',
      port: options.port ?? 0,
      certificate: serving.certificate,
      privateKey: serving.key,
      clientCa: authority.certificate,
    },
    { exchange: server.exchange, upgrade: server.upgrade, clock, log },
  );
  await listener.start();
  await server.ready();
  const url = `https://127.0.0.1:${listener.port}`;
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const kubeconfig = JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [{ name: 'test', cluster: { server: url, 'certificate-authority-data': base64(authority.certificate) } }],
    users: [
      {
        name: 'test',
        user: { 'client-certificate-data': base64(client.certificate), 'client-key-data': base64(client.key) },
      },
    ],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
  });
  return {
    url,
    port: listener.port,
    kubeconfig,
    authority,
    client,
    server,
    store,
    async stop() {
      await listener.stop();
      await server.stop();
      await store.close();
    },
  };
}
