// coracle connect: a port-forward that goes on when pods are replaced, and a client's command on top of it.
import type { Command } from 'commander';
import { configmaps, secrets } from '#generated/resources.ts';
import type { Pod } from '#generated/api/core-v1.ts';
import { SystemRandom } from '#base/random.ts';
import { createLog } from '#base/log.ts';
import { createInformers } from '#client/informers.ts';
import { dialPortForward } from '#client/transports/streaming.ts';
import { EXIT, UsageError, UserError } from '#cluster/errors.ts';
import { localProbeDeps } from '#cluster/probe-deps.ts';
import { ConnectError, Connector } from '#connect/connector.ts';
import { clientEnvironment, credentialsOf, productOf, type ReadValues } from '#connect/credentials.ts';
import type { Endpoint } from '#connect/endpoints.ts';
import { Forwarder } from '#connect/forwarder.ts';
import { ConnectUsageError, parseConnectTarget, parsePortPair, type PortPair } from '#connect/target.ts';
import { runInteractive } from '#host/process.ts';
import { StatusError } from '#machinery/status.ts';
import { openPortStream } from '#streams/port-stream.ts';
import { speakOver } from '#why/probe/run-probe.ts';
import { clock } from '../context.ts';
import { type Access, type AccessOptions, openAccess, withAccessOptions } from '../kube-access.ts';

interface Flags extends AccessOptions {
  readonly address?: readonly string[];
}

const LOOPBACK = ['127.0.0.1', '::1'] as const;

export function addConnect(program: Command): void {
  withAccessOptions(
    program
      .command('connect')
      .description('local ports that lead to a service or workload, and stay when its pods are replaced')
      .argument('<target>', 'svc/NAME, pod/NAME, deploy/NAME or sts/NAME')
      .argument('<ports...>', '[[LOCAL]:]REMOTE …, and after -- a command to run with them'),
  )
    .option('--address <address...>', 'listen there instead of on loopback')
    .action(async (target: string, words: string[], flags: Flags, command: Command) => {
      process.exitCode = await connect(target, splitCommand(words, command), flags);
    });
}

interface Wanted {
  readonly ports: readonly string[];
  readonly command: readonly string[];
}

/** What stood behind `--`: commander takes the dashes out, the process still has them. */
function splitCommand(words: readonly string[], command: Command): Wanted {
  const raw = rawArguments(command);
  const dashes = raw.indexOf('--');
  const behind = dashes < 0 ? 0 : raw.length - dashes - 1;
  return { ports: words.slice(0, words.length - behind), command: words.slice(words.length - behind) };
}

function rawArguments(command: Command): readonly string[] {
  let top = command;
  while (top.parent !== null) top = top.parent;
  return (top as Command & { readonly rawArgs: readonly string[] }).rawArgs;
}

async function connect(targetText: string, wanted: Wanted, flags: Flags): Promise<number> {
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  const access = openAccess(flags);
  const stop = new AbortController();
  let pairs: readonly PortPair[];
  let target: ReturnType<typeof parseConnectTarget>;
  try {
    target = parseConnectTarget(targetText);
    pairs = wanted.ports.map(parsePortPair);
    if (pairs.length === 0) throw new ConnectUsageError('name at least one port: [[LOCAL]:]REMOTE');
  } catch (error) {
    if (error instanceof ConnectUsageError) throw new UsageError(error.message);
    throw error;
  }
  const informers = createInformers({
    client: access.client,
    clock,
    random: new SystemRandom(),
    // An API server that is away is noticed by the connections; the watch comes back by itself.
    log: createLog({ write: () => {} }),
  });
  const readOnly = (endpoint: Endpoint, port: number, pod: Pod) => isReadOnly(access, endpoint, port, pod);
  const connector = new Connector(access.namespace, target, { client: access.client, informers, clock, say, readOnly });
  const dial = ({ namespace, pod }: Endpoint) => dialPortForward(access.transport, { namespace, pod });
  const forwarder = new Forwarder({
    clock,
    say,
    dial,
    pick: (remote, signal) => connector.pick(remote, signal),
    failed: (endpoint, why) => connector.failed(endpoint, why),
    reached: (endpoint) => connector.reached(endpoint),
  });
  try {
    await connector.start(stop.signal);
    const addresses = flags.address ?? LOOPBACK;
    const ports: number[] = [];
    for (const pair of pairs) {
      const port = await forwarder.listen(addresses, pair.local, pair.remote);
      ports.push(port);
      say(
        `${addresses.map((a) => (a.includes(':') ? `[${a}]:${port}` : `${a}:${port}`)).join(' and ')} -> ${targetText} port ${pair.remote}`,
      );
    }
    const [program, ...args] = wanted.command;
    if (program === undefined) return await untilSignal();
    const environment = await environmentFor(access, connector, pairs[0]!, ports[0]!, addresses[0]!, say);
    return await runInteractive(program, args, environment).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      say(`coracle: there is no program ${program}`);
      return NO_PROGRAM;
    });
  } catch (error) {
    throw error instanceof ConnectError ? new UserError(error.message) : error;
  } finally {
    stop.abort();
    await forwarder.stop();
    await informers.stop();
  }
}

