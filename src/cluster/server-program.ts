// `coracle server`: store, API server and control plane in one process, three threads. The wiring, and nothing else.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import type { Clock } from '#base/clock.ts';
import type { Component } from '#base/lifecycle.ts';
import { startAll, stopAll } from '#base/lifecycle.ts';
import type { Log } from '#base/log.ts';
import { MetricsRegistry } from '#base/metrics.ts';
import { SystemRandom } from '#base/random.ts';
import { nodes, pods, secrets, serviceaccounts } from '#generated/resources.ts';
import { Aggregation } from '#apiserver/aggregation/aggregation.ts';
import { createAuditLog } from '#apiserver/audit.ts';
import { createAuthenticator } from '#apiserver/authentication/authenticator.ts';
import { liveLookup, lookupOf } from '#apiserver/authentication/lookup.ts';
import { TokenIssuer } from '#apiserver/authentication/token-request.ts';
import { apiServerUser } from '#apiserver/authentication/users.ts';
import { createAuthorizer } from '#apiserver/authorization/authorizer.ts';
import { reconcileBootstrapRoles } from '#apiserver/authorization/bootstrap/reconcile.ts';
import { nodeGraphOf } from '#apiserver/authorization/node-graph.ts';
import { rbacSourceOf } from '#apiserver/authorization/rbac-source.ts';
import { admissionPlugins } from '#apiserver/admission/plugins.ts';
import { observeEventLoop } from '#apiserver/event-loop-metrics.ts';
import { Listener } from '#apiserver/listener.ts';
import { kubeletScrape, metricsApi } from '#apiserver/metricsapi/metricsapi.ts';
import { jsonValue } from '#apiserver/responses.ts';
import { type ApiServer, createApiServer } from '#apiserver/server.ts';
import { createInformers } from '#client/informers.ts';
import { createClient } from '#client/rest-client.ts';
import { createInProcessTransport } from '#client/transports/in-process.ts';
import { serveExchange } from '#client/transports/message-port.ts';
import { RotatingFile } from '#host/rotating-file.ts';
import { builtinKinds } from '#kinds/registry.ts';
import type { Exchange } from '#machinery/exchange.ts';
import { jsonWebKeySet, JWKS_PATH, openidConfiguration } from '#pki/issuer-discovery.ts';
import type { Pki } from '#pki/ensure.ts';
import { parsePublicKeys, TokenSigner, TokenVerifier } from '#pki/tokens.ts';
import { createEmbeddedStore } from '#store/embedded/embedded.ts';
import type { Store } from '#store/store.ts';
import { loadBalancerRanges } from './addresses.ts';
import { clusterAccess } from './cluster-access.ts';
import { clusterDefaults } from './cluster-defaults.ts';
import type { ClusterConfig } from './config.ts';
import type { ControlOptions } from './control-plane.ts';
import { DnsRelay } from './dns-relay.ts';
import type { ClusterPaths } from './paths.ts';

export interface ServerProgramDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly pki: Pki;
  /** Folder of the bundled entry points of threads. */
  readonly bundleDir: string;
}

/** Bytes of an audit log, and how many full ones are kept beside it. */
const AUDIT_BYTES = 100 * 1024 * 1024;
const AUDIT_FILES = 5;
/** Default range of NodePort services. */
const NODE_PORTS: readonly [number, number] = [30_000, 32_767];

