// The `token` subresource of service accounts: makes a signed token for audiences, a time, and perhaps an object whose
// deletion ends it. Messages and limits are upstream's.
import { formatTime } from '#machinery/time.ts';
import type { Node, Pod, Secret, ServiceAccount } from '#generated/api/core-v1.ts';
import type { TokenRequest } from '#generated/api/authentication-v1.ts';
import type { Clock } from '#base/clock.ts';
import { uuid, type Random } from '#base/random.ts';
import type { KubeObject } from '#machinery/object.ts';
import { fieldError, StatusError, type FieldError } from '#machinery/status.ts';
import type { TokenSigner } from '#pki/tokens.ts';
import type { ObjectIdentity, PrivateClaims } from './service-account-token.ts';
import type { Lookup } from './lookup.ts';
import { serviceAccountUsername } from './users.ts';

const DEFAULT_EXPIRATION_SECONDS = 60 * 60;
const MIN_EXPIRATION_SECONDS = 10 * 60;
const MAX_EXPIRATION_SECONDS = 2 ** 32;
/** The expiration that the ServiceAccount admission plugin gives to projected tokens: 3600 s with a mark. */
export const PROJECTED_EXPIRATION_SECONDS = 60 * 60 + 7;
/** Clients of such tokens that never read the file again get a year, and a warning after the hour. Upstream's default. */
const EXTENDED_EXPIRATION_SECONDS = 365 * 24 * 60 * 60;

/** What the request binds the token to, already looked up. */
export type BoundObject =
  | { readonly kind: 'Pod'; readonly object: Pod; readonly node?: ObjectIdentity }
  | { readonly kind: 'Secret'; readonly object: Secret }
  | { readonly kind: 'Node'; readonly object: Node };

export interface TokenIssuerDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly signer: TokenSigner;
  readonly issuer: string;
  /** Audiences of the API server: default when a request names none. */
  readonly audiences: readonly string[];
  readonly serviceAccounts: Lookup<ServiceAccount>;
  readonly pods: Lookup<Pod>;
  readonly secrets: Lookup<Secret>;
  readonly nodes: Lookup<Node>;
}

export class TokenIssuer {
  readonly #deps: TokenIssuerDeps;

  constructor(deps: TokenIssuerDeps) {
    this.#deps = deps;
  }

