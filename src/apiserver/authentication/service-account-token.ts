// Bearer tokens of service accounts: signed by the cluster, for audiences, with an end, and good only while the service
// account and the object they are bound to (pod, Secret or node) still stand there with the same uid.
// Legacy tokens without an end (Secrets of type kubernetes.io/service-account-token) are not accepted.
import type { Node, Pod, Secret, ServiceAccount } from '#generated/api/core-v1.ts';
import type { Clock } from '#base/clock.ts';
import type { UserInfo } from '#machinery/exchange.ts';
import type { KubeObject } from '#machinery/object.ts';
import { StatusError } from '#machinery/status.ts';
import { peekClaims, type Claims, type TokenVerifier } from '#pki/tokens.ts';
import { find, type Lookup } from './lookup.ts';
import type { TokenAuthentication, TokenAuthenticator } from './token-authenticator.ts';
import {
  CREDENTIAL_ID_KEY,
  NODE_NAME_KEY,
  NODE_UID_KEY,
  POD_NAME_KEY,
  POD_UID_KEY,
  serviceAccountGroups,
  serviceAccountUsername,
} from './users.ts';

/** Clocks may differ by this; also how long a token outlives the deletionTimestamp of what it is bound to. Upstream's. */
const LEEWAY_MS = 60_000;
/** Verified signatures remembered: one a running pod is plenty; a signature costs some 100 µs. */
const MAX_VERIFIED = 4096;

/** An object by name and uid, as tokens carry it. */
export interface ObjectIdentity {
  readonly name: string;
  readonly uid?: string;
}

/** The `kubernetes.io` claim. */
export interface PrivateClaims {
  readonly namespace: string;
  readonly serviceaccount: ObjectIdentity;
  readonly pod?: ObjectIdentity;
  readonly secret?: ObjectIdentity;
  readonly node?: ObjectIdentity;
  /** Seconds; the token should have been renewed by then. */
  readonly warnafter?: number;
}

export interface ServiceAccountTokenDeps {
  readonly clock: Clock;
  /** Accepted issuers, the first one is stamped into new tokens. */
  readonly issuers: readonly string[];
  readonly verifier: TokenVerifier;
  readonly serviceAccounts: Lookup<ServiceAccount>;
  readonly pods: Lookup<Pod>;
  readonly secrets: Lookup<Secret>;
  readonly nodes: Lookup<Node>;
}

export class ServiceAccountTokenAuthenticator implements TokenAuthenticator {
  readonly #deps: ServiceAccountTokenDeps;
  /** Token → its claims, signature already verified. Oldest first. */
  readonly #verified = new Map<string, Claims>();

  constructor(deps: ServiceAccountTokenDeps) {
    this.#deps = deps;
  }

  async authenticateToken(token: string, audiences: readonly string[]): Promise<TokenAuthentication | undefined> {
    const claims = this.#verify(token);
    if (claims === undefined) return undefined;
    const good = this.#checkAudience(claims, audiences);
    this.#checkTime(claims);
    const own = claims['kubernetes.io'] as PrivateClaims | undefined;
    if (
      own?.serviceaccount === undefined ||
      claims['sub'] !== serviceAccountUsername(own.namespace, own.serviceaccount.name)
    ) {
      throw refused('Token is not bound to a service account');
    }
    await this.#checkObjects(own);
    const late = own.warnafter !== undefined && own.warnafter * 1000 < this.#deps.clock.now();
    return {
      user: userOf(own, claims['jti']),
      audiences: good,
      ...(late
        ? {
            warnings: [
              `token of ${claims['sub']} should have been renewed by ${new Date(own.warnafter * 1000).toISOString()}`,
            ],
          }
        : {}),
    };
  }

