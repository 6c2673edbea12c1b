// What a transport is: it carries one request to an API server and its answer back. In the same thread, between
// threads, or over HTTPS; `transport.suite.ts` holds all three to the same behaviour.
import { StatusError } from '#machinery/status.ts';
import type { ExchangeResponse } from '#machinery/exchange.ts';

export interface TransportRequest {
  readonly method: string;
  /** Path and query: `/api/v1/pods?watch=1`. */
  readonly path: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Aborting rejects a pending request, and the next read of a streaming body, with the signal's reason. */
  readonly signal: AbortSignal;
}

export interface Transport {
  /** Answers of any status resolve; rejects with ServiceUnavailable when no server was reached. */
  request(request: TransportRequest): Promise<ExchangeResponse>;
  /** Ends open streams and connections. May be called twice. */
  close(): Promise<void>;
}

/** The error for a server that cannot be reached, or that went away. */
export function unreachable(server: string, cause: unknown): StatusError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new StatusError(503, 'ServiceUnavailable', `the API server at ${server} is not reachable: ${why}`, undefined, {
    cause,
  });
}

/** Makes reads of `body` end with the signal's reason as soon as it aborts, even while the source is silent. */
export function abortable(body: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncIterableIterator<Uint8Array> {
  const source = body[Symbol.asyncIterator]();
  let fail: ((reason: unknown) => void) | undefined;
  let finished = false;
  const release = () => {
    finished = true;
    signal.removeEventListener('abort', onAbort);
  };
  // The source's return() waits for its own pending next(), which the same signal ends: nothing to report from it.
  const endSource = () => void Promise.resolve(source.return?.()).catch(() => undefined);
  const onAbort = () => {
    release();
    fail?.(signal.reason);
    endSource();
  };
  signal.addEventListener('abort', onAbort, { once: true });
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next() {
      if (signal.aborted) return Promise.reject(signal.reason);
      if (finished) return Promise.resolve({ done: true, value: undefined });
      return new Promise((resolve, reject) => {
        fail = reject;
        source.next().then(
          (result) => {
            fail = undefined;
            if (result.done) release();
            resolve(result);
          },
          (error: unknown) => {
            fail = undefined;
            release();
            reject(error);
          },
        );
      });
    },
    async return() {
      if (!finished) {
        release();
        await source.return?.();
      }
      return { done: true, value: undefined };
    },
  };
}
