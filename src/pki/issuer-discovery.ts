// The documents by which others learn to verify service account tokens: OpenID Connect discovery 1.0 and a JSON Web
// Key Set. Served at /.well-known/openid-configuration and /openid/v1/jwks.
import type { PublicKey } from './tokens.ts';

/** Path of the key set, upstream's. */
export const JWKS_PATH = '/openid/v1/jwks';

/** `jwksUri` is where clients outside reach the key set, upstream's default is on the advertised address. */
export function openidConfiguration(
  issuer: string,
  jwksUri: string,
  keys: readonly PublicKey[],
): Record<string, unknown> {
  return {
    issuer,
    jwks_uri: jwksUri,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [...new Set(keys.map((k) => k.algorithm))].toSorted(),
  };
}

export function jsonWebKeySet(keys: readonly PublicKey[]): { readonly keys: readonly Record<string, unknown>[] } {
  return {
    keys: keys.map(({ key, keyId, algorithm }) => {
      const { kty, ...members } = key.export({ format: 'jwk' });
      return { use: 'sig', kty, kid: keyId, alg: algorithm, ...members };
    }),
  };
}
