// The supervisor keeps the parts of a cluster running: the switch, the server, and per node an init, a containerd and an
// agent. Parts run detached and are adopted by a later supervisor; one that dies is started again. It also plays the
// cloud: a machine that died gets the out-of-service taint, a node whose agent alone died does not.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from '#base/clock.ts';
import { backoffMs } from '#base/backoff.ts';
import type { Component } from '#base/lifecycle.ts';
import { describeError, type Log } from '#base/log.ts';
import type { Client } from '#client/client.ts';
import { retryOnConflict } from '#client/retry.ts';
import type { Taint } from '#generated/api/core-v1.ts';
import { nodes as nodeResource } from '#generated/resources.ts';
import { SystemRandom } from '#base/random.ts';
import { type ClusterConfig, type NodeConfig, readConfig, writeConfig } from './config.ts';
import { serveControl } from './control.ts';
import { UserError } from './errors.ts';
import { agentPart, containerdPart, ensureAgent, ensureContainerd, ensureInit, initPart, killNode, type LocalNodeDeps } from './local-node.ts';
import { ensurePart, livePart, stopPart } from './parts.ts';
import type { ClusterPaths } from './paths.ts';
import { ensureSwitch } from './switch.ts';

export interface SupervisorDeps extends LocalNodeDeps {
  readonly log: Log;
  readonly client: Client;
}

const CHECK_EVERY_MS = 500;
const RESTART_BACKOFF = { baseMs: 100, maxMs: 10_000 };
/** A part that lived this long starts again without delay. */
const STEADY_MS = 30_000;

/** Upstream's taint for a machine that is known to be off: pods are deleted by force and volumes detached. */
const OUT_OF_SERVICE: Taint = { key: 'node.kubernetes.io/out-of-service', value: 'nodeshutdown', effect: 'NoExecute' };

export class Supervisor implements Component {
  readonly name = 'supervisor';
  readonly #paths: ClusterPaths;
  readonly #deps: SupervisorDeps;
  #config: ClusterConfig;
  readonly #stopping = new AbortController();
  #control: { close(): Promise<void> } | undefined;
  #loop: Promise<void> = Promise.resolve();
  /** Part → how often it had to be started again in a row, and when last. */
  readonly #restarts = new Map<string, { count: number; atMs: number }>();
  /** Nodes that are being started or stopped by a command: the loop leaves them alone. */
  readonly #busy = new Set<string>();
  /** Nodes whose out-of-service taint is known to be as it should. */
  readonly #tainted = new Map<string, boolean>();

  constructor(config: ClusterConfig, paths: ClusterPaths, deps: SupervisorDeps) {
    this.#config = config;
    this.#paths = paths;
    this.#deps = deps;
  }

