// Users by TLS client certificate, and users vouched for by an authenticating proxy that shows one.
import { X509Certificate } from 'node:crypto';
import type { ExchangeRequest, Peer, UserInfo } from '#machinery/exchange.ts';
import { certificateCredentialId } from '#pki/certificates.ts';
import type { Authentication, Authenticator } from '../pipeline.ts';
import { CREDENTIAL_ID_KEY } from './users.ts';

type PeerCertificate = NonNullable<Peer['certificate']>;

/** Tells which of several authorities a verified peer certificate is from; remembers it as long as the connection. */
class AuthorityCheck {
  readonly #authorities: readonly X509Certificate[];
  /** Peer certificate (one object a connection) → whether one of the authorities issued it. */
  readonly #known = new WeakMap<PeerCertificate, boolean>();

  /** `authorities`: PEM, one or several. */
  constructor(authorities: string) {
    this.#authorities = (authorities.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? []).map(
      (p) => new X509Certificate(p),
    );
  }

  issued(certificate: PeerCertificate): boolean {
    let known = this.#known.get(certificate);
    if (known === undefined) {
      const parsed = new X509Certificate(certificate.raw);
      known = this.#authorities.some((a) => parsed.checkIssued(a) && parsed.verify(a.publicKey));
      this.#known.set(certificate, known);
    }
    return known;
  }
}

/** Common name → user, organizations → groups, as upstream's x509 authenticator. */
export class ClientCertificateAuthenticator implements Authenticator {
  readonly #check: AuthorityCheck;
  /** Peer certificate → its user: made once a connection. */
  readonly #users = new WeakMap<PeerCertificate, UserInfo>();

  constructor(clientCa: string) {
    this.#check = new AuthorityCheck(clientCa);
  }

  async authenticate(request: ExchangeRequest): Promise<Authentication | undefined> {
    const { certificate } = request.peer;
    if (certificate === undefined || certificate.commonName === '' || !this.#check.issued(certificate))
      return undefined;
    let user = this.#users.get(certificate);
    if (user === undefined) {
      user = {
        name: certificate.commonName,
        groups: certificate.organizations,
        extra: { [CREDENTIAL_ID_KEY]: [certificateCredentialId(certificate.raw)] },
      };
      this.#users.set(certificate, user);
    }
    return { user, method: 'x509' };
  }
}

export interface FrontProxyOptions {
  /** PEM of the authority that signs proxies' client certificates. */
  readonly ca: string;
  /** Common names allowed; empty allows any that the authority signed. */
  readonly allowedNames: readonly string[];
}

/** The prefix of headers that carry extra values. */
const EXTRA_PREFIX = 'x-remote-extra-';

/** The X-Remote-* headers of an authenticating proxy, believed only with a certificate of the front-proxy authority. */
export class FrontProxyAuthenticator implements Authenticator {
  readonly #check: AuthorityCheck;
  readonly #options: FrontProxyOptions;

  constructor(options: FrontProxyOptions) {
    this.#check = new AuthorityCheck(options.ca);
    this.#options = options;
  }

  async authenticate(request: ExchangeRequest): Promise<Authentication | undefined> {
    const { certificate } = request.peer;
    const name = request.headers['x-remote-user'];
    if (certificate === undefined || name === undefined || name === '') return undefined;
    if (!this.#check.issued(certificate)) return undefined;
    const { allowedNames } = this.#options;
    if (allowedNames.length > 0 && !allowedNames.includes(certificate.commonName)) return undefined;
    const uid = request.headers['x-remote-uid'];
    const extra = extraHeaders(request.headers, EXTRA_PREFIX);
    return {
      user: {
        name,
        ...(uid === undefined ? {} : { uid }),
        groups: splitHeader(request.headers['x-remote-group']),
        ...(Object.keys(extra).length === 0 ? {} : { extra }),
      },
      method: 'front-proxy',
    };
  }
}

/** Values of a header that may be repeated (the listener joined them by a comma). */
export function splitHeader(value: string | undefined): readonly string[] {
  return value === undefined
    ? []
    : value
        .split(',')
        .map((v) => v.trim())
        .filter((v) => v !== '');
}

/** `<prefix><percent-encoded key>: value` → key → values. Keys are lower case, as header names are. */
export function extraHeaders(
  headers: Readonly<Record<string, string>>,
  prefix: string,
): Readonly<Record<string, readonly string[]>> {
  const extra: Record<string, readonly string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(prefix) && name.length > prefix.length)
      extra[unescapeKey(name.slice(prefix.length))] = splitHeader(value);
  }
  return extra;
}

function unescapeKey(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key; // not percent-encoded: upstream keeps it as it came
  }
}
