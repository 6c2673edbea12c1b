// A whole cluster on one seed in simulated time, in one thread: memory store, API server, controllers and scheduler wired as the
// program wires them, and hollow nodes with real kubelets, each at the end of a network with latency of its own. Whatever is
// written to the API is the trace.
import { SteppedClock, settle } from '#base/clock.ts';
import { type Component, startAll, stopAll } from '#base/lifecycle.ts';
import { createLog, type Log, silentLog } from '#base/log.ts';
import { MetricsRegistry } from '#base/metrics.ts';
import { SeededRandom } from '#base/random.ts';
import type { Pod } from '#generated/api/core-v1.ts';
import { nodes } from '#generated/resources.ts';
import { apiServerUser } from '#apiserver/authentication/users.ts';
import type { Client } from '#client/client.ts';
import { createClient } from '#client/rest-client.ts';
import { createControl } from '#cluster/control-plane.ts';
import { isConditionTrue } from '#machinery/conditions.ts';
import type { Exchange, ExchangeResponse } from '#machinery/exchange.ts';
import { FakeCard, type Neighbours } from '#network/loadbalancer/fake-card.ts';
import { createMemoryStore } from '#store/memory.ts';
import { Link } from './link.ts';
import { agentUser, hollowNode, LOAD_BALANCER_RANGE, type NodeShape, nodeUser } from './node.ts';
import { livingServer, type LivingServer } from './server.ts';

export interface SimulationOptions {
  readonly seed: number;
  /** How many nodes there are at first. */
  readonly nodes?: number;
  /** What each of them has. */
  readonly shape?: NodeShape;
  /** Whether nodes answer for load balancers' addresses. */
  readonly loadBalancers?: boolean;
  /** Everything the parts log, for looking into a failure. */
  readonly log?: (line: string) => void;
}

/** No call to the API takes longer. */
const CALL_LIMIT_MS = 60_000;
/** How often a condition is looked at: a person's or a script's patience, not the cluster's. */
const LOOK_MS = 1_000;

interface RunningNode {
  readonly links: { readonly kubelet: Link; readonly agent: Link };
  readonly parts: readonly Component[];
}

