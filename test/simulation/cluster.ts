// A whole control plane on one seed in simulated time: memory store, the API server with its real authorization and admission,
// and every controller under its own identity. Nodes are hollow: pods are placed and said to run. Whatever is written to the
// API is the trace.
import { SteppedClock } from '#base/clock.ts';
import { type Component, startAll, stopAll } from '#base/lifecycle.ts';
import { createLog, type Log, silentLog } from '#base/log.ts';
import { MetricsRegistry } from '#base/metrics.ts';
import { SeededRandom } from '#base/random.ts';
import type { Node, Pod } from '#generated/api/core-v1.ts';
import { leases, nodes, pods } from '#generated/resources.ts';
import { apiServerUser } from '#apiserver/authentication/users.ts';
import { createAuthorizer } from '#apiserver/authorization/authorizer.ts';
import { reconcileBootstrapRoles } from '#apiserver/authorization/bootstrap/reconcile.ts';
import { nodeGraphOf } from '#apiserver/authorization/node-graph.ts';
import { rbacSourceOf } from '#apiserver/authorization/rbac-source.ts';
import { admissionPlugins } from '#apiserver/admission/plugins.ts';
import { type ApiServer, createApiServer } from '#apiserver/server.ts';
import type { Client } from '#client/client.ts';
import { QueuedEventRecorder } from '#client/events.ts';
import { createInformers } from '#client/informers.ts';
import { createClient } from '#client/rest-client.ts';
import { createInProcessTransport } from '#client/transports/in-process.ts';
import type { Transport } from '#client/transports/transport.ts';
import { createControllers } from '#controllers/controllers.ts';
import { builtinKinds } from '#kinds/registry.ts';
import type { Exchange } from '#machinery/exchange.ts';
import { formatMicroTime, formatTime } from '#machinery/time.ts';
import { createMemoryStore } from '#store/memory.ts';

export interface SimulationOptions {
  readonly seed: number;
  readonly nodes?: number;
  /** Everything the parts log, for looking into a failure. */
  readonly log?: (line: string) => void;
}

/** How often a hollow node speaks: upstream's kubelets renew their lease every ten seconds. */
const HEARTBEAT_MS = 10_000;
/** No call to the API takes longer. */
const CALL_LIMIT_MS = 35_000;
/** Time from placed to running on a hollow node, at most. */
const START_MS = 3_000;

export class SimulatedCluster {
  readonly clock = new SteppedClock();
  readonly random: SeededRandom;
  readonly client: Client;
  /** Every write that reached the API: `time user verb path status`. */
  readonly trace: string[] = [];
  /** Nodes whose agent has died. */
  readonly silent = new Set<string>();
  readonly #nodeNames: readonly string[];
  readonly #log: Log;
  #parts: readonly Component[] = [];
  #server: ApiServer | undefined;
  readonly #exchange: Exchange;
  /** Pod uid → when it will run. */
  readonly #startsAt = new Map<string, number>();