  /** Undefined for tokens of other issuers. */
  #verify(token: string): Claims | undefined {
    const known = this.#verified.get(token);
    if (known !== undefined) return known;
    const issuer = peekClaims(token)?.['iss'];
    if (typeof issuer !== 'string' || !this.#deps.issuers.includes(issuer)) return undefined;
    const result = this.#deps.verifier.verify(token);
    if (!result.ok) throw refused(`service account token: ${result.reason}`);
    if (this.#verified.size >= MAX_VERIFIED) this.#verified.delete(this.#verified.keys().next().value!);
    this.#verified.set(token, result.claims);
    return result.claims;
  }

  #checkAudience(claims: Claims, wanted: readonly string[]): readonly string[] {
    const aud = claims['aud'];
    const own = Array.isArray(aud) ? (aud as string[]) : typeof aud === 'string' ? [aud] : [];
    const both = wanted.filter((a) => own.includes(a));
    if (both.length === 0) {
      throw refused(`token audiences ${goList(own)} is invalid for the target audiences ${goList(wanted)}`);
    }
    return both;
  }

  #checkTime(claims: Claims): void {
    const now = this.#deps.clock.now();
    const seconds = (name: string): number | undefined => (typeof claims[name] === 'number' ? claims[name] : undefined);
    const exp = seconds('exp');
    if (exp === undefined || now > exp * 1000 + LEEWAY_MS) throw refused('service account token has expired');
    if (now < (seconds('nbf') ?? 0) * 1000 - LEEWAY_MS) throw refused('service account token is not valid yet');
  }

  async #checkObjects(own: PrivateClaims): Promise<void> {
    const { namespace } = own;
    await this.#checkObject('service account', this.#deps.serviceAccounts, namespace, own.serviceaccount);
    if (own.secret !== undefined) await this.#checkObject('secret', this.#deps.secrets, namespace, own.secret);
    if (own.pod !== undefined) await this.#checkObject('pod', this.#deps.pods, namespace, own.pod);
    // A pod's token names its node for information; only a token bound to the node itself dies with it.
    else if (own.node !== undefined) await this.#checkObject('node', this.#deps.nodes, undefined, own.node);
  }

  async #checkObject<T extends KubeObject>(
    what: string,
    lookup: Lookup<T>,
    namespace: string | undefined,
    wanted: ObjectIdentity,
  ): Promise<void> {
    let object = await find(lookup, namespace, wanted.name);
    // A copy with another uid may be the stale one: ask again before refusing.
    if (object !== undefined && object.metadata.uid !== wanted.uid) object = await lookup.live(namespace, wanted.name);
    if (object === undefined || object.metadata.uid !== wanted.uid) {
      throw refused(`${what} ${namespace === undefined ? '' : `${namespace}/`}${wanted.name} has been deleted`);
    }
    const deleted = object.metadata.deletionTimestamp;
    if (deleted !== undefined && Date.parse(deleted) < this.#deps.clock.now() - LEEWAY_MS) {
      throw refused('service account token has been invalidated');
    }
  }
}

function userOf(own: PrivateClaims, jti: unknown): UserInfo {
  const extra: Record<string, readonly string[]> = {};
  if (typeof jti === 'string') extra[CREDENTIAL_ID_KEY] = [`JTI=${jti}`];
  if (own.node !== undefined) {
    extra[NODE_NAME_KEY] = [own.node.name];
    if (own.node.uid !== undefined && own.node.uid !== '') extra[NODE_UID_KEY] = [own.node.uid];
  }
  if (own.pod !== undefined) {
    extra[POD_NAME_KEY] = [own.pod.name];
    extra[POD_UID_KEY] = [own.pod.uid ?? ''];
  }
  return {
    name: serviceAccountUsername(own.namespace, own.serviceaccount.name),
    uid: own.serviceaccount.uid ?? '',
    groups: serviceAccountGroups(own.namespace),
    extra,
  };
}

/** The client is told `Unauthorized` and no more; the reason is the cause, for the log and for TokenReview. */
function refused(reason: string): StatusError {
  return new StatusError(401, 'Unauthorized', 'Unauthorized', undefined, { cause: new Error(reason) });
}

/** `["a" "b"]`, as Go prints string lists with %q. */
const goList = (values: readonly string[]): string => `[${values.map((v) => JSON.stringify(v)).join(' ')}]`;