export class SimulatedCluster {
  readonly clock = new SteppedClock();
  /** The user's: as cluster admin, over a link as slow as everybody's. */
  readonly client: Client;
  /** Every write that reached the API, in order: time, user, verb, path, status, name and resourceVersion of what came of it. */
  readonly trace: string[] = [];
  /** Thousandths of a core that a running pod uses; scenarios set it. */
  load: (pod: Pod) => number = () => 0;
  /** Node → what it has on its card, and whom the network's other machines send to. */
  readonly cards = new Map<string, FakeCard>();
  readonly neighbours: Neighbours = new Map();
  readonly #random: SeededRandom;
  readonly #options: SimulationOptions;
  readonly #log: Log;
  readonly #store = createMemoryStore({ clock: this.clock });
  readonly #nodes = new Map<string, RunningNode>();
  #server: LivingServer | undefined;
  #control: readonly Component[] = [];
  #controlLink: Link | undefined;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
    this.#log =
      options.log === undefined
        ? silentLog
        : createLog({ write: options.log }, { level: 'debug', now: () => this.clock.now() });
    this.client = createClient({
      transport: this.#link(apiServerUser),
      clock: this.clock,
      userAgent: 'simulation',
      freeze: true,
    });
  }

  /** Resolves when every node takes pods. */
  async start(): Promise<void> {
    await this.bootServer();
    await this.#startControl();
    const names = Array.from({ length: this.#options.nodes ?? 3 }, (_, i) => `node-${i + 1}`);
    for (const name of names) await this.addNode(name, this.#options.shape);
    await this.until('every node takes pods', async () => {
      const { items } = await this.client.resource(nodes).list();
      const open = items.filter((n) => isConditionTrue(n.status?.conditions, 'Ready') && !n.spec?.taints?.length);
      return open.length === names.length;
    });
  }

  async stop(): Promise<void> {
    for (const { parts } of this.#nodes.values()) await this.call(stopAll(parts));
    await this.call(stopAll(this.#control));
    if (this.#server !== undefined) await this.killServer();
    await this.#store.close();
  }

  /** Controllers and scheduler die in the middle of what they do; new ones take over. */
  async restartControl(): Promise<void> {
    const dying = this.#control;
    this.#controlLink!.cut();
    await this.call(stopAll(dying));
    await this.#startControl();
  }

  async #startControl(): Promise<void> {
    this.#controlLink = this.#link(apiServerUser);
    this.#control = createControl(
      { podCIDR: '10.244.0.0/16', rootCa: 'simulated', disabled: [], loadBalancerRanges: [LOAD_BALANCER_RANGE] },
      {
        transport: this.#controlLink,
        clock: this.clock,
        random: this.#random,
        log: this.#log,
        metrics: new MetricsRegistry(),
        freeze: true,
      },
    );
    await this.call(startAll(this.#control, new AbortController().signal));
  }

  /** A new hollow node that registers itself. */
  async addNode(name: string, shape: NodeShape = {}): Promise<void> {
    const links = { kubelet: this.#link(nodeUser(name)), agent: this.#link(agentUser(name)) };
    const ip = `192.0.2.${21 + this.#nodes.size}`;
    const card = this.#options.loadBalancers === true ? new FakeCard(this.clock, this.neighbours) : undefined;
    if (card !== undefined) this.cards.set(name, card);
    const deps = { links, clock: this.clock, random: this.#random, log: this.#log };
    const parts = hollowNode(name, ip, shape, card === undefined ? deps : { ...deps, card });
    this.#nodes.set(name, { links, parts });
    await this.call(startAll(parts, new AbortController().signal));
  }

  /** The machine is switched off for good. What the API knows of it stays until somebody deletes it. */
  async removeNode(name: string): Promise<void> {
    const { links, parts } = this.#nodes.get(name)!;
    this.#nodes.delete(name);
    for (const link of Object.values(links)) link.cut();
    await this.call(stopAll(parts));
  }

  /** The node's network is cut, or mended: its pods run on, and nobody hears of it. */
  cutOff(name: string): void {
    for (const link of Object.values(this.#nodes.get(name)!.links)) link.cut();
  }

  rejoin(name: string): void {
    for (const link of Object.values(this.#nodes.get(name)!.links)) link.mend();
  }

  /** The API server dies with whatever is on its way; its store stays. */
  async killServer(): Promise<void> {
    const server = this.#server!;
    this.#server = undefined;
    await this.call(server.kill());
  }

  /** A new API server on the store. */
  async bootServer(): Promise<void> {
    const server = livingServer({
      store: this.#store,
      clock: this.clock,
      random: this.#random,
      log: this.#log,
      observe: (exchange) => this.#observed(exchange),
      load: (pod) => this.load(pod),
    });
    this.#server = server;
    await this.call(server.start());
  }

  /** Lets time pass. */
  async pass(ms: number): Promise<void> {
    await this.clock.step(ms);
  }

  /** Passes time until the condition holds; throws after `limitMs`. */
  async until(what: string, condition: () => Promise<boolean>, limitMs = 600_000): Promise<void> {
    const end = this.clock.now() + limitMs;
    while (!(await this.call(condition()))) {
      if (this.clock.now() >= end) throw new Error(`not so after ${limitMs / 1000} s: ${what}`);
      // Where nothing happens for longer, that is skipped at once.
      await this.clock.step(Math.max(LOOK_MS, this.clock.untilNext() ?? 0));
    }
  }

  /** Awaits a call, passing the time it needs and no more. */
  async call<T>(promise: Promise<T>): Promise<T> {
    const call = { settled: false };
    const finished = promise.finally(() => (call.settled = true));
    finished.catch(() => {});
    const end = this.clock.now() + CALL_LIMIT_MS;
    await settle();
    while (!call.settled) {
      const next = this.clock.untilNext();
      if (next === undefined || this.clock.now() > end)
        throw new Error(`a call has not ended after ${CALL_LIMIT_MS / 1000} s`);
      await this.clock.step(next);
    }
    return finished;
  }

  #link(user: typeof apiServerUser): Link {
    return new Link({ clock: this.clock, random: this.#random, user, server: () => this.#server });
  }

  #observed(exchange: Exchange): Exchange {
    return async (request) => {
      const response = await exchange(request);
      if (request.method !== 'GET') {
        const user = request.headers['impersonate-user'] ?? request.peer.user?.name;
        this.trace.push(
          `${this.clock.now()} ${user} ${request.method} ${request.path} ${response.status}${outcome(response)}`,
        );
      }
      return response;
    };
  }
}

/** Name and resourceVersion of the object in the answer; reason and message of a refusal. */
function outcome({ body }: ExchangeResponse): string {
  if (!(body instanceof Uint8Array) || body.length === 0) return '';
  const { metadata, reason, message } = JSON.parse(Buffer.from(body).toString('utf8')) as {
    readonly metadata?: { readonly name?: string; readonly resourceVersion?: string };
    readonly reason?: string;
    readonly message?: string;
  };
  if (typeof reason === 'string' && metadata?.resourceVersion === undefined) return ` ${reason}: ${message}`;
  return ` ${metadata?.name ?? ''} ${metadata?.resourceVersion ?? ''}`;
}
