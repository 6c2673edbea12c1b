// The client's side of SCRAM (RFC 5802, 7677) without channel binding, and Postgres' older md5. SASLprep is left out but for NFKC:
// passwords of letters, digits and signs are their own prepared form.
import { createHash, createHmac } from 'node:crypto';
import type { Random } from '#base/random.ts';

const HASHES = { 'SHA-1': 'sha1', 'SHA-256': 'sha256' } as const;
/** What a server may ask at most; Postgres asks 4096, MongoDB 15000. */
const MAX_ITERATIONS = 200_000;

export class ScramClient {
  readonly #hash: string;
  readonly #user: string;
  readonly #password: string;
  readonly #nonce: string;
  #firstBare = '';

  constructor(hash: keyof typeof HASHES, user: string, password: string, random: Random) {
    this.#hash = HASHES[hash];
    this.#user = user;
    this.#password = password;
    this.#nonce = Buffer.from(random.bytes(18)).toString('base64');
  }

  /** client-first-message. Postgres takes the user from its startup message: it is empty here then. */
  first(user: string = this.#user): string {
    this.#firstBare = `n=${user.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${this.#nonce}`;
    return `n,,${this.#firstBare}`;
  }

  /** client-final-message for the server's first. Throws nothing: nonsense of the server makes a proof that it refuses. */
  final(serverFirst: string): string {
    const field = (name: string) =>
      serverFirst
        .split(',')
        .find((f) => f.startsWith(`${name}=`))
        ?.slice(2) ?? '';
    const salt = Buffer.from(field('s'), 'base64');
    const iterations = Math.min(MAX_ITERATIONS, Math.max(1, Number(field('i')) || 1));
    const salted = this.#stretched(salt, iterations);
    const clientKey = this.#hmac(salted, 'Client Key');
    const storedKey = createHash(this.#hash).update(clientKey).digest();
    const withoutProof = `c=biws,r=${field('r')}`;
    const signature = this.#hmac(storedKey, `${this.#firstBare},${serverFirst},${withoutProof}`);
    const proof = Buffer.from(clientKey.map((byte, i) => byte ^ signature[i]!));
    return `${withoutProof},p=${proof.toString('base64')}`;
  }

  #hmac(key: Uint8Array, data: string | Uint8Array): Buffer {
    return createHmac(this.#hash, key).update(data).digest();
  }

  /** Hi() of RFC 5802: PBKDF2 with one block. */
  #stretched(salt: Uint8Array, iterations: number): Buffer {
    const password = Buffer.from(this.#password.normalize('NFKC'));
    let last = this.#hmac(password, Buffer.concat([salt, Buffer.from([0, 0, 0, 1])]));
    const out = Buffer.from(last);
    for (let i = 1; i < iterations; i++) {
      last = this.#hmac(password, last);
      for (let j = 0; j < out.length; j++) out[j]! ^= last[j]!;
    }
    return out;
  }
}

/** `md5` + md5(md5(password + user) + salt). */
export function md5Password(user: string, password: string, salt: Uint8Array): string {
  const md5 = (...parts: readonly (string | Uint8Array)[]) => {
    const hash = createHash('md5');
    for (const part of parts) hash.update(part);
    return hash.digest('hex');
  };
  return `md5${md5(md5(password, user), salt)}`;
}
