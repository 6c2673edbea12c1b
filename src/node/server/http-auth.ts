// Who may use the kubelet's HTTPS API: client certificates of the cluster's authority or bearer tokens (TokenReview), each request
// checked at the API server (SubjectAccessReview) for `nodes/<part>` of this node (KubeletFineGrainedAuthz). Answers are kept for a
// while, as upstream does. Nobody is anonymous here.
import { createHash } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { IncomingMessage } from 'node:http';
import { subjectaccessreviews, tokenreviews } from '#generated/resources.ts';
import type { SubjectAccessReview } from '#generated/api/authorization-v1.ts';
import type { TokenReview } from '#generated/api/authentication-v1.ts';
import type { Clock } from '#base/clock.ts';
import type { Client } from '#client/client.ts';
import type { UserInfo } from '#machinery/exchange.ts';
import { StatusError } from '#machinery/status.ts';

/** Milliseconds an answer is believed; upstream's defaults of the webhook modes. */
const TOKEN_TTL_MS = 2 * 60_000;
const ALLOWED_TTL_MS = 5 * 60_000;
const DENIED_TTL_MS = 30_000;
/** Answers kept; the oldest go first. */
const CACHE_LIMIT = 1_000;

const SUPERUSERS = 'system:masters';

export interface NodeAuthDeps {
  readonly client: Client;
  readonly clock: Clock;
  readonly nodeName: string;
}

export class NodeAuth {
  readonly #deps: NodeAuthDeps;
  /** Hash of a token → its user; undefined when it is no good. */
  readonly #tokens: Answers<UserInfo | undefined>;
  readonly #decisions: Answers<boolean>;

  constructor(deps: NodeAuthDeps) {
    this.#deps = deps;
    this.#tokens = new Answers(deps.clock);
    this.#decisions = new Answers(deps.clock);
  }

  /** Throws 401 and 403. */
  async check(message: IncomingMessage, path: string): Promise<UserInfo> {
    const user = certificateUser(message.socket as TLSSocket) ?? (await this.#tokenUser(message.headers.authorization));
    if (user === undefined) throw StatusError.unauthorized();
    // As in the API server: this group may everything, also while the API server cannot be asked.
    if (user.groups.includes(SUPERUSERS)) return user;
    const verb = verbOf(message.method ?? 'GET');
    const parts = partsOf(path);
    for (const part of parts) {
      try {
        if (await this.#allowed(user, verb, part)) return user;
      } catch (cause) {
        const asked = `user=${user.name}, verb=${verb}, resource=nodes, subresource=${part}`;
        throw new StatusError(500, 'InternalError', `Authorization error (${asked})`, undefined, { cause });
      }
    }
    throw new StatusError(
      403,
      'Forbidden',
      `Forbidden (user=${user.name}, verb=${verb}, resource=nodes, subresource(s)=[${parts.join(' ')}])\n`,
    );
  }

  async #tokenUser(header: string | undefined): Promise<UserInfo | undefined> {
    const token = /^bearer +(\S+)$/i.exec(header ?? '')?.[1];
    if (token === undefined) return undefined;
    const key = createHash('sha256').update(token).digest('base64');
    return this.#tokens
      .get(key, () => this.#review(token))
      .catch((error) => {
        // Upstream's word for whatever came in between.
        throw new StatusError(401, 'Unauthorized', 'Unauthorized', undefined, { cause: error });
      });
  }

  async #review(token: string): Promise<{ readonly value: UserInfo | undefined; readonly ttlMs: number }> {
    const review = await this.#deps.client
      .resource(tokenreviews)
      .create({ metadata: {}, spec: { token } } as TokenReview);
    const { status } = review;
    if (status?.authenticated !== true || status.user === undefined) return { value: undefined, ttlMs: DENIED_TTL_MS };
    const { username, uid, groups, extra } = status.user;
    const user: UserInfo = {
      name: username ?? '',
      groups: groups ?? [],
      ...(uid === undefined ? {} : { uid }),
      ...(extra === undefined ? {} : { extra }),
    };
    return { value: user, ttlMs: TOKEN_TTL_MS };
  }

  #allowed(user: UserInfo, verb: string, subresource: string): Promise<boolean> {
    const { client, nodeName } = this.#deps;
    return this.#decisions.get(JSON.stringify([user, verb, subresource]), async () => {
      const review = await client.resource(subjectaccessreviews).create({
        metadata: {},
        spec: {
          user: user.name,
          groups: user.groups,
          ...(user.uid === undefined ? {} : { uid: user.uid }),
          ...(user.extra === undefined ? {} : { extra: user.extra }),
          resourceAttributes: { verb, group: '', version: 'v1', resource: 'nodes', subresource, name: nodeName },
        },
      } as SubjectAccessReview);
      const allowed = review.status?.allowed === true;
      return { value: allowed, ttlMs: allowed ? ALLOWED_TTL_MS : DENIED_TTL_MS };
    });
  }
}

function certificateUser(socket: TLSSocket): UserInfo | undefined {
  if (!socket.authorized) return undefined;
  const subject = socket.getPeerCertificate(false).subject as unknown as Record<string, string | string[] | undefined>;
  const many = (value: string | string[] | undefined): string[] =>
    value === undefined ? [] : Array.isArray(value) ? value : [value];
  const name = many(subject['CN'])[0];
  return name === undefined ? undefined : { name, groups: [...many(subject['O']), 'system:authenticated'] };
}

/** HEAD and the like have no verb: only who may do everything may do them. */
function verbOf(method: string): string {
  switch (method) {
    case 'GET':
      return 'get';
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return 'delete';
    default:
      return '';
  }
}

/** Subresources of `nodes` that open a path, the narrowest first; upstream's fine-grained rule falls back to proxy. */
export function partsOf(path: string): readonly string[] {
  const under = (prefix: string): boolean => path === prefix || path.startsWith(`${prefix}/`);
  if (under('/stats')) return ['stats'];
  if (under('/metrics')) return ['metrics'];
  if (under('/logs')) return ['log'];
  if (under('/checkpoint')) return ['checkpoint'];
  if (under('/statusz')) return ['statusz', 'proxy'];
  if (under('/pods') || under('/runningpods')) return ['pods', 'proxy'];
  if (under('/healthz')) return ['healthz', 'proxy'];
  if (under('/configz')) return ['configz', 'proxy'];
  return ['proxy'];
}

/** Answers of the API server with an end; equal questions at once are asked once. */
class Answers<T> {
  readonly #clock: Clock;
  readonly #known = new Map<string, { readonly value: Promise<T>; untilMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get(key: string, ask: () => Promise<{ readonly value: T; readonly ttlMs: number }>): Promise<T> {
    const found = this.#known.get(key);
    if (found !== undefined && found.untilMs > this.#clock.monotonic()) return found.value;
    const asked = ask();
    const entry = { value: asked.then((a) => a.value), untilMs: Number.POSITIVE_INFINITY };
    this.#known.delete(key);
    this.#known.set(key, entry);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= CACHE_LIMIT) break;
      this.#known.delete(oldest);
    }
    asked.then(
      (answer) => {
        entry.untilMs = this.#clock.monotonic() + answer.ttlMs;
      },
      // Not an answer: the next request asks again.
      () => this.#known.get(key) === entry && this.#known.delete(key),
    );
    return entry.value;
  }
}
