// Opens the health check ports of Services on this node and answers there (health-check.ts).
import { createServer, type Server } from 'node:http';
import type { EndpointSlice } from '#generated/api/discovery-v1.ts';
import type { Service } from '#generated/api/core-v1.ts';
import { services as serviceResource } from '#generated/resources.ts';
import type { Clock, Timer } from '#base/clock.ts';
import { describeError, type Log } from '#base/log.ts';
import type { EventRecorder, Informer } from '#client/client.ts';
import { countLocalEndpoints } from '#netmodel/services.ts';
import { indexByService, slicesOf } from '../slices-of-service.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { healthCheckAnswer, healthCheckPort } from './health-check.ts';

/** A port that another program has is tried again this often. */
const RETRY_MS = 10_000;
/** Checks are short; a connection that stays open is cut off after this. */
const IDLE_MS = 10_000;
const MOST_CONNECTIONS = 100;

export interface HealthCheckPortsDeps {
  readonly services: Informer<Service>;
  readonly slices: Informer<EndpointSlice>;
  readonly clock: Clock;
  readonly log: Log;
  /** Absent: what goes wrong is logged only. */
  readonly events?: EventRecorder;
  readonly nodeName: string;
  /** Where the ports are opened. */
  readonly nodeIPs: readonly string[];
  /** Whether the rules in the kernel follow what the API says. */
  readonly isProxyHealthy: () => boolean;
}

interface OpenPort {
  readonly port: number;
  readonly servers: readonly Server[];
}

export class HealthCheckPorts {
  readonly name = 'health-check-ports';
  readonly #deps: HealthCheckPortsDeps;
  /** Service → its open port. */
  readonly #open = new Map<string, OpenPort>();
  /** Services whose port another program has. */
  readonly #failed = new Set<string>();
  #retry: Timer | undefined;
  /** Ports are opened and closed one after another: two services may swap theirs. */
  #work: Promise<void> = Promise.resolve();
  #unsubscribe: (() => void) | undefined;

  constructor(deps: HealthCheckPortsDeps) {
    this.#deps = deps;
  }

  async start(signal: AbortSignal): Promise<void> {
    const { services, slices } = this.#deps;
    indexByService(slices);
    for (const informer of [services, slices]) await unlessAborted(informer.whenSynced(), signal);
    this.#unsubscribe = services.subscribe(({ key }) => this.#check(key));
    await this.#work;
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.();
    await this.#work;
    // Last: what was under way may have found a port taken.
    this.#retry?.cancel();
    for (const key of [...this.#open.keys()]) await this.#close(key);
  }

  #check(key: string): void {
    const service = this.#deps.services.get(key);
    const port = service === undefined ? undefined : healthCheckPort(service);
    if (port === this.#open.get(key)?.port && !this.#failed.has(key)) return;
    this.#work = this.#work.then(() => this.#follow(key));
  }

  async #follow(key: string): Promise<void> {
    const service = this.#deps.services.get(key);
    const port = service === undefined ? undefined : healthCheckPort(service);
    this.#failed.delete(key);
    if (this.#open.get(key)?.port === port) return;
    await this.#close(key);
    if (service === undefined || port === undefined) return;
    const servers: Server[] = [];
    try {
      for (const ip of this.#deps.nodeIPs) servers.push(await this.#listen(service, key, ip, port));
      this.#open.set(key, { port, servers });
    } catch (error) {
      await Promise.all(servers.map(closed));
      this.#failed.add(key);
      const { log, events, nodeName } = this.#deps;
      const message = `node ${nodeName} failed to start healthcheck "${key}" on port ${port}: ${describeError(error)}`;
      log.warn(message);
      events?.event(service, serviceResource, 'Warning', 'FailedToStartServiceHealthcheck', message);
      this.#retry?.cancel();
      this.#retry = this.#deps.clock.setTimer(RETRY_MS, () => {
        for (const failed of this.#failed) this.#check(failed);
      });
    }
  }

  #listen(service: Service, key: string, ip: string, port: number): Promise<Server> {
    const { slices, nodeName, isProxyHealthy } = this.#deps;
    const about = { namespace: service.metadata.namespace!, name: service.metadata.name! };
    const server = createServer((request, response) => {
      request.resume();
      const count = countLocalEndpoints(slicesOf(slices, key), nodeName);
      const { status, headers, body } = healthCheckAnswer(about, count, isProxyHealthy());
      response
        .writeHead(status, { ...headers, connection: 'close', 'content-length': Buffer.byteLength(body) })
        .end(body);
    });
    server.maxConnections = MOST_CONNECTIONS;
    server.timeout = IDLE_MS;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, ip, () => {
        server.removeListener('error', reject);
        server.on('error', (error) => this.#deps.log.warn('health check port', { error: describeError(error) }));
        resolve(server);
      });
    });
  }

  async #close(key: string): Promise<void> {
    const open = this.#open.get(key);
    this.#open.delete(key);
    await Promise.all((open?.servers ?? []).map(closed));
  }
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