  /** POST …/serviceaccounts/NAME/token, whole: finds the service account and the bound object, then makes the token. */
  async create(namespace: string, name: string, request: TokenRequest): Promise<TokenRequest> {
    const account = await this.#deps.serviceAccounts.live(namespace, name);
    if (account === undefined) throw StatusError.notFound({ resource: 'serviceaccounts' }, name);
    const { metadata } = request;
    if (metadata?.name && metadata.name !== name) {
      throw StatusError.badRequest(
        `the service account name in the token request (${metadata.name}) does not match the service account (${name})`,
      );
    }
    if (metadata?.namespace && metadata.namespace !== namespace) {
      throw StatusError.badRequest(
        `namespace in the token request (${metadata.namespace}) does not match the namespace of the request (${namespace})`,
      );
    }
    const full = this.#defaulted(request);
    const errors = validateTokenRequest(full);
    if (errors.length > 0)
      throw StatusError.invalid({ group: 'authentication.k8s.io', kind: 'TokenRequest' }, '', errors);
    return this.createToken(full, account, await this.#bound(namespace, name, full));
  }

  /** The token itself; everything has been looked up and validated. */
  createToken(request: TokenRequest, account: ServiceAccount, bound: BoundObject | undefined): TokenRequest {
    const { clock, random, signer, issuer } = this.#deps;
    const spec = this.#defaulted(request).spec!;
    const audiences = spec.audiences!;
    const wantedSeconds = spec.expirationSeconds!;
    const nowSeconds = Math.floor(clock.now() / 1000);
    const extended =
      bound?.kind === 'Pod' &&
      wantedSeconds === PROJECTED_EXPIRATION_SECONDS &&
      audiences.every((a) => this.#deps.audiences.includes(a));
    const own: PrivateClaims = {
      namespace: account.metadata.namespace!,
      ...(bound?.kind === 'Node' ? { node: identityOf(bound.object) } : {}),
      ...(bound?.kind === 'Pod' && bound.node !== undefined ? { node: bound.node } : {}),
      ...(bound?.kind === 'Pod' ? { pod: identityOf(bound.object) } : {}),
      ...(bound?.kind === 'Secret' ? { secret: identityOf(bound.object) } : {}),
      serviceaccount: identityOf(account),
      ...(extended ? { warnafter: nowSeconds + wantedSeconds } : {}),
    };
    const token = signer.sign({
      aud: audiences,
      exp: nowSeconds + (extended ? EXTENDED_EXPIRATION_SECONDS : wantedSeconds),
      iat: nowSeconds,
      iss: issuer,
      jti: uuid(random),
      'kubernetes.io': own,
      nbf: nowSeconds,
      sub: serviceAccountUsername(account.metadata.namespace!, account.metadata.name!),
    });
    return {
      kind: 'TokenRequest',
      apiVersion: 'authentication.k8s.io/v1',
      metadata: { ...request.metadata, name: account.metadata.name!, namespace: account.metadata.namespace! },
      spec,
      status: { token, expirationTimestamp: formatTime((nowSeconds + wantedSeconds) * 1000) },
    };
  }

  #defaulted(request: TokenRequest): TokenRequest {
    const { audiences, expirationSeconds, boundObjectRef } = request.spec ?? {};
    return {
      ...request,
      spec: {
        audiences: (audiences ?? []).length === 0 ? this.#deps.audiences : audiences!,
        // The normal form has 0 where the client said nothing.
        expirationSeconds: expirationSeconds || DEFAULT_EXPIRATION_SECONDS,
        // … and an empty reference, which refers to nothing.
        ...(Object.values(boundObjectRef ?? {}).some((part) => part !== '') ? { boundObjectRef } : {}),
      },
    };
  }

  async #bound(namespace: string, accountName: string, request: TokenRequest): Promise<BoundObject | undefined> {
    const ref = request.spec?.boundObjectRef;
    if (ref === undefined) return undefined;
    const { kind = '', apiVersion = 'v1', name = '' } = ref;
    if (apiVersion !== 'v1' || !['Pod', 'Secret', 'Node'].includes(kind)) {
      const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
      throw StatusError.badRequest(
        `cannot bind token for serviceaccount ${JSON.stringify(accountName)} to object of type ${group}/${version}, Kind=${kind}`,
      );
    }
    if (kind === 'Pod') {
      const pod = await found(this.#deps.pods, 'pods', namespace, ref);
      if ((pod.spec?.serviceAccountName ?? '') !== accountName) {
        throw StatusError.badRequest(
          `cannot bind token for serviceaccount ${JSON.stringify(accountName)} to pod running with different serviceaccount name.`,
        );
      }
      const nodeName = pod.spec?.nodeName;
      if (nodeName === undefined || nodeName === '') return { kind, object: pod };
      const node = this.#deps.nodes.cached(undefined, nodeName);
      return {
        kind,
        object: pod,
        node: { name: nodeName, ...(node === undefined ? {} : { uid: node.metadata.uid! }) },
      };
    }
    if (kind === 'Secret') return { kind, object: await found(this.#deps.secrets, 'secrets', namespace, ref) };
    return { kind: 'Node', object: await found(this.#deps.nodes, 'nodes', undefined, { ...ref, name }) };
  }
}

async function found<T extends KubeObject>(
  lookup: Lookup<T>,
  resource: string,
  namespace: string | undefined,
  ref: { readonly kind?: string; readonly name?: string; readonly uid?: string },
): Promise<T> {
  const object = await lookup.live(namespace, ref.name ?? '');
  if (object === undefined) throw StatusError.notFound({ resource }, ref.name ?? '');
  if (ref.uid !== undefined && ref.uid !== '' && object.metadata.uid !== ref.uid) {
    throw StatusError.conflict(
      { resource: ref.kind ?? '' },
      ref.name ?? '',
      `the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  }
  return object;
}

export function validateTokenRequest(request: TokenRequest): readonly FieldError[] {
  const seconds = request.spec?.expirationSeconds ?? DEFAULT_EXPIRATION_SECONDS;
  if (seconds < MIN_EXPIRATION_SECONDS) {
    return [fieldError.invalid('spec.expirationSeconds', seconds, 'may not specify a duration less than 10 minutes')];
  }
  if (seconds > MAX_EXPIRATION_SECONDS) {
    return [
      fieldError.invalid('spec.expirationSeconds', seconds, 'may not specify a duration larger than 2^32 seconds'),
    ];
  }
  return [];
}

const identityOf = (object: KubeObject): ObjectIdentity => ({
  name: object.metadata.name!,
  uid: object.metadata.uid ?? '',
});
