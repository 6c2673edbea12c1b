// A fresh Coracle API server for the corpus: the memory store instead of a disk, everything else as `coracle server` wires it
// (src/cluster/server-program.ts), and no controllers, as the reference has none.
import { generateKeyPairSync } from 'node:crypto';
import { SystemClock } from '#base/clock.ts';
import { silentLog } from '#base/log.ts';
import { MetricsRegistry } from '#base/metrics.ts';
import { SystemRandom } from '#base/random.ts';
import { nodes, pods, secrets, serviceaccounts } from '#generated/resources.ts';
import { admissionPlugins } from '#apiserver/admission/plugins.ts';
import { createAuthenticator } from '#apiserver/authentication/authenticator.ts';
import { liveLookup, lookupOf } from '#apiserver/authentication/lookup.ts';
import { TokenIssuer } from '#apiserver/authentication/token-request.ts';
import { apiServerUser } from '#apiserver/authentication/users.ts';
import { createAuthorizer } from '#apiserver/authorization/authorizer.ts';
import { reconcileBootstrapRoles } from '#apiserver/authorization/bootstrap/reconcile.ts';
import { nodeGraphOf } from '#apiserver/authorization/node-graph.ts';
import { rbacSourceOf } from '#apiserver/authorization/rbac-source.ts';
import { Listener } from '#apiserver/listener.ts';
import { type ApiServer, createApiServer } from '#apiserver/server.ts';
import { createInformers } from '#client/informers.ts';
import { createClient } from '#client/rest-client.ts';
import { createInProcessTransport } from '#client/transports/in-process.ts';
import { builtinKinds } from '#kinds/registry.ts';
import type { Exchange } from '#machinery/exchange.ts';
import { createAuthority, createLeaf } from '#pki/certificates.ts';
import { parsePublicKeys, TokenSigner, TokenVerifier } from '#pki/tokens.ts';
import { createMemoryStore } from '#store/memory.ts';
import { type DiffServer, SERVICE_CIDR, USER } from './server.ts';

const TOKEN = 'corpus';
const ISSUER = 'https://kubernetes.default.svc.cluster.local';

export async function startCoracle(): Promise<DiffServer> {
  const clock = new SystemClock();
  const log = silentLog;
  const random = new SystemRandom();
  const store = createMemoryStore({ clock });
  const authority = await createAuthority('corpus', clock.now());
  const serving = await createLeaf(authority, {
    notBeforeMs: clock.now() - 60_000,
    notAfterMs: clock.now() + 24 * 3_600_000,
    commonName: 'kube-apiserver',
    extendedUsages: ['server auth'],
    names: { dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] },
  });
  const keys = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });

  let server: ApiServer | undefined;
  const exchange: Exchange = (request) => server!.exchange(request);
  const client = createClient({
    transport: createInProcessTransport(exchange, apiServerUser),
    clock,
    userAgent: 'kube-apiserver',
  });
  const informers = createInformers({ client, clock, random, log });
  const accounts = lookupOf(informers, client, serviceaccounts);
  const podLookup = lookupOf(informers, client, pods);
  const nodeLookup = lookupOf(informers, client, nodes);
  const secretLookup = liveLookup(client, secrets);
  const authentication = createAuthenticator({
    clock,
    clientCa: authority.certificate,
    audiences: [ISSUER],
    staticTokens: [{ token: TOKEN, user: USER }] as never,
    serviceAccounts: {
      clock,
      issuers: [ISSUER],
      verifier: new TokenVerifier(parsePublicKeys([keys.publicKey])),
      serviceAccounts: accounts,
      pods: podLookup,
      nodes: nodeLookup,
      secrets: secretLookup,
    },
    anonymous: true,
  });
  const authorization = createAuthorizer({ rbac: rbacSourceOf(informers), nodeGraph: nodeGraphOf(informers) });
  server = createApiServer(
    {
      serviceCIDR: SERVICE_CIDR,
      nodePortRange: [30_000, 32_767],
      advertise: { ip: '127.0.0.1', port: 6443 },
      platform: 'linux/amd64',
      runtime: `node${process.versions.node}`,
      audiences: [ISSUER],
    },
    {
      store,
      clock,
      random,
      log,
      metrics: new MetricsRegistry(),
      kinds: builtinKinds() as never,
      authenticator: authentication.requests,
      authorizer: authorization.authorizer,
      rules: authorization.rules,
      tokens: authentication.tokens,
      tokenIssuer: new TokenIssuer({
        clock,
        random,
        signer: new TokenSigner(keys.privateKey),
        issuer: ISSUER,
        audiences: [ISSUER],
        serviceAccounts: accounts,
        pods: podLookup,
        secrets: secretLookup,
        nodes: nodeLookup,
      }),
      admission: admissionPlugins({
        clock,
        random,
        informers,
        client,
        authorizer: authorization.authorizer,
        rbac: authorization.rbac,
      }),
      hooks: [{ name: 'rbac/bootstrap-roles', run: async () => void (await reconcileBootstrapRoles({ client, log })) }],
    },
  );
  const api = server;
  const stopping = new AbortController();
  await api.start(stopping.signal);
  await informers.start(stopping.signal);
  const listener = new Listener(
    { host: '127.0.0.1', port: 0, certificate: serving.certificate, privateKey: serving.key },
    { exchange: api.exchange, upgrade: api.upgrade, clock, log },
  );
  await listener.start();
  await api.ready();
  return {
    name: 'coracle',
    url: `https://127.0.0.1:${listener.port}`,
    ca: authority.certificate,
    token: TOKEN,
    async stop() {
      stopping.abort();
      await listener.stop();
      await informers.stop();
      await api.stop();
      await store.close();
    },
  };
}
