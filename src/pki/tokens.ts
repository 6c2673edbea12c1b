// JSON Web Tokens as service accounts use them: RS256 and ES256, signed and verified synchronously (WebCrypto hops
// through the thread pool). Only the signature is judged here; what the claims mean is the authenticator's business.
import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { keyIdOf } from './keys.ts';

export type SigningAlgorithm = 'ES256' | 'RS256';

export type Claims = Readonly<Record<string, unknown>>;

export type VerifiedToken =
  | { readonly ok: true; readonly claims: Claims; readonly keyId: string }
  | { readonly ok: false; readonly reason: 'malformed' | 'algorithm' | 'signature' };

/** Longest token looked at, in characters: above it a token is malformed. Bounds the work of a hostile header. */
const MAX_TOKEN_LENGTH = 16 * 1024;

function algorithmOf(key: KeyObject): SigningAlgorithm {
  if (key.asymmetricKeyType === 'rsa') return 'RS256';
  if (key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return 'ES256';
  throw new TypeError(`service account keys are RSA or EC P-256, not ${key.asymmetricKeyType}`);
}

export class TokenSigner {
  readonly algorithm: SigningAlgorithm;
  readonly keyId: string;
  readonly #key: KeyObject;
  readonly #head: string;

  /** `privateKeyPem`: RSA or EC P-256. */
  constructor(privateKeyPem: string) {
    this.#key = createPrivateKey(privateKeyPem);
    this.algorithm = algorithmOf(this.#key);
    this.keyId = keyIdOf(createPublicKey(this.#key));
    this.#head = encodePart({ alg: this.algorithm, kid: this.keyId });
  }

  sign(claims: Claims): string {
    const signed = `${this.#head}.${encodePart(claims)}`;
    const signature = sign('sha256', Buffer.from(signed), { key: this.#key, dsaEncoding: 'ieee-p1363' });
    return `${signed}.${signature.toString('base64url')}`;
  }
}

export interface PublicKey {
  readonly keyId: string;
  readonly algorithm: SigningAlgorithm;
  readonly key: KeyObject;
}

/** Reads public (or private) keys, PEM, as the verifier and the JWKS document want them. */
export function parsePublicKeys(pems: readonly string[]): readonly PublicKey[] {
  return pems.map((pem) => {
    const key = createPublicKey(pem);
    return { key, algorithm: algorithmOf(key), keyId: keyIdOf(key) };
  });
}

export class TokenVerifier {
  /** Key id → key. */
  readonly #keys: ReadonlyMap<string, PublicKey>;

  constructor(keys: readonly PublicKey[]) {
    this.#keys = new Map(keys.map((k) => [k.keyId, k]));
  }

  /** The algorithm is the key's own, never the header's choice. A token without key id is tried against every key. */
  verify(token: string): VerifiedToken {
    const parts = token.length > MAX_TOKEN_LENGTH ? [] : token.split('.');
    const header = parts.length === 3 ? decodePart(parts[0]!) : undefined;
    const claims = parts.length === 3 ? decodePart(parts[1]!) : undefined;
    if (header === undefined || claims === undefined) return { ok: false, reason: 'malformed' };
    const named = typeof header['kid'] === 'string' && header['kid'] !== '' ? this.#keys.get(header['kid']) : undefined;
    const candidates = named !== undefined ? [named] : header['kid'] === undefined ? [...this.#keys.values()] : [];
    const fitting = candidates.filter((k) => k.algorithm === header['alg']);
    if (fitting.length === 0) return { ok: false, reason: candidates.length === 0 ? 'signature' : 'algorithm' };
    const signed = Buffer.from(token.slice(0, token.lastIndexOf('.')));
    const signature = Buffer.from(parts[2]!, 'base64url');
    for (const { key, keyId } of fitting) {
      if (verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signature)) return { ok: true, claims, keyId };
    }
    return { ok: false, reason: 'signature' };
  }
}

/** The claims without any check: for deciding whose token this is before the costly signature. */
export function peekClaims(token: string): Claims | undefined {
  const parts = token.length > MAX_TOKEN_LENGTH ? [] : token.split('.');
  return parts.length === 3 ? decodePart(parts[1]!) : undefined;
}

function encodePart(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function decodePart(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined; // not JSON: the caller says malformed
  }
}
