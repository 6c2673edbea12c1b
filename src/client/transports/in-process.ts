// The transport inside one thread: calls the API server's Exchange directly, as a user it trusts.
import type { Exchange, UserInfo } from '#machinery/exchange.ts';
import { StatusError } from '#machinery/status.ts';
import { type Transport, abortable } from './transport.ts';

/** `user` is taken for authenticated: authorization and admission still apply. */
export function createInProcessTransport(exchange: Exchange, user: UserInfo): Transport {
  const closed = new AbortController();
  return {
    async request(request) {
      const signal = AbortSignal.any([request.signal, closed.signal]);
      signal.throwIfAborted();
      const response = await exchange({ ...request, signal, peer: { user } });
      if (response.body instanceof Uint8Array) return response;
      return { ...response, body: abortable(response.body, signal) };
    },
    async close() {
      closed.abort(StatusError.serviceUnavailable('the client is closed'));
    },
  };
}
