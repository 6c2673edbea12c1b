// One life of the API server over a store that outlives it, wired as the real program wires it, without its listeners.
import type { Pod } from '#generated/api/core-v1.ts';
import type { Clock } from '#base/clock.ts';
import { startAll, stopAll } from '#base/lifecycle.ts';
import type { Log } from '#base/log.ts';
import { MetricsRegistry } from '#base/metrics.ts';
import type { Random } from '#base/random.ts';
import { nodes, pods, secrets, serviceaccounts } from '#generated/resources.ts';
import { metricsApi } from '#apiserver/metricsapi/metricsapi.ts';
import { admissionPlugins } from '#apiserver/admission/plugins.ts';
import { liveLookup, lookupOf } from '#apiserver/authentication/lookup.ts';
import { TokenIssuer } from '#apiserver/authentication/token-request.ts';
import { apiServerUser } from '#apiserver/authentication/users.ts';
import { createAuthorizer } from '#apiserver/authorization/authorizer.ts';
import { reconcileBootstrapRoles } from '#apiserver/authorization/bootstrap/reconcile.ts';
import { nodeGraphOf } from '#apiserver/authorization/node-graph.ts';
import { rbacSourceOf } from '#apiserver/authorization/rbac-source.ts';
import { type ApiServer, createApiServer } from '#apiserver/server.ts';
import { createInformers } from '#client/informers.ts';
import { createClient } from '#client/rest-client.ts';
import { createInProcessTransport } from '#client/transports/in-process.ts';
import { clusterDefaults } from '#cluster/cluster-defaults.ts';
import type { ClusterConfig } from '#cluster/config.ts';
import { builtinKinds } from '#kinds/registry.ts';
import type { Exchange } from '#machinery/exchange.ts';
import type { Pki } from '#pki/ensure.ts';
import { generateKey } from '#pki/keys.ts';
import { TokenSigner } from '#pki/tokens.ts';
import { type Store, StoreError } from '#store/store.ts';
import type { Reachable } from './link.ts';
import { scriptedUsage } from './load.ts';

const ISSUER = 'https://kubernetes.default.svc.cluster.local';

/** What the cluster's defaults read of configuration and certificates. */
const CONFIG = { clusterDNS: '10.96.0.10', disabled: [] as readonly string[] } as ClusterConfig;
const PKI = { ca: { certificate: 'simulated' }, frontProxyCa: { certificate: 'simulated' } } as Pki;

export interface ServerDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Sees every request, those of the server itself included. */
  readonly observe: (exchange: Exchange) => Exchange;
  /** Thousandths of a core that a pod uses: what the metrics API tells of it. */
  readonly load: (pod: Pod) => number;
}

export interface LivingServer extends Reachable {
  /** Resolves when it serves and has made what every cluster has. */
  start(): Promise<void>;
  /** As kill -9 would: what is not in the store by now never will be. Resolves when its memory is released. */
  kill(): Promise<void>;
}

export function livingServer(deps: ServerDeps): LivingServer {
  const { clock, random, log } = deps;
  const dead = new AbortController();
  const store = mortal(deps.store, dead.signal);
  let server: ApiServer | undefined;
  const exchange = deps.observe((request) => server!.exchange(request));
  const client = createClient({
    transport: createInProcessTransport(exchange, apiServerUser),
    clock,
    userAgent: 'kube-apiserver',
    freeze: true,
  });
  const informers = createInformers({ client, clock, random, log }, { freeze: true });
  const authorization = createAuthorizer({ rbac: rbacSourceOf(informers), nodeGraph: nodeGraphOf(informers) });
  const { authorizer, rules, rbac } = authorization;
  server = createApiServer(
    {
      serviceCIDR: '10.96.0.0/12',
      nodePortRange: [30_000, 32_767],
      advertise: { ip: '192.0.2.10', port: 6443 },
      platform: 'linux/amd64',
      runtime: 'node26',
      audiences: [ISSUER],
    },
    {
      store,
      clock,
      random,
      log,
      metrics: new MetricsRegistry(),
      kinds: builtinKinds() as never,
      authenticator: { authenticate: async (request) => ({ user: request.peer.user! }) },
      authorizer,
      rules,
      tokenIssuer: new TokenIssuer({
        clock,
        random,
        signer: new TokenSigner(generateKey()),
        issuer: ISSUER,
        audiences: [ISSUER],
        serviceAccounts: lookupOf(informers, client, serviceaccounts),
        pods: lookupOf(informers, client, pods),
        nodes: lookupOf(informers, client, nodes),
        secrets: liveLookup(client, secrets),
      }),
      admission: admissionPlugins({ clock, random, informers, client, authorizer, rbac }),
      computed: metricsApi({
        informers,
        clock,
        log,
        scrape: scriptedUsage({
          clock,
          load: deps.load,
          podsOf: (node) =>
            informers
              .informer(pods)
              .list()
              .filter((p) => p.spec?.nodeName === node),
        }),
      }),
      hooks: [
        { name: 'rbac/bootstrap-roles', run: async () => void (await reconcileBootstrapRoles({ client, log })) },
        { name: 'coracle/cluster-defaults', run: () => clusterDefaults(CONFIG, PKI, client) },
      ],
    },
  );
  const api = server;
  const parts = [
    api,
    { name: 'apiserver-informers', start: (s: AbortSignal) => informers.start(s), stop: () => informers.stop() },
  ];
  return {
    exchange,
    gone: dead.signal,
    start: async () => {
      await startAll(parts, dead.signal);
      await api.ready();
    },
    kill: async () => {
      dead.abort(new StoreError('Closed', 'the server was killed'));
      await stopAll(parts);
    },
  };
}

/** The store as one server sees it: closed for it once that server is dead, while the data stay. */
function mortal(store: Store, dead: AbortSignal): Store {
  const alive = <A extends unknown[], R>(call: (...args: A) => Promise<R>) => {
    return async (...args: A): Promise<R> => {
      dead.throwIfAborted();
      return call(...args);
    };
  };
  return {
    get: alive((key) => store.get(key)),
    list: alive((prefix, options) => store.list(prefix, options)),
    commit: alive((commit) => store.commit(commit)),
    revision: alive(() => store.revision()),
    compact: alive((revision) => store.compact(revision)),
    get compacted() {
      return store.compacted;
    },
    watch: (prefix, from, signal) => store.watch(prefix, from, AbortSignal.any([signal, dead])),
    progress: (prefix) => store.progress(prefix),
    close: async () => {},
  };
}
