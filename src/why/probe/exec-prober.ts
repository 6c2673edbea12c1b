// Probes from pods of any cluster, by exec with the tools that the containers have; and, when the user asks for it (--debug-pod), from
// an ephemeral container that is added to the pod with an image that has them. It says what it could not do, and for want of what.
import type { Pod } from '#generated/api/core-v1.ts';
import type { Clock } from '#base/clock.ts';
import { sleep } from '#base/clock.ts';
import { type Random, randomSuffix } from '#base/random.ts';
import { pods } from '#generated/resources.ts';
import type { Client } from '#client/client.ts';
import { StatusError } from '#machinery/status.ts';
import { describeError } from '#base/log.ts';
import { CONNECT_TOOLS, type ConnectTool, type Exec, ExecSockets } from './exec-sockets.ts';
import type { Cannot, Prober, ProbeRequest, ProbeResult, Vantage } from './result.ts';
import { runProbe } from './run-probe.ts';
import type { ProbeSockets } from './sockets.ts';

export interface ExecProberDeps {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  /** Opens a command in a container; throws StatusError. */
  readonly open: (namespace: string, pod: string, container: string, command: readonly string[]) => Promise<Exec>;
  readonly local: Pick<ProbeSockets, 'secure' | 'http2'>;
  /** Image of the ephemeral container; absent: none is added. It needs sh and one of bash, python3, nc. */
  readonly debugImage?: string;
}

/** What a container offers for probes. */
interface Place {
  readonly container: string;
  readonly tool: ConnectTool;
  readonly resolvConf: string;
  readonly hosts: string;
}

const LOOK = `for t in bash python3; do command -v "$t" >/dev/null 2>&1 && echo "tool $t"; done
command -v nc >/dev/null 2>&1 && case "$(nc --help 2>&1)" in *BusyBox*) echo 'tool busybox' ;; *) echo 'tool nc' ;; esac
while read -r line; do echo "resolv $line"; done </etc/resolv.conf
while read -r line; do echo "hosts $line"; done </etc/hosts`;
/** What each step takes longer through the API server, and by processes that have to start. */
const ROUND_TRIP_MS = 1_000;
const LOOK_MS = 5_000;
const DEBUG_READY_MS = 30_000;
const DEBUG_LOOK_MS = 500;
/** The ephemeral container ends by itself: it cannot be taken out of the pod again. */
const DEBUG_LIFE_SECONDS = 120;
const DEBUG_PREFIX = 'coracle-why-';

export class ExecProber implements Prober {
  readonly #deps: ExecProberDeps;
  /** Pod uid → what was found; looked for once. */
  readonly #places = new Map<string, Promise<Place | Cannot>>();
  /** What was added and is to be ended. */
  readonly #added: { readonly namespace: string; readonly pod: string; readonly container: string }[] = [];

  constructor(deps: ExecProberDeps) {
    this.#deps = deps;
  }

  async probe(from: Vantage, request: ProbeRequest, signal: AbortSignal): Promise<ProbeResult | Cannot> {
    if (from.at !== 'pod')
      return { cannot: `exec cannot probe from ${from.at === 'node' ? `node ${from.node}` : 'the laptop'}` };
    const known = this.#places.get(from.uid) ?? this.#find(from, signal);
    this.#places.set(from.uid, known);
    const place = await known;
    if ('cannot' in place) return place;
    const { open, clock, random, local } = this.#deps;
    const sockets = new ExecSockets(place.tool, {
      open: (command) => open(from.namespace, from.pod, place.container, command),
      clock,
      local,
    });
    const files = { resolvConf: () => place.resolvConf, hosts: () => place.hosts };
    return runProbe({ ...request, timeoutMs: request.timeoutMs + ROUND_TRIP_MS }, { sockets, clock, random, ...files });
  }

