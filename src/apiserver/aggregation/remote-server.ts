// The server behind an APIService: connections to it with the front-proxy certificate, and the headers that tell it who asks.
import type { Duplex } from 'node:stream';
import type { Clock } from '#base/clock.ts';
import type { APIServiceSpec } from '#generated/api/apiregistration-v1.ts';
import type { UserInfo } from '#machinery/exchange.ts';
import { type HttpAnswer, readText, requestOver } from '#streams/http-upgrade.ts';
import { dialServiceTls } from '#tunnel/backends.ts';
import type { ClusterDialer } from '#tunnel/cluster-dialer.ts';

export type ServiceDialer = Pick<ClusterDialer, 'dialService'>;

export interface RemoteServerDeps {
  readonly dialer: ServiceDialer;
  /** The certificate that aggregated servers believe X-Remote-* headers with. PEM. */
  readonly frontProxy: { readonly certificate: string; readonly privateKey: string };
  readonly clock: Clock;
}

/** As upstream's aggregator calls itself when it asks for its own sake. */
const AGGREGATOR: UserInfo = { name: 'system:kube-aggregator', groups: ['system:masters'] };
/** Milliseconds for one of its own questions. */
const QUESTION_MS = 5_000;
/** An OpenAPI document of a large server. */
const LARGEST_ANSWER = 32 * 1024 * 1024;

export interface Answer {
  readonly status: number;
  readonly headers: HttpAnswer['headers'];
  readonly text: string;
}

export class RemoteServer {
  readonly #deps: RemoteServerDeps;
  readonly #spec: APIServiceSpec;

  constructor(spec: APIServiceSpec, deps: RemoteServerDeps) {
    this.#spec = spec;
    this.#deps = deps;
  }

  /** `NAME.NAMESPACE.svc` */
  get host(): string {
    const { name = '', namespace = '' } = this.#spec.service ?? {};
    return `${name}.${namespace}.svc`;
  }

  dial(): Promise<Duplex> {
    const { dialer, frontProxy } = this.#deps;
    const { service, caBundle = '', insecureSkipTLSVerify = false } = this.#spec;
    const { name = '', namespace = '', port = 443 } = service ?? {};
    return dialServiceTls(dialer.dialService(namespace, name, String(port)), {
      serverName: this.host,
      insecure: insecureSkipTLSVerify,
      ...(caBundle === '' ? {} : { ca: Buffer.from(caBundle, 'base64').toString('utf8') }),
      ...frontProxy,
    });
  }

  /** GET as the aggregator itself. Rejects when no answer came in time. */
  async get(path: string, accept = 'application/json'): Promise<Answer> {
    const timeout = new AbortController();
    const timer = this.#deps.clock.setTimer(QUESTION_MS, () =>
      timeout.abort(new Error(`no answer within ${QUESTION_MS / 1000} seconds`)),
    );
    const late = new Promise<never>((_, reject) =>
      timeout.signal.addEventListener('abort', () => reject(timeout.signal.reason), { once: true }),
    );
    try {
      return await Promise.race([this.#ask(path, accept, timeout.signal), late]);
    } finally {
      timer.cancel();
    }
  }

  async #ask(path: string, accept: string, signal: AbortSignal): Promise<Answer> {
    const backend = await this.dial();
    try {
      const headers = { ...remoteHeaders(AGGREGATOR), accept, host: this.host, connection: 'close' };
      const answer = await requestOver(backend, { method: 'GET', path, headers, signal });
      return { status: answer.status, headers: answer.headers, text: await readText(answer.body, LARGEST_ANSWER) };
    } finally {
      backend.destroy();
    }
  }
}

/** X-Remote-User, -Uid, -Group and -Extra-*: several values are lines of their own. */
export function remoteHeaders(user: UserInfo): Record<string, string | readonly string[]> {
  const headers: Record<string, string | readonly string[]> = { 'X-Remote-User': bytes(user.name) };
  if (user.uid !== undefined && user.uid !== '') headers['X-Remote-Uid'] = bytes(user.uid);
  if (user.groups.length > 0) headers['X-Remote-Group'] = user.groups.map(bytes);
  for (const [key, values] of Object.entries(user.extra ?? {}))
    if (values.length > 0) headers[`X-Remote-Extra-${escapeKey(key)}`] = values.map(bytes);
  return headers;
}

/** Node writes headers as Latin-1: these are the bytes of UTF-8 in it. */
const bytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

/** What may not stand in the name of a header, percent-encoded. */
function escapeKey(key: string): string {
  let out = '';
  for (const byte of Buffer.from(key, 'utf8')) {
    const char = String.fromCharCode(byte);
    out += /[A-Za-z0-9!#$&'*+.^_`|~-]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}