  constructor(options: SimulationOptions) {
    this.random = new SeededRandom(options.seed);
    this.#nodeNames = Array.from({ length: options.nodes ?? 3 }, (_, i) => `node-${i + 1}`);
    this.#log =
      options.log === undefined
        ? silentLog
        : createLog({ write: options.log }, { level: 'debug', now: () => this.clock.now() });
    this.#exchange = async (request) => {
      const response = await this.#server!.exchange(request);
      if (request.method !== 'GET') {
        const user = request.headers['impersonate-user'] ?? request.peer.user?.name;
        this.trace.push(`${this.clock.now()} ${user} ${request.method} ${request.path} ${response.status}`);
      }
      return response;
    };
    this.client = this.#clientAs(undefined, 'simulation');
  }

  async start(): Promise<void> {
    const { clock, random } = this;
    const log = this.#log;
    const store = createMemoryStore({ clock });
    const informers = createInformers({ client: this.client, clock, random, log }, { freeze: true });
    const authorization = createAuthorizer({ rbac: rbacSourceOf(informers), nodeGraph: nodeGraphOf(informers) });
    const metrics = new MetricsRegistry();
    const issuer = 'https://kubernetes.default.svc.cluster.local';
    this.#server = createApiServer(
      {
        serviceCIDR: '10.96.0.0/12',
        nodePortRange: [30_000, 32_767],
        advertise: { ip: '192.0.2.10', port: 6443 },
        platform: 'linux/amd64',
        runtime: 'node26',
        audiences: [issuer],
      },
      {
        store,
        clock,
        random,
        log,
        metrics,
        kinds: builtinKinds() as never,
        authenticator: { authenticate: async (request) => ({ user: request.peer.user! }) },
        authorizer: authorization.authorizer,
        rules: authorization.rules,
        admission: admissionPlugins({
          clock,
          random,
          informers,
          client: this.client,
          authorizer: authorization.authorizer,
          rbac: authorization.rbac,
        }),
        hooks: [
          {
            name: 'rbac/bootstrap-roles',
            run: async () => void (await reconcileBootstrapRoles({ client: this.client, log })),
          },
        ],
      },
    );
    const recorders: QueuedEventRecorder[] = [];
    const controllers = createControllers({
      clientFor: (identity) => this.#clientAs(`system:serviceaccount:kube-system:${identity}`, identity),
      eventsFor: (identity) => {
        const recorder = new QueuedEventRecorder(
          { client: this.#clientAs(`system:serviceaccount:kube-system:${identity}`, identity), clock, random, log },
          { component: identity },
        );
        recorders.push(recorder);
        void recorder.start();
        return recorder;
      },
      informers: createInformers(
        { client: this.#clientAs('system:kube-controller-manager', 'kube-controller-manager'), clock, random, log },
        { freeze: true },
      ),
      clock,
      random,
      log,
      metrics,
      options: { clusterCidrs: ['10.244.0.0/16'], nodeCidrMaskSize: 24, rootCa: 'simulated' },
    });
    this.#parts = [
      { name: 'store', start: async () => {}, stop: () => store.close() },
      this.#server,
      { name: 'apiserver-informers', start: (s) => informers.start(s), stop: () => informers.stop() },
      controllers,
      { name: 'recorders', start: async () => {}, stop: () => stopAll(recorders) },
    ];
    const started = startAll(this.#parts, new AbortController().signal);
    await this.#until(started);
    for (const name of this.#nodeNames) await this.#until(this.#register(name));
  }

  async stop(): Promise<void> {
    await this.#until(stopAll(this.#parts));
  }

  /** Lets time pass, nodes working. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 1000) {
      await this.clock.step(Math.min(1000, left));
      await this.#until(this.#playNodes());
    }
  }

  /** Passes time until the condition holds; throws after `limitMs`. */
  async until(what: string, condition: () => Promise<boolean>, limitMs = 600_000): Promise<void> {
    for (let passed = 0; !(await this.#until(condition())); passed += 1000) {
      if (passed >= limitMs) throw new Error(`not so after ${limitMs / 1000} s: ${what}`);
      await this.pass(1000);
    }
  }

  /** Awaits a call that may itself wait for time. */
  async #until<T>(promise: Promise<T>): Promise<T> {
    const call = { settled: false };
    const finish = promise.finally(() => (call.settled = true));
    finish.catch(() => {});
    for (let i = 0; !call.settled; i++) {
      if (i >= CALL_LIMIT_MS) throw new Error(`a call has not ended after ${CALL_LIMIT_MS / 1000} s`);
      await this.clock.step(1);
    }
    return finish;
  }

  #clientAs(user: string | undefined, userAgent: string): Client {
    const inner = createInProcessTransport(this.#exchange, apiServerUser);
    const headers: Readonly<Record<string, string>> = user === undefined ? {} : { 'impersonate-user': user };
    const transport: Transport = {
      request: (r) => inner.request({ ...r, headers: { ...r.headers, ...headers } }),
      close: () => inner.close(),
    };
    return createClient({ transport, clock: this.clock, userAgent, freeze: true });
  }

  async #register(name: string): Promise<void> {
    const capacity = { cpu: '8', memory: '16Gi', pods: '110' };
    const made = await this.client
      .resource(nodes)
      .create({ metadata: { name, labels: { 'kubernetes.io/hostname': name } } });
    await this.client
      .resource(nodes)
      .updateStatus({ ...made, status: { capacity, allocatable: capacity, conditions: [this.#ready()] } });
    await this.client
      .resource(leases)
      .create({
        metadata: { name, namespace: 'kube-node-lease' },
        spec: { holderIdentity: name, renewTime: formatMicroTime(this.clock.now()) },
      });
  }

  #ready() {
    const now = formatTime(this.clock.now());
    return {
      type: 'Ready',
      status: 'True',
      reason: 'KubeletReady',
      message: 'kubelet is posting ready status',
      lastHeartbeatTime: now,
      lastTransitionTime: now,
    };
  }

  async #playNodes(): Promise<void> {
    const alive = this.#nodeNames.filter((n) => !this.silent.has(n));
    if (this.clock.now() % HEARTBEAT_MS < 1000) {
      for (const name of alive) {
        await this.client
          .resource(leases)
          .patch('kube-node-lease', name, 'application/merge-patch+json', {
            spec: { renewTime: formatMicroTime(this.clock.now()) },
          });
      }
    }
    const all = (await this.client.resource(nodes).list()).items;
    for (const pod of (await this.client.resource(pods).list()).items) await this.#playPod(pod, all);
  }

  async #playPod(pod: Pod, all: readonly Node[]): Promise<void> {
    const { namespace, name, uid } = pod.metadata;
    const client = this.client.resource(pods);
    const node = pod.spec?.nodeName;
    if (!node) {
      if (pod.metadata.deletionTimestamp !== undefined) return;
      // Any node without a taint: which one is the seed's choice.
      const open = all.filter((n) => !n.spec?.taints?.length).map((n) => n.metadata.name!);
      if (open.length === 0) return;
      const target = { apiVersion: 'v1', kind: 'Node', name: open[Math.floor(this.random.next() * open.length)]! };
      await client.createSubresource(namespace, name!, 'binding', {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name, namespace },
        target,
      });
      this.#startsAt.set(uid!, this.clock.now() + this.random.next() * START_MS);
      return;
    }
    if (this.silent.has(node)) return;
    if (pod.metadata.deletionTimestamp !== undefined) {
      await client.delete(namespace, name!, { gracePeriodSeconds: 0, preconditions: { uid } });
    } else if (pod.status?.phase !== 'Running' && this.clock.now() >= (this.#startsAt.get(uid!) ?? 0)) {
      const now = formatTime(this.clock.now());
      const address = `10.244.${this.#nodeNames.indexOf(node)}.${(this.#startsAt.size % 250) + 2}`;
      const conditions = [
        ...(pod.status?.conditions ?? []),
        { type: 'Ready', status: 'True', lastTransitionTime: now },
      ];
      await client.updateStatus({
        ...pod,
        status: {
          ...pod.status,
          phase: 'Running',
          startTime: now,
          podIP: address,
          podIPs: [{ ip: address }],
          conditions,
        },
      });
    }
  }
}
