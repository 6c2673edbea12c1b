// The supervisor keeps the parts of a cluster running: the switch, the server, and per node an init, a containerd and an
// agent. Parts run detached and are adopted by a later supervisor; one that dies is started again. It also plays the
// cloud: a machine that died gets the out-of-service taint, a node whose agent alone died does not.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { backoffMs } from '#base/backoff.ts';
import { sleep } from '#base/clock.ts';
import type { Component } from '#base/lifecycle.ts';
import type { Log } from '#base/log.ts';
import { SystemRandom } from '#base/random.ts';
import type { Client } from '#client/client.ts';
import { retryOnConflict } from '#client/retry.ts';
import type { Taint } from '#generated/api/core-v1.ts';
import { nodes as nodeResource } from '#generated/resources.ts';
import { signalProcess } from '#host/process.ts';
import { type ClusterConfig, type NodeConfig, readConfig, writeConfig } from './config.ts';
import { serveControl } from './control.ts';
import { describeForUser, UserError } from './errors.ts';
import { giveImages, hasBeenGivenImages } from './images.ts';
import {
  agentPart,
  containerdPart,
  ensureAgent,
  ensureContainerd,
  ensureInit,
  HOLLOW_AGENTS,
  initPart,
  killNode,
  type LocalNodeDeps,
} from './local-node.ts';
import { ensurePart, forgetFailure, livePart, recordFailure, stopPart } from './parts.ts';
import { partCommand } from './part-program.ts';
import type { ClusterPaths } from './paths.ts';
import { ensureSwitch } from './switch.ts';

export interface SupervisorDeps extends LocalNodeDeps {
  readonly log: Log;
  readonly client: Client;
}

/** A look at a part is one small file of /proc; this bounds how long a dead one is missed. */
const CHECK_EVERY_MS = 250;
const RESTART_BACKOFF = { baseMs: 100, maxMs: 10_000 };
/** A part that lived this long starts again without delay. */
const STEADY_MS = 30_000;
const AGENT_GRACE_MS = 10_000;

/** Upstream's taint for a machine that is known to be off: pods are deleted by force and volumes detached. */
const OUT_OF_SERVICE: Taint = { key: 'node.kubernetes.io/out-of-service', value: 'nodeshutdown', effect: 'NoExecute' };

export class Supervisor implements Component {
  readonly name = 'supervisor';
  readonly #paths: ClusterPaths;
  readonly #deps: SupervisorDeps;
  #config: ClusterConfig;
  readonly #stopping = new AbortController();
  #control: { close(): Promise<void> } | undefined;
  /** What is looked after (`server`, a node's name) → its loop. */
  readonly #loops = new Map<string, Promise<void>>();
  /** Part → how often it was started in a row, and when last. */
  readonly #starts = new Map<string, { readonly count: number; readonly atMs: number }>();
  /** Nodes whose init this supervisor has seen alive: when it is gone, the machine has died. */
  readonly #seen = new Set<string>();
  /** Node → the last of what is done to it: its loop and commands take turns. */
  readonly #turns = new Map<string, Promise<unknown>>();
  /** Node → whether its out-of-service taint is known to be there. */
  readonly #tainted = new Map<string, boolean>();
  /** Nodes that are given the images loaded before they came. */
  readonly #importing = new Set<string>();

  constructor(config: ClusterConfig, paths: ClusterPaths, deps: SupervisorDeps) {
    this.#config = config;
    this.#paths = paths;
    this.#deps = deps;
  }