/** What shells return for a command that is not there. */
const NO_PROGRAM = 127;

function untilSignal(): Promise<number> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve(EXIT.ok));
  });
}

/** Host and port, and what the workload's own Secret says of user, password and database, as far as it may be read. */
async function environmentFor(
  access: Access,
  connector: Connector,
  pair: PortPair,
  local: number,
  address: string,
  say: (line: string) => void,
): Promise<Readonly<Record<string, string>>> {
  const host = address === '0.0.0.0' || address === '::' ? '127.0.0.1' : address;
  const pod = connector.best;
  if (pod === undefined) return clientEnvironment(undefined, host, local, {});
  const port = connector.portOf(pair.remote, pod);
  const product = productOf(pod, port);
  if (product === undefined) return clientEnvironment(undefined, host, local, {});
  const credentials = await credentialsOf(pod, product, reader(access, pod, say));
  return clientEnvironment(product, host, local, credentials);
}

/** What the server says of itself, with the workload's own user: undefined when it does not tell, or takes no such login. */
async function isReadOnly(access: Access, endpoint: Endpoint, port: number, pod: Pod): Promise<boolean | undefined> {
  const product = productOf(pod, port);
  if (product === undefined || product === 'amqp') return undefined;
  const credentials = await credentialsOf(
    pod,
    product,
    reader(access, pod, () => {}),
  );
  const connection = await dialPortForward(access.transport, { namespace: endpoint.namespace, pod: endpoint.pod });
  const request = { host: 'localhost', port, protocol: product, ...credentials, timeoutMs: ROLE_MS };
  const { handshake } = await speakOver(openPortStream(connection, port), request, localProbeDeps(clock));
  return handshake?.readOnly;
}

/** For each step of asking a server whether it takes writes. */
const ROLE_MS = 2_000;

/** Reads each object once; what may not be read is said once. */
function reader({ client }: Access, pod: Pod, say: (line: string) => void): ReadValues {
  const known = new Map<string, Promise<Readonly<Record<string, string>> | undefined>>();
  const namespace = pod.metadata.namespace ?? 'default';
  const read = async (kind: 'Secret' | 'ConfigMap', name: string) => {
    try {
      if (kind === 'ConfigMap') return (await client.resource(configmaps).get(namespace, name))?.data;
      const data = (await client.resource(secrets).get(namespace, name))?.data;
      return Object.fromEntries(
        Object.entries(data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]),
      );
    } catch (error) {
      if (!(error instanceof StatusError) || error.code !== 403) throw error;
      say(
        `note: ${kind} ${namespace}/${name}, which the workload uses, may not be read: give user and password yourself`,
      );
      return undefined;
    }
  };
  return (kind, name) => {
    const key = `${kind}/${name}`;
    const found = known.get(key) ?? read(kind, name);
    known.set(key, found);
    return found;
  };
}
