// Who asks: the authenticators in upstream's order, joined into the one that the pipeline calls.
import type { Clock } from '#base/clock.ts';
import type { Secret } from '#generated/api/core-v1.ts';
import type { ExchangeRequest } from '#machinery/exchange.ts';
import { StatusError } from '#machinery/status.ts';
import type { Authentication, Authenticator } from '../pipeline.ts';
import {
  ClientCertificateAuthenticator,
  FrontProxyAuthenticator,
  type FrontProxyOptions,
} from './client-certificate.ts';
import type { Lookup } from './lookup.ts';
import { ServiceAccountTokenAuthenticator, type ServiceAccountTokenDeps } from './service-account-token.ts';
import {
  BootstrapTokenAuthenticator,
  StaticTokenAuthenticator,
  type StaticToken,
  type TokenAuthentication,
  type TokenAuthenticator,
} from './token-authenticator.ts';
import { anonymousUser, withAuthenticatedGroup } from './users.ts';

export interface AuthenticatorDeps {
  readonly clock: Clock;
  /** PEM of the authorities whose client certificates name users. */
  readonly clientCa: string;
  /** Authenticating proxies (aggregation); none are believed when undefined. The listener must also trust this authority. */
  readonly frontProxy?: FrontProxyOptions;
  /** Audiences of this API server: a bearer token must be good for one of them. */
  readonly audiences: readonly string[];
  /** Undefined: no service account tokens. */
  readonly serviceAccounts?: ServiceAccountTokenDeps;
  readonly staticTokens?: readonly StaticToken[];
  /** Secrets of kube-system for bootstrap tokens; undefined: none are accepted. */
  readonly bootstrapTokenSecrets?: Lookup<Secret>;
  /** Requests without credentials are system:anonymous. Upstream's default is true; what they may do is for RBAC. */
  readonly anonymous: boolean;
}

/** The authenticator of requests, and that of bare tokens (for TokenReview). */
export interface Authentications {
  readonly requests: Authenticator;
  readonly tokens: TokenAuthenticator;
}

export function createAuthenticator(deps: AuthenticatorDeps): Authentications {
  const tokens = new TokenUnion([
    ...(deps.staticTokens === undefined ? [] : [new StaticTokenAuthenticator(deps.staticTokens)]),
    ...(deps.serviceAccounts === undefined ? [] : [new ServiceAccountTokenAuthenticator(deps.serviceAccounts)]),
    ...(deps.bootstrapTokenSecrets === undefined
      ? []
      : [new BootstrapTokenAuthenticator({ clock: deps.clock, secrets: deps.bootstrapTokenSecrets })]),
  ]);
  const authenticators: Authenticator[] = [
    // The proxy first: its certificate says who carries the request, its headers who asks.
    ...(deps.frontProxy === undefined ? [] : [new FrontProxyAuthenticator(deps.frontProxy)]),
    new ClientCertificateAuthenticator(deps.clientCa),
    new BearerAuthenticator(tokens, deps.audiences),
  ];
  return { requests: new RequestAuthenticator(authenticators, deps.anonymous), tokens };
}

class RequestAuthenticator implements Authenticator {
  readonly #authenticators: readonly Authenticator[];
  readonly #anonymous: boolean;

  constructor(authenticators: readonly Authenticator[], anonymous: boolean) {
    this.#authenticators = authenticators;
    this.#anonymous = anonymous;
  }

  async authenticate(request: ExchangeRequest): Promise<Authentication | undefined> {
    // Only in-process transports can set this: the listener makes its peers itself.
    if (request.peer.user !== undefined)
      return { user: withAuthenticatedGroup(request.peer.user), method: 'in-process' };
    for (const authenticator of this.#authenticators) {
      const result = await authenticator.authenticate(request);
      if (result !== undefined) return { ...result, user: withAuthenticatedGroup(result.user) };
    }
    // Wrong credentials never become anonymous: tokens have thrown by now, a bad certificate did not keep a good token out.
    if (request.peer.certificateError !== undefined) {
      throw new StatusError(401, 'Unauthorized', 'Unauthorized', undefined, {
        cause: new Error(`invalid client certificate: ${request.peer.certificateError}`),
      });
    }
    return this.#anonymous ? { user: anonymousUser, method: 'anonymous' } : undefined;
  }
}

/** `Authorization: Bearer …`, and the WebSocket subprotocol that browsers use instead. */
class BearerAuthenticator implements Authenticator {
  readonly #tokens: TokenAuthenticator;
  readonly #audiences: readonly string[];

  constructor(tokens: TokenAuthenticator, audiences: readonly string[]) {
    this.#tokens = tokens;
    this.#audiences = audiences;
  }

  async authenticate(request: ExchangeRequest): Promise<Authentication | undefined> {
    const token = bearerToken(request.headers);
    if (token === undefined) return undefined;
    const result = await this.#tokens.authenticateToken(token, this.#audiences);
    if (result === undefined) {
      throw new StatusError(401, 'Unauthorized', 'Unauthorized', undefined, {
        cause: new Error('invalid bearer token'),
      });
    }
    return {
      user: result.user,
      method: 'token',
      ...(result.warnings === undefined ? {} : { warnings: result.warnings }),
    };
  }
}

const WEBSOCKET_TOKEN_PREFIX = 'base64url.bearer.authorization.k8s.io.';

function bearerToken(headers: ExchangeRequest['headers']): string | undefined {
  const match = /^bearer +(\S+)$/i.exec(headers['authorization']?.trim() ?? '');
  if (match !== null) return match[1];
  const protocol = headers['sec-websocket-protocol'];
  if (protocol === undefined) return undefined;
  const entry = protocol
    .split(',')
    .map((p) => p.trim())
    .find((p) => p.startsWith(WEBSOCKET_TOKEN_PREFIX));
  return entry === undefined
    ? undefined
    : Buffer.from(entry.slice(WEBSOCKET_TOKEN_PREFIX.length), 'base64url').toString();
}

class TokenUnion implements TokenAuthenticator {
  readonly #members: readonly TokenAuthenticator[];

  constructor(members: readonly TokenAuthenticator[]) {
    this.#members = members;
  }

  async authenticateToken(token: string, audiences: readonly string[]): Promise<TokenAuthentication | undefined> {
    for (const member of this.#members) {
      const result = await member.authenticateToken(token, audiences);
      if (result !== undefined) return result;
    }
    return undefined;
  }
}
