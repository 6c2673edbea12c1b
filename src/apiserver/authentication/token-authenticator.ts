// What every kind of bearer token is authenticated by, and the tokens that need no signature: a static list and
// bootstrap tokens.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Secret } from '#generated/api/core-v1.ts';
import type { Clock } from '#base/clock.ts';
import { StatusError } from '#machinery/status.ts';
import type { UserInfo } from '#machinery/exchange.ts';
import { find, type Lookup } from './lookup.ts';

export interface TokenAuthentication {
  readonly user: UserInfo;
  /** Those of the wanted audiences for which the token is good. */
  readonly audiences: readonly string[];
  readonly warnings?: readonly string[];
}

export interface TokenAuthenticator {
  /** Undefined: not a token of this kind. Throws StatusError(401) for one of this kind that is not good. */
  authenticateToken(token: string, audiences: readonly string[]): Promise<TokenAuthentication | undefined>;
}

export interface StaticToken {
  readonly token: string;
  readonly user: UserInfo;
}

/** Reads upstream's token file: `token,user,uid,"group1,group2"` a line. Throws Error naming the line. */
export function parseTokenFile(text: string): readonly StaticToken[] {
  return text.split('\n').flatMap((line, i) => {
    if (line.trim() === '' || line.startsWith('#')) return [];
    const [token, name, uid, groups] = [...line.trim().matchAll(/("([^"]*)"|[^,]*)(,|$)/g)].map((m) => m[2] ?? m[1]!);
    if (!token || !name || uid === undefined)
      throw new Error(`token file, line ${i + 1}: want token,user,uid[,"group1,group2"]`);
    return [{ token, user: { name, uid, groups: groups ? groups.split(',').map((g) => g.trim()) : [] } }];
  });
}

/** A fixed list of tokens. They are good for the API server's own audiences only. */
export class StaticTokenAuthenticator implements TokenAuthenticator {
  /** SHA-256 of the token → user: looked up by hash, so that timing tells nothing of a token. */
  readonly #users: ReadonlyMap<string, UserInfo>;

  constructor(tokens: readonly StaticToken[]) {
    this.#users = new Map(tokens.map((t) => [hash(t.token), t.user]));
  }

  async authenticateToken(token: string, audiences: readonly string[]): Promise<TokenAuthentication | undefined> {
    const user = this.#users.get(hash(token));
    return user === undefined ? undefined : { user, audiences };
  }
}

export interface BootstrapTokenDeps {
  readonly clock: Clock;
  readonly secrets: Lookup<Secret>;
}

/** Bootstrap tokens (`abcdef.0123456789abcdef`), kept as Secrets `kube-system/bootstrap-token-<id>`. */
export class BootstrapTokenAuthenticator implements TokenAuthenticator {
  readonly #deps: BootstrapTokenDeps;

  constructor(deps: BootstrapTokenDeps) {
    this.#deps = deps;
  }

  async authenticateToken(token: string, audiences: readonly string[]): Promise<TokenAuthentication | undefined> {
    const match = /^([a-z0-9]{6})\.([a-z0-9]{16})$/.exec(token);
    if (match === null) return undefined;
    const [, id, secret] = match as unknown as [string, string, string];
    const object = await find(this.#deps.secrets, 'kube-system', `bootstrap-token-${id}`);
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) return undefined;
    const data = (key: string): string => Buffer.from(object.data?.[key] ?? '', 'base64').toString();
    if (object.type !== 'bootstrap.kubernetes.io/token' || data('token-id') !== id) return undefined;
    if (!sameText(data('token-secret'), secret)) return undefined;
    const expiration = data('expiration');
    if (expiration !== '' && !(Date.parse(expiration) > this.#deps.clock.now())) throw StatusError.unauthorized();
    if (data('usage-bootstrap-authentication') !== 'true') return undefined;
    const extra = data('auth-extra-groups');
    return {
      user: {
        name: `system:bootstrap:${id}`,
        groups: ['system:bootstrappers', ...(extra === '' ? [] : extra.split(','))],
      },
      audiences,
    };
  }
}

const hash = (text: string): string => createHash('sha256').update(text).digest('base64');

function sameText(a: string, b: string): boolean {
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest());
}
