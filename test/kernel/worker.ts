// One process inside a network namespace of the lab, driven by JSON lines: it listens, connects, asks DNS, and on nodes
// runs the node network against an API double.
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { SystemClock } from '#base/clock.ts';
import { createLog } from '#base/log.ts';
import { MetricsRegistry } from '#base/metrics.ts';
import { SeededRandom } from '#base/random.ts';
import { createInformers } from '#client/informers.ts';
import { createClient } from '#client/rest-client.ts';
import { TestApi } from '#client/testing.ts';
import { createInProcessTransport } from '#client/transports/in-process.ts';
import { run } from '#host/process.ts';
import type { KubeObject } from '#machinery/object.ts';
import type { LocalPod, NodeNetwork } from '#netmodel/node-network.ts';
import { createAsk } from '#network/dns/sockets.ts';
import { decodeAnswer, encodeQuery, TYPES } from '#netmodel/dns-wire.ts';
import { createNodeNetwork, type NodeNetworkOptions } from '#network/node-network.ts';
import * as resources from '#generated/resources.ts';

type Command =
  | {
      readonly do: 'listen';
      readonly port: number;
      readonly protocol: 'tcp' | 'udp';
      readonly name: string;
      readonly address?: string;
    }
  | {
      readonly do: 'connect';
      readonly host: string;
      readonly port: number;
      readonly protocol: 'tcp' | 'udp';
      readonly timeoutMs: number;
      /** Size of the datagram (UDP). */
      readonly bytes?: number;
    }
  | {
      readonly do: 'resolve';
      readonly server: string;
      readonly name: string;
      readonly type: keyof typeof TYPES;
      readonly transport: 'udp' | 'tcp';
    }
  /** Takes bytes until the other side has no more, then says how many. */
  | { readonly do: 'sink'; readonly port: number }
  | { readonly do: 'pour'; readonly host: string; readonly port: number; readonly bytes: number }
  | { readonly do: 'network'; readonly options: NodeNetworkOptions; readonly objects: readonly Put[] }
  | { readonly do: 'put'; readonly objects: readonly Put[] }
  | { readonly do: 'remove'; readonly resource: keyof typeof resources; readonly key: string }
  | { readonly do: 'inForce'; readonly pod: LocalPod }
  /** The leases that this node's agent has written. */
  | { readonly do: 'leases'; readonly node: string };

export interface Put {
  readonly resource: keyof typeof resources;
  readonly object: KubeObject;
}

/** `reached` says which listener answered and which address it saw. */
export type Reply =
  | { readonly reached: string; readonly sawClient: string }
  | { readonly poured: number; readonly sawClient: string }
  | { readonly failed: string }
  | { readonly rcode: number; readonly answers: readonly string[] }
  | { readonly leases: readonly KubeObject[] }
  | { readonly done: true };

const clock = new SystemClock();
const api = new TestApi();
let network: NodeNetwork | undefined;

async function perform(command: Command): Promise<Reply> {
  switch (command.do) {
    case 'listen':
      await listen(command);
      return { done: true };
    case 'connect':
      return command.protocol === 'tcp' ? connectTcp(command) : sendUdp(command);
    case 'resolve': {
      const bytes = await createAsk(clock)(
        `${command.server}:53`,
        encodeQuery(7, command.name, TYPES[command.type]),
        command.transport,
      );
      const answer = decodeAnswer(bytes);
      return { rcode: answer.rcode, answers: answer.answers.map((r) => JSON.stringify(r.data)) };
    }
    case 'sink':
      await sink(command.port);
      return { done: true };
    case 'pour':
      return pour(command);
    case 'network': {
      for (const { resource, object } of command.objects) api.put(resources[resource], object);
      const client = createClient({
        transport: createInProcessTransport(api.exchange, { name: 'node', groups: [] }),
        clock,
        userAgent: 'lab',
      });
      const log = createLog({ write: (line) => process.stderr.write(line) }, { level: 'warn' });
      const random = new SeededRandom(1);
      const informers = createInformers({ client, clock, random, log });
      const made = createNodeNetwork(command.options, {
        informers,
        clock,
        random,
        log,
        metrics: new MetricsRegistry(),
        run,
        client,
      });
      const signal = AbortSignal.timeout(10_000);
      await Promise.all([informers.start(signal), made.start(signal)]);
      await made.ready(signal);
      network = made;
      return { done: true };
    }
    case 'put':
      for (const { resource, object } of command.objects) api.put(resources[resource], object);
      return { done: true };
    case 'remove':
      api.remove(resources[command.resource], command.key);
      return { done: true };
    case 'leases':
      return { leases: api.all(resources.leases).filter((l) => l.spec?.holderIdentity === command.node) };
    case 'inForce':
      await network!.policiesInForce(command.pod, AbortSignal.timeout(5000));
      return { done: true };
  }
}

