// The network between one program and the API server, on the seed: every request, answer and watch event takes its time, a cut link
// carries nothing, and a server that has gone answers nobody. Whoever sends over it meets what the HTTPS transport would show.
import { type Clock, sleep } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import { abortable, type Transport, unreachable } from '#client/transports/transport.ts';
import type { Exchange, UserInfo } from '#machinery/exchange.ts';
import type { StatusError } from '#machinery/status.ts';

/** One way takes up to this long: enough for answers to overtake each other. */
const LATENCY_MS = 5;

/** A server as long as it lives. */
export interface Reachable {
  readonly exchange: Exchange;
  /** Aborts when the server dies. */
  readonly gone: AbortSignal;
}

export interface LinkDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** The server of this moment; undefined while there is none. */
  readonly server: () => Reachable | undefined;
  /** Who is at this end: authenticated, not authorized. */
  readonly user: UserInfo;
}

export class Link implements Transport {
  readonly #deps: LinkDeps;
  readonly #closed = new AbortController();
  #cut = new AbortController();

  constructor(deps: LinkDeps) {
    this.#deps = deps;
  }

  /** Nothing passes from now on, open watches included, until it is mended. */
  cut(): void {
    this.#cut.abort(refused('the network is down'));
  }

  mend(): void {
    if (this.#cut.signal.aborted) this.#cut = new AbortController();
  }

  request: Transport['request'] = async (request) => {
    const { clock, user } = this.#deps;
    const own = AbortSignal.any([request.signal, this.#closed.signal, this.#cut.signal]);
    await sleep(clock, this.#latency(), own);
    const server = this.#deps.server();
    if (server === undefined) throw refused('connection refused');
    const gone = AbortSignal.any([own, server.gone]);
    const response = await abortedWith(server.exchange({ ...request, signal: gone, peer: { user } }), gone);
    await sleep(clock, this.#latency(), gone);
    const { body } = response;
    return body instanceof Uint8Array ? response : { ...response, body: abortable(this.#delayed(body, gone), gone) };
  };

  async close(): Promise<void> {
    this.#closed.abort(refused('the client is closed'));
  }

  async *#delayed(body: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncIterable<Uint8Array> {
    for await (const chunk of body) {
      await sleep(this.#deps.clock, this.#latency(), signal);
      yield chunk;
    }
  }

  #latency(): number {
    return this.#deps.random.next() * LATENCY_MS;
  }
}

function refused(why: string): StatusError {
  return unreachable('https://192.0.2.10:6443', new Error(why));
}

/** The promise, or the signal's reason if that comes first. */
function abortedWith<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