export async function startServer(
  config: ClusterConfig,
  paths: ClusterPaths,
  deps: ServerProgramDeps,
  signal: AbortSignal,
): Promise<Component> {
  const { clock, log, pki } = deps;
  // For the threads that start below; this one has its own.
  setFlagsFromString('--max-semi-space-size=1');
  const random = new SystemRandom();
  const metrics = new MetricsRegistry();
  observeEventLoop(metrics);
  mkdirSync(paths.store, { recursive: true, mode: 0o700 });
  const store = await createEmbeddedStore({
    dir: paths.store,
    clock,
    log,
    workerEntry: join(deps.bundleDir, 'store-worker.mjs'),
  });

  // The parts of the API server look at its own objects through a client of it, so the exchange comes before them.
  let server: ApiServer | undefined;
  const exchange: Exchange = (request) => server!.exchange(request);
  const client = createClient({
    transport: createInProcessTransport(exchange, apiServerUser),
    clock,
    userAgent: 'kube-apiserver',
  });
  const informers = createInformers({ client, clock, random, log });

  const issuer = `https://kubernetes.default.svc.${config.clusterDomain}`;
  const publicKeys = parsePublicKeys(pki.serviceAccount.publicKeys);
  const accounts = lookupOf(informers, client, serviceaccounts);
  const podLookup = lookupOf(informers, client, pods);
  const nodeLookup = lookupOf(informers, client, nodes);
  const secretLookup = liveLookup(client, secrets);
  const authentication = createAuthenticator({
    clock,
    clientCa: pki.ca.certificate,
    frontProxy: { ca: pki.frontProxyCa.certificate, allowedNames: ['front-proxy-client'] },
    audiences: [issuer],
    serviceAccounts: {
      clock,
      issuers: [issuer],
      verifier: new TokenVerifier(publicKeys),
      serviceAccounts: accounts,
      pods: podLookup,
      nodes: nodeLookup,
      secrets: secretLookup,
    },
    bootstrapTokenSecrets: secretLookup,
    anonymous: true,
  });
  const authorization = createAuthorizer({ rbac: rbacSourceOf(informers), nodeGraph: nodeGraphOf(informers) });
  const audit = createAuditLog({
    clock,
    log,
    output: new RotatingFile({
      path: join(paths.logs, 'audit.log'),
      maxBytes: AUDIT_BYTES,
      keep: AUDIT_FILES,
      mode: 0o600,
    }),
    dropped: metrics.counter('apiserver_audit_error_total', 'Audit lines that were dropped.'),
  });
  const access = clusterAccess({ informers, client, pki, clock, random, log });
  const aggregation = new Aggregation({
    client,
    informers,
    dialer: access.dialer,
    frontProxy: { certificate: pki.frontProxyClient.certificate, privateKey: pki.frontProxyClient.key },
    clock,
    log,
  });
  const platform = `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`;
  server = createApiServer(
    {
      serviceCIDR: config.serviceCIDR,
      ...(config.ipv6 === undefined ? {} : { secondaryServiceCIDR: config.ipv6.serviceCIDR }),
      nodePortRange: NODE_PORTS,
      advertise: { ip: config.machineIP, port: config.apiPort },
      platform,
      runtime: `node${process.versions.node}`,
      audiences: [issuer],
    },
    {
      store,
      clock,
      random,
      log,
      metrics,
      kinds: builtinKinds() as never,
      authenticator: authentication.requests,
      authorizer: authorization.authorizer,
      rules: authorization.rules,
      tokens: authentication.tokens,
      tokenIssuer: new TokenIssuer({
        clock,
        random,
        signer: new TokenSigner(pki.serviceAccount.signingKey),
        issuer,
        audiences: [issuer],
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
      audit,
      connect: access.connect,
      computed: config.disabled.includes('metrics')
        ? []
        : metricsApi({ informers, scrape: kubeletScrape(access.kubelets), clock, log }),
      aggregation,
      upgrades: access.upgrades,
      routes: [
        {
          path: '/.well-known/openid-configuration',
          serve: () =>
            jsonValue(
              200,
              openidConfiguration(issuer, `https://${config.machineIP}:${config.apiPort}${JWKS_PATH}`, publicKeys),
            ),
        },
        { path: JWKS_PATH, serve: () => jsonValue(200, jsonWebKeySet(publicKeys)) },
      ],
      hooks: [
        { name: 'rbac/bootstrap-roles', run: async () => void (await reconcileBootstrapRoles({ client, log })) },
        { name: 'coracle/cluster-defaults', run: () => clusterDefaults(config, pki, client) },
      ],
    },
  );
  const api = server;

  const listeners = config.bindAddresses.map(
    (host) =>
      new Listener(
        {
          host,
          port: config.apiPort,
          certificate: pki.server.certificate,
          privateKey: pki.server.key,
          clientCa: `${pki.ca.certificate}${pki.frontProxyCa.certificate}`,
        },
        { exchange: api.exchange, upgrade: api.upgrade, clock, log },
      ),
  );
  const parts: Component[] = [
    storeComponent(store),
    api,
    // Behind the API server that they read from, before anybody from outside gets in.
    { name: 'apiserver-informers', start: (s) => informers.start(s), stop: () => informers.stop() },
    aggregation,
    ...listeners,
    access.tunnels,
    ...(config.hollow ? [] : [new DnsRelay(config.machineIP, { clock, log })]),
    controlThread(config, deps, exchange),
  ];
  await startAll(parts, signal);
  return { name: 'server', start: async () => {}, stop: () => stopAll(parts) };
}

const storeComponent = (store: Store): Component => ({
  name: 'store',
  start: async () => {},
  stop: () => store.close(),
});

/** Controllers and scheduler in a thread of their own; started again when it dies. */
function controlThread(config: ClusterConfig, deps: ServerProgramDeps, exchange: Exchange): Component {
  const { log, clock, pki } = deps;
  const options: ControlOptions = {
    podCIDR: config.podCIDR,
    ...(config.ipv6 === undefined ? {} : { secondaryPodCIDR: config.ipv6.podCIDR }),
    rootCa: pki.ca.certificate,
    disabled: config.disabled,
    loadBalancerRanges: loadBalancerRanges(config),
  };
  let worker: Worker | undefined;
  let stopServing: (() => void) | undefined;
  let stopped = false;
  const start = () => {
    worker = new Worker(join(deps.bundleDir, 'control-worker.mjs'), { workerData: { options } });
    stopServing = serveExchange(worker as never, exchange, apiServerUser);
    worker.on('error', (error) => log.error('the control thread failed', { error }));
    worker.on('exit', () => {
      stopServing?.();
      if (!stopped) clock.setTimer(1_000, start);
    });
  };
  return {
    name: 'control',
    start: async () => start(),
    stop: async () => {
      stopped = true;
      stopServing?.();
      await worker?.terminate();
    },
  };
}