  /** Ends what was added. */
  async close(): Promise<void> {
    await Promise.all(
      this.#added.splice(0).map(async ({ namespace, pod, container }) => {
        const ended = await this.#deps.open(namespace, pod, container, ['kill', '1']).catch(() => undefined);
        await ended?.exited.catch(() => undefined);
      }),
    );
  }

  async #find(from: Extract<Vantage, { at: 'pod' }>, signal: AbortSignal): Promise<Place | Cannot> {
    const where = `pod ${from.namespace}/${from.pod}`;
    let pod: Pod | undefined;
    try {
      pod = await this.#deps.client.resource(pods).get(from.namespace, from.pod);
    } catch (error) {
      return this.#cannot(error, 'get pods', from.namespace);
    }
    const running = (pod?.status?.containerStatuses ?? [])
      .filter((c) => c.state?.running !== undefined)
      .map((c) => c.name);
    if (pod === undefined || running.length === 0) return { cannot: `${where} has no running container to probe from` };
    for (const container of running) {
      const found = await this.#look(from, container);
      if (found !== undefined && 'cannot' in found) return found;
      if (found !== undefined) return found;
    }
    const lacking = `no container of ${where} has sh and one of bash, python3, nc`;
    if (this.#deps.debugImage === undefined) return { cannot: `${lacking}; --debug-pod adds a container that has` };
    return this.#addDebugContainer(from, this.#deps.debugImage, signal);
  }

  /** Undefined: this container has nothing to connect with. */
  async #look(from: Extract<Vantage, { at: 'pod' }>, container: string): Promise<Place | Cannot | undefined> {
    let text: string;
    try {
      const exec = await this.#deps.open(from.namespace, from.pod, container, ['sh', '-c', LOOK]);
      text = await readAll(exec, this.#deps.clock);
    } catch (error) {
      if (error instanceof StatusError && error.code === 403)
        return this.#cannot(error, 'create pods/exec', from.namespace);
      return undefined; // no shell in it
    }
    const lines = (word: string) =>
      text
        .split('\n')
        .filter((l) => l.startsWith(`${word} `))
        .map((l) => l.slice(word.length + 1));
    const tool = CONNECT_TOOLS.find((t) => lines('tool').includes(t));
    if (tool === undefined) return undefined;
    return { container, tool, resolvConf: lines('resolv').join('\n'), hosts: lines('hosts').join('\n') };
  }

  /** In the pod itself: its network and its labels are the source's own, and no Service gets another endpoint. */
  async #addDebugContainer(
    from: Extract<Vantage, { at: 'pod' }>,
    image: string,
    signal: AbortSignal,
  ): Promise<Place | Cannot> {
    const { client, clock, random } = this.#deps;
    const container = `${DEBUG_PREFIX}${randomSuffix(random)}`;
    const added = {
      name: container,
      image,
      command: ['sleep', String(DEBUG_LIFE_SECONDS)],
      imagePullPolicy: 'IfNotPresent',
    };
    try {
      await client
        .resource(pods)
        .patch(
          from.namespace,
          from.pod,
          'application/strategic-merge-patch+json',
          { spec: { ephemeralContainers: [added] } },
          { subresource: 'ephemeralcontainers' },
        );
    } catch (error) {
      return this.#cannot(error, 'patch pods/ephemeralcontainers', from.namespace);
    }
    this.#added.push({ namespace: from.namespace, pod: from.pod, container });
    const deadline = clock.monotonic() + DEBUG_READY_MS;
    let why = 'it did not start';
    while (clock.monotonic() < deadline) {
      const pod = await client.resource(pods).get(from.namespace, from.pod);
      const state = pod?.status?.ephemeralContainerStatuses?.find((c) => c.name === container)?.state;
      if (state?.running !== undefined)
        return (await this.#look(from, container)) ?? { cannot: `${image} has none of sh, bash, python3, nc` };
      why = state?.waiting?.message ?? state?.waiting?.reason ?? state?.terminated?.reason ?? why;
      if (state?.terminated !== undefined) break;
      await sleep(clock, DEBUG_LOOK_MS, signal);
    }
    return { cannot: `the debug container with ${image} in pod ${from.namespace}/${from.pod} does not run: ${why}` };
  }

  #cannot(error: unknown, permission: string, namespace: string): Cannot {
    if (error instanceof StatusError && error.code === 403)
      return {
        cannot: `the permission to ${permission} in namespace ${namespace} is missing`,
        permission: `${permission} in ${namespace}`,
      };
    return { cannot: describeError(error) };
  }
}

/** Its output; throws when it did not run, or not to its end in time. */
async function readAll(exec: Exec, clock: Clock): Promise<string> {
  const chunks: Buffer[] = [];
  exec.stream.on('data', (chunk: Buffer) => void chunks.push(chunk));
  exec.stream.on('error', () => exec.stream.destroy());
  exec.stream.end();
  const timer = clock.setTimer(LOOK_MS, () => void exec.stream.destroy());
  try {
    await exec.exited;
  } finally {
    timer.cancel();
    exec.stream.destroy();
  }
  return Buffer.concat(chunks).toString('utf8');
}