  async start(signal: AbortSignal): Promise<void> {
    for (const folder of [this.#paths.logs, this.#paths.run, this.#paths.volumes, this.#paths.images])
      mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (!this.#config.hollow) await ensureSwitch(this.#config, this.#deps);
    this.#control = await serveControl(join(this.#paths.run, 'control.sock'), {
      reload: async () => this.#reload(),
      'stop-node': async ({ name, hard }) => this.#stopNode(String(name), hard === true),
      'start-node': async ({ name }) => this.#startNode(String(name)),
    });
    signal.throwIfAborted();
    this.#look('server', () => this.#tendServer());
    if (this.#config.hollow) this.#look(HOLLOW_AGENTS, () => this.#tendHollow());
    this.#lookAfterNodes();
  }

  /** Ends the supervisor alone; the parts go on. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#control?.close();
    this.#control = undefined;
    await Promise.all(this.#loops.values());
  }

  #lookAfterNodes(): void {
    for (const { name } of this.#config.nodes) this.#look(name, () => this.#inTurn(name, () => this.#tend(name)));
  }

  /** Each thing has a loop of its own: one that takes long to start does not keep others from being started again. */
  #look(what: string, tend: () => Promise<void>): void {
    if (this.#loops.has(what)) return;
    const { clock, log } = this.#deps;
    const loop = async () => {
      while (!this.#stopping.signal.aborted) {
        try {
          await tend();
        } catch (error) {
          log.error('a part did not start', { of: what, error: describeForUser(error) });
        }
        await sleep(clock, CHECK_EVERY_MS, this.#stopping.signal).catch(() => undefined);
      }
    };
    this.#loops.set(what, loop());
  }

  async #tendServer(): Promise<void> {
    if (livePart(this.#paths, 'server') !== undefined) return;
    const { command, args, env } = partCommand(this.#deps.self, 'server', this.#paths);
    await this.#paced('server', async () => {
      ensurePart(this.#paths, 'server', command, args, { env: { ...env, PATH: this.#deps.programs.path } });
    });
  }

  /** Hollow nodes share one process; which of them are on it reads from the configuration. */
  async #tendHollow(): Promise<void> {
    if (livePart(this.#paths, HOLLOW_AGENTS) !== undefined) return;
    const { command, args, env } = partCommand(this.#deps.self, HOLLOW_AGENTS, this.#paths);
    await this.#paced(HOLLOW_AGENTS, async () => {
      ensurePart(this.#paths, HOLLOW_AGENTS, command, args, { env });
    });
  }

  async #tend(name: string): Promise<void> {
    const node = this.#node(name);
    if (node.power !== 'on') return this.#setTaint(name, true);
    if (!this.#config.hollow) {
      if (this.#seen.has(name) && livePart(this.#paths, initPart(name)) === undefined) {
        // The init died without being told to: that machine is dead, and stays so until somebody starts it.
        this.#deps.log.warn('a node died', { node: name });
        this.#setPower(name, 'dead');
        await killNode(name, this.#paths, this.#deps.clock);
        return;
      }
      await this.#bringUp(node);
    }
    await this.#setTaint(name, false);
  }

  async #bringUp(node: NodeConfig): Promise<void> {
    const part = { init: initPart(node.name), containerd: containerdPart(node.name), agent: agentPart(node.name) };
    if (livePart(this.#paths, part.init) === undefined)
      await this.#paced(part.init, async () => void (await ensureInit(this.#config, node, this.#paths, this.#deps)));
    const init = livePart(this.#paths, part.init);
    if (init === undefined) return;
    this.#seen.add(node.name);
    if (livePart(this.#paths, part.containerd) === undefined) {
      await this.#paced(part.containerd, () => ensureContainerd(this.#config, node, init, this.#paths, this.#deps));
      if (livePart(this.#paths, part.containerd) === undefined) return;
    }
    this.#giveImages(node.name);
    if (livePart(this.#paths, part.agent) === undefined)
      await this.#paced(part.agent, () => ensureAgent(node, init, this.#paths, this.#deps));
  }

  /** A new node gets the sandbox image and what was loaded before it came. Beside everything else: the agent has much to do first. */
  #giveImages(name: string): void {
    if (this.#importing.has(name) || hasBeenGivenImages(name, this.#paths)) return;
    this.#importing.add(name);
    const { run, log } = this.#deps;
    giveImages(name, this.#config, this.#paths, run)
      .catch((error: unknown) =>
        log.error('images could not be imported', { node: name, error: describeForUser(error) }),
      )
      .finally(() => this.#importing.delete(name));
  }

  /** Starts a part, later and later when it keeps dying. */
  async #paced(part: string, start: () => Promise<void>): Promise<void> {
    const now = this.#deps.clock.monotonic();
    const last = this.#starts.get(part);
    const count = last === undefined || now - last.atMs > STEADY_MS ? 0 : last.count;
    if (last !== undefined && count > 0 && now - last.atMs < backoffMs(count, RESTART_BACKOFF)) return;
    this.#starts.set(part, { count: count + 1, atMs: now });
    if (last !== undefined) this.#deps.log.warn('starting a part again', { part, times: count + 1 });
    try {
      await start();
      if (part.endsWith('-containerd')) forgetFailure(this.#paths, part);
    } catch (error) {
      recordFailure(this.#paths, part, describeForUser(error));
      throw error;
    }
  }

  async #setTaint(name: string, wanted: boolean): Promise<void> {
    if (this.#tainted.get(name) === wanted) return;
    const { client, clock, log } = this.#deps;
    try {
      const nodes = client.resource(nodeResource);
      await retryOnConflict({ clock, random: new SystemRandom() }, async () => {
        const node = await nodes.get(undefined, name);
        if (node === undefined) return;
        const taints = node.spec?.taints ?? [];
        const others = taints.filter((t) => t.key !== OUT_OF_SERVICE.key);
        if ((others.length !== taints.length) === wanted) return;
        await nodes.update({ ...node, spec: { ...node.spec, taints: wanted ? [...others, OUT_OF_SERVICE] : others } });
      });
      this.#tainted.set(name, wanted);
    } catch (error) {
      log.debug('the API server does not answer yet', { error: describeForUser(error) });
    }
  }

  #node(name: string): NodeConfig {
    const node = this.#config.nodes.find((n) => n.name === name);
    if (node === undefined)
      throw new UserError(
        `there is no node ${name}; the nodes are ${this.#config.nodes.map((n) => n.name).join(', ')}`,
      );
    return node;
  }

  #setPower(name: string, power: NodeConfig['power']): void {
    this.#config = { ...this.#config, nodes: this.#config.nodes.map((n) => (n.name === name ? { ...n, power } : n)) };
    writeConfig(this.#paths.config, this.#config);
    this.#seen.delete(name);
    this.#tainted.delete(name);
    for (const part of [initPart(name), containerdPart(name), agentPart(name)]) this.#starts.delete(part);
    this.#tellHollow();
  }

  #tellHollow(): void {
    const agents = this.#config.hollow ? livePart(this.#paths, HOLLOW_AGENTS) : undefined;
    if (agents !== undefined) signalProcess(agents, 'SIGHUP');
  }

  /** A machine's death (hard), or its orderly end: its agent first, so that nothing is restarted while it goes down. */
  async #stopNode(name: string, hard: boolean): Promise<unknown> {
    this.#node(name);
    await this.#inTurn(name, async () => {
      this.#setPower(name, 'off');
      if (!this.#config.hollow) {
        if (!hard) await stopPart(this.#paths, agentPart(name), AGENT_GRACE_MS, this.#deps.clock);
        await killNode(name, this.#paths, this.#deps.clock);
      }
      await this.#setTaint(name, true);
    });
    return { name, power: 'off' };
  }

  async #startNode(name: string): Promise<unknown> {
    this.#node(name);
    await this.#inTurn(name, async () => {
      if (this.#node(name).power !== 'on') this.#setPower(name, 'on');
      await this.#tend(name);
    });
    return { name, power: 'on' };
  }

  #inTurn<R>(name: string, act: () => Promise<R>): Promise<R> {
    const before = this.#turns.get(name) ?? Promise.resolve();
    const mine = before.then(act);
    this.#turns.set(
      name,
      mine.catch(() => undefined),
    );
    return mine;
  }

  /** `up` changed the configuration on disk. */
  #reload(): unknown {
    const config = readConfig(this.#paths.config);
    if (config !== undefined) this.#config = config;
    this.#lookAfterNodes();
    this.#tellHollow();
    return { nodes: this.#config.nodes };
  }
}

/** Parts that a supervisor looks after, for `status`. */
export function supervisedParts(config: ClusterConfig): readonly string[] {
  if (config.hollow) return ['supervisor', 'server', HOLLOW_AGENTS];
  return [
    'supervisor',
    'server',
    ...config.nodes
      .filter((n) => n.power === 'on')
      .flatMap((n) => [initPart(n.name), containerdPart(n.name), agentPart(n.name)]),
  ];
}