  async start(signal: AbortSignal): Promise<void> {
    for (const folder of [this.#paths.logs, this.#paths.run, this.#paths.volumes, this.#paths.images]) mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (!this.#config.hollow) await ensureSwitch(this.#config, this.#deps);
    this.#ensureServer();
    this.#control = await serveControl(join(this.#paths.run, 'control.sock'), {
      reload: async () => this.#reload(),
      'stop-node': async ({ name, hard }) => this.#stopNode(String(name), hard === true),
      'start-node': async ({ name }) => this.#startNode(String(name)),
      status: async () => ({ nodes: this.#config.nodes }),
    });
    signal.throwIfAborted();
    this.#loop = this.#run();
  }

  /** Ends the supervisor alone; the parts go on. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
    await this.#control?.close();
    this.#control = undefined;
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      // The nodes come up side by side: most of their time is waiting.
      await Promise.all([this.#guard('server', async () => this.#ensureServer()), ...this.#config.nodes.map((node) => this.#tend(node))]);
      await sleep(this.#deps.clock, CHECK_EVERY_MS, this.#stopping.signal).catch(() => undefined);
    }
  }

  async #tend(node: NodeConfig): Promise<void> {
    if (this.#busy.has(node.name)) return;
    if (this.#config.hollow) {
      await this.#guard(agentPart(node.name), async () => this.#ensureHollowAgent(node));
      return;
    }
    if (node.power === 'off') return this.#setTaint(node.name, true);
    const known = livePart(this.#paths, initPart(node.name));
    if (known === undefined && this.#restarts.has(`${node.name}-seen`)) {
      // The init died without being told to: that machine is dead, and stays so until somebody starts it.
      this.#deps.log.warn('a node died', { node: node.name });
      await killNode(node.name, this.#paths, this.#deps.clock);
      this.#setPower(node.name, 'off');
      return;
    }
    await this.#guard(initPart(node.name), async () => this.#bringUp(node));
    await this.#setTaint(node.name, false);
  }

  async #bringUp(node: NodeConfig): Promise<void> {
    const { record: init } = await ensureInit(this.#config, node, this.#paths, this.#deps);
    this.#restarts.set(`${node.name}-seen`, { count: 0, atMs: 0 });
    if (livePart(this.#paths, containerdPart(node.name)) === undefined) await this.#paced(containerdPart(node.name), () => ensureContainerd(this.#config, node, init, this.#paths, this.#deps));
    if (livePart(this.#paths, agentPart(node.name)) === undefined) await this.#paced(agentPart(node.name), () => ensureAgent(node, init, this.#paths, this.#deps));
  }

  #ensureServer(): void {
    if (livePart(this.#paths, 'server') !== undefined) return;
    const [command, ...args] = this.#deps.self;
    void this.#paced('server', async () => {
      ensurePart(this.#paths, 'server', command!, [...args, 'server', '--data-dir', this.#paths.data], { env: { PATH: this.#deps.programs.path } });
    });
  }

  #ensureHollowAgent(node: NodeConfig): void {
    if (livePart(this.#paths, agentPart(node.name)) !== undefined) return;
    const [command, ...args] = this.#deps.self;
    void this.#paced(agentPart(node.name), async () => {
      ensurePart(this.#paths, agentPart(node.name), command!, [...args, 'agent', '--data-dir', this.#paths.data, '--node', node.name]);
    });
  }

  /** Starts a part, later and later when it keeps dying. */
  async #paced(part: string, start: () => Promise<void>): Promise<void> {
    const now = this.#deps.clock.monotonic();
    const last = this.#restarts.get(part);
    const count = last === undefined || now - last.atMs > STEADY_MS ? 0 : last.count;
    if (last !== undefined && count > 0 && now - last.atMs < backoffMs(count, RESTART_BACKOFF)) return;
    this.#restarts.set(part, { count: count + 1, atMs: now });
    if (last !== undefined) this.#deps.log.warn('starting a part again', { part, times: count + 1 });
    await start();
  }

  async #guard(what: string, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.#deps.log.error('a part did not start', { part: what, error: describeError(error) });
    }
  }

  async #setTaint(name: string, wanted: boolean): Promise<void> {
    if (this.#tainted.get(name) === wanted) return;
    try {
      const nodes = this.#deps.client.resource(nodeResource);
      await retryOnConflict({ clock: this.#deps.clock, random: new SystemRandom() }, async () => {
        const node = await nodes.get(undefined, name);
        if (node === undefined) return;
        const others = (node.spec?.taints ?? []).filter((t) => t.key !== OUT_OF_SERVICE.key);
        const has = others.length !== (node.spec?.taints ?? []).length;
        if (has !== wanted) await nodes.update({ ...node, spec: { ...node.spec, taints: wanted ? [...others, OUT_OF_SERVICE] : others } });
      });
      this.#tainted.set(name, wanted);
    } catch (error) {
      this.#deps.log.debug('the API server does not answer yet', { error: describeError(error) });
    }
  }

  #node(name: string): NodeConfig {
    const node = this.#config.nodes.find((n) => n.name === name);
    if (node === undefined) throw new UserError(`there is no node ${name}; the nodes are ${this.#config.nodes.map((n) => n.name).join(', ')}`);
    return node;
  }

  #setPower(name: string, power: NodeConfig['power']): void {
    this.#config = { ...this.#config, nodes: this.#config.nodes.map((n) => (n.name === name ? { ...n, power } : n)) };
    writeConfig(this.#paths.config, this.#config);
    this.#restarts.delete(`${name}-seen`);
    this.#tainted.delete(name);
  }

  /** A machine's death (hard), or its orderly end: its agent first, so that nothing is restarted while it goes down. */
  async #stopNode(name: string, hard: boolean): Promise<unknown> {
    this.#node(name);
    this.#busy.add(name);
    try {
      this.#setPower(name, 'off');
      if (!hard) await stopPart(this.#paths, agentPart(name), 10_000, this.#deps.clock);
      await killNode(name, this.#paths, this.#deps.clock);
      await this.#setTaint(name, true);
    } finally {
      this.#busy.delete(name);
    }
    return { name, power: 'off' };
  }

  async #startNode(name: string): Promise<unknown> {
    this.#node(name);
    this.#setPower(name, 'on');
    await this.#tend(this.#node(name));
    return { name, power: 'on' };
  }

  /** `up` changed the configuration on disk. */
  #reload(): unknown {
    const config = readConfig(this.#paths.config);
    if (config !== undefined) this.#config = config;
    return { nodes: this.#config.nodes };
  }
}

/** Live parts that a supervisor looks after, for `status`. */
export function supervisedParts(config: ClusterConfig): readonly string[] {
  const perNode = config.hollow ? [agentPart] : [initPart, containerdPart, agentPart];
  return ['supervisor', 'server', ...config.nodes.filter((n) => n.power === 'on').flatMap((n) => perNode.map((part) => part(n.name)))];
}