function listen(command: Extract<Command, { do: 'listen' }>): Promise<void> {
  return new Promise((resolve, reject) => {
    if (command.protocol === 'udp') {
      const socket = createSocket(command.address?.includes(':') === true ? 'udp6' : 'udp4');
      socket.on('message', (_, from) =>
        socket.send(JSON.stringify({ reached: command.name, sawClient: from.address }), from.port, from.address),
      );
      socket.on('error', reject);
      socket.bind(command.port, command.address, () => resolve());
      return;
    }
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.end(JSON.stringify({ reached: command.name, sawClient: socket.remoteAddress }));
    });
    server.on('error', reject);
    server.listen(command.port, command.address ?? '0.0.0.0', () => resolve());
  });
}

function sink(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      let poured = 0;
      socket.on('data', (chunk) => (poured += chunk.length));
      socket.on('end', () => socket.end(JSON.stringify({ poured, sawClient: socket.remoteAddress })));
      socket.on('error', () => socket.destroy());
    });
    server.on('error', reject);
    server.listen(port, () => resolve());
  });
}

/** Longest silence: a transfer whose full packets are swallowed stands still. */
const POUR_SILENCE_MS = 3_000;

function pour({ host, port, bytes }: Extract<Command, { do: 'pour' }>): Promise<Reply> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, allowHalfOpen: true });
    let text = '';
    socket.setTimeout(POUR_SILENCE_MS, () => {
      socket.destroy();
      resolve({ failed: 'stands still' });
    });
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.on('end', () => resolve(JSON.parse(text) as Reply));
    socket.on('error', (error: NodeJS.ErrnoException) => resolve({ failed: error.code ?? error.message }));
    socket.end(Buffer.alloc(bytes));
  });
}

function connectTcp({
  host,
  port,
  timeoutMs,
}: {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
}): Promise<Reply> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    const timer = clock.setTimer(timeoutMs, () => end({ failed: 'timeout' }));
    const end = (reply: Reply) => {
      timer.cancel();
      socket.destroy();
      resolve(reply);
    };
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.on('end', () => end(JSON.parse(text) as Reply));
    socket.on('error', (error: NodeJS.ErrnoException) => end({ failed: error.code ?? error.message }));
  });
}

function sendUdp({
  host,
  port,
  timeoutMs,
  bytes = 1,
}: {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
  readonly bytes?: number;
}): Promise<Reply> {
  return new Promise((resolve) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    const timer = clock.setTimer(timeoutMs, () => end({ failed: 'timeout' }));
    const end = (reply: Reply) => {
      timer.cancel();
      socket.close();
      resolve(reply);
    };
    socket.on('message', (message) => end(JSON.parse(message.toString()) as Reply));
    socket.on('error', (error: NodeJS.ErrnoException) => end({ failed: error.code ?? error.message }));
    socket.connect(port, host, () => socket.send('?'.repeat(bytes)));
  });
}

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const { id, command } = JSON.parse(line) as { id: number; command: Command };
  void perform(command)
    .catch((error: unknown): Reply => ({ failed: String(error) }))
    .then((reply) => process.stdout.write(`${JSON.stringify({ id, reply })}\n`));
});
lines.on('close', () => process.exit(0));
