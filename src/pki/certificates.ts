// X.509 certificates: authorities, server and client certificates, and signing requests. Made with @peculiar/x509,
// which is loaded when the first certificate is made: a start that finds everything in order never pays for it.
import { createHash, createPrivateKey, createPublicKey, randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import { formatIP, parseIP } from '#base/ip.ts';
import { generateKey, publicKeyOf, type CertificatePair } from './keys.ts';

type X509 = typeof import('@peculiar/x509');
type CryptoKey = webcrypto.CryptoKey;

/** Clocks of machines differ: certificates are valid from a little before they were made. */
export const BACKDATE_MS = 5 * 60 * 1000;
const YEAR_MS = 365 * 24 * 60 * 60 * 1000;
export const AUTHORITY_VALIDITY_MS = 10 * YEAR_MS;
/** As kubeadm's. */
export const LEAF_VALIDITY_MS = YEAR_MS;

export type ExtendedUsage = 'server auth' | 'client auth';

/** DNS names and IP addresses a certificate stands for. */
export interface SubjectAlternativeNames {
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
}

export interface LeafOptions {
  readonly commonName: string;
  readonly organizations?: readonly string[];
  readonly names?: SubjectAlternativeNames;
  readonly extendedUsages: readonly ExtendedUsage[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** What a certificate says, in plain values. */
export interface CertificateFacts extends SubjectAlternativeNames {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly serialNumber: string;
}

let loaded: Promise<X509> | undefined;

/** The library wants reflect-metadata loaded before it. */
async function x509(): Promise<X509> {
  loaded ??= (async () => {
    await import('reflect-metadata');
    const library = await import('@peculiar/x509');
    library.cryptoProvider.set(webcrypto as unknown as Crypto);
    return library;
  })();
  return loaded;
}

/** A self-signed authority. */
export async function createAuthority(commonName: string, nowMs: number): Promise<CertificatePair> {
  const lib = await x509();
  const key = generateKey();
  const keys = await importPair(key);
  const certificate = await lib.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: [{ CN: [commonName] }],
    notBefore: new Date(nowMs - BACKDATE_MS),
    notAfter: new Date(nowMs - BACKDATE_MS + AUTHORITY_VALIDITY_MS),
    signingAlgorithm: ECDSA,
    keys,
    extensions: [
      new lib.KeyUsagesExtension(
        lib.KeyUsageFlags.digitalSignature | lib.KeyUsageFlags.keyEncipherment | lib.KeyUsageFlags.keyCertSign,
        true,
      ),
      new lib.BasicConstraintsExtension(true, undefined, true),
      await lib.SubjectKeyIdentifierExtension.create(keys.publicKey),
      new lib.SubjectAlternativeNameExtension([{ type: 'dns', value: dnsSafe(commonName) }]),
    ],
  });
  return { certificate: pem(certificate), key };
}

/** A new key and its certificate, signed by `authority`. */
export async function createLeaf(authority: CertificatePair, options: LeafOptions): Promise<CertificatePair> {
  const key = generateKey();
  return { certificate: await signPublicKey(authority, publicKeyOf(key), options), key };
}

/** A certificate for somebody's public key (PEM). */
export async function signPublicKey(
  authority: CertificatePair,
  publicKeyPem: string,
  options: LeafOptions,
): Promise<string> {
  const lib = await x509();
  const issuer = new lib.X509Certificate(authority.certificate);
  const spki = createPublicKey(publicKeyPem);
  const names = options.names;
  const usages = options.extendedUsages.map((u) =>
    u === 'server auth' ? lib.ExtendedKeyUsage.serverAuth : lib.ExtendedKeyUsage.clientAuth,
  );
  const certificate = await lib.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: subjectOf(options),
    issuer: issuer.subjectName,
    notBefore: new Date(options.notBeforeMs),
    // Never longer than the authority itself.
    notAfter: new Date(Math.min(options.notAfterMs, issuer.notAfter.getTime())),
    signingAlgorithm: ECDSA,
    publicKey: new lib.PublicKey(toArrayBuffer(spki.export({ type: 'spki', format: 'der' }))),
    signingKey: (await importPair(authority.key)).privateKey,
    extensions: [
      new lib.KeyUsagesExtension(
        lib.KeyUsageFlags.digitalSignature | (spki.asymmetricKeyType === 'rsa' ? lib.KeyUsageFlags.keyEncipherment : 0),
        true,
      ),
      new lib.ExtendedKeyUsageExtension(usages),
      new lib.BasicConstraintsExtension(false, undefined, true),
      await lib.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      ...(names === undefined || names.dnsNames.length + names.ipAddresses.length === 0
        ? []
        : [new lib.SubjectAlternativeNameExtension(generalNames(names))]),
    ],
  });
  return pem(certificate);
}

/** What a PEM certificate says; throws when it is none. */
export function readCertificate(certificate: string | Uint8Array): CertificateFacts {
  const parsed = new X509Certificate(certificate);
  const subject = subjectEntries(parsed.subject);
  return {
    commonName: subject.filter(([k]) => k === 'CN').at(-1)?.[1] ?? '',
    organizations: subject.filter(([k]) => k === 'O').map(([, v]) => v),
    notBeforeMs: Date.parse(parsed.validFrom),
    notAfterMs: Date.parse(parsed.validTo),
    serialNumber: parsed.serialNumber,
    ...alternativeNames(parsed.subjectAltName),
  };
}

/** Shorter RSA keys are refused by today's TLS libraries. */
const SHORTEST_RSA_BITS = 2048;

/**
 * A server's chain and key in clean PEM: certificates first, as TLS servers read them from one file. Throws an Error that says what is
 * wrong: no certificate, a broken one, no usable key, a key of another certificate.
 */
export function readServerPair(chain: string, key: string): { pem: string; facts: CertificateFacts } {
  const blocks = chain.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new Error('there is no certificate in it');
  const certificates = blocks.map((block) => {
    try {
      return new X509Certificate(block);
    } catch (cause) {
      throw new Error('a certificate in it cannot be read', { cause });
    }
  });
  let privateKey: ReturnType<typeof createPrivateKey>;
  try {
    privateKey = createPrivateKey(key);
  } catch (cause) {
    throw new Error('its private key cannot be read', { cause });
  }
  const bits = privateKey.asymmetricKeyDetails?.modulusLength ?? SHORTEST_RSA_BITS;
  if (bits < SHORTEST_RSA_BITS) throw new Error(`its RSA key has ${bits} bits, fewer than ${SHORTEST_RSA_BITS}`);
  if (!certificates[0]!.checkPrivateKey(privateKey)) throw new Error('its private key belongs to another certificate');
  const text = [
    ...certificates.map((c) => c.toString()),
    privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  ];
  return { pem: text.map((t) => `${t.trim()}\n`).join(''), facts: readCertificate(blocks[0]!) };
}

/** Whether `authority`'s key signed `certificate`. Says nothing of its dates. */
export function isIssuedBy(certificate: string | Uint8Array, authorityCertificate: string): boolean {
  const authority = new X509Certificate(authorityCertificate);
  const parsed = new X509Certificate(certificate);
  return parsed.checkIssued(authority) && parsed.verify(authority.publicKey);
}

/** Upstream's credential id of a client certificate. */
export function certificateCredentialId(raw: Uint8Array): string {
  return `X509SHA256=${createHash('sha256').update(raw).digest('hex')}`;
}

/** What a PKCS#10 signing request asks for. */
export interface SigningRequest extends SubjectAlternativeNames {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly emailAddresses: readonly string[];
  readonly uris: readonly string[];
  readonly publicKeyPem: string;
}

/** Reads a signing request, PEM, and checks that its signature is by its own key; throws Error with the reason. */
export async function parseSigningRequest(requestPem: string): Promise<SigningRequest> {
  if (!/-----BEGIN (NEW )?CERTIFICATE REQUEST-----/.test(requestPem))
    throw new Error('PEM block type must be CERTIFICATE REQUEST');
  const lib = await x509();
  const request = new lib.Pkcs10CertificateRequest(requestPem);
  if (!(await request.verify())) throw new Error('the signature is not by the key in the request');
  // The library's lists are Array subclasses: copied, so that plain arrays leave here.
  const names = Array.from(request.extensions).flatMap((e) =>
    e instanceof lib.SubjectAlternativeNameExtension ? Array.from(e.names.items) : [],
  );
  const of = (type: string): string[] => names.filter((n) => n.type === type).map((n) => n.value);
  return {
    commonName: request.subjectName.getField('CN').at(-1) ?? '',
    organizations: Array.from(request.subjectName.getField('O')),
    dnsNames: of('dns'),
    ipAddresses: of('ip').map(canonicalIP),
    emailAddresses: of('email'),
    uris: of('url'),
    publicKeyPem: request.publicKey.toString('pem'),
  };
}

/** A signing request, PEM, by the key itself. */
export async function createSigningRequest(
  keyPem: string,
  subject: Pick<LeafOptions, 'commonName' | 'organizations' | 'names'>,
): Promise<string> {
  const lib = await x509();
  const { names } = subject;
  const request = await lib.Pkcs10CertificateRequestGenerator.create({
    name: subjectOf(subject),
    keys: await importPair(keyPem),
    signingAlgorithm: ECDSA,
    extensions:
      names === undefined || names.dnsNames.length + names.ipAddresses.length === 0
        ? []
        : [new lib.SubjectAlternativeNameExtension(generalNames(names))],
  });
  return `${request.toString('pem')}\n`;
}

const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

async function importPair(keyPem: string): Promise<{ privateKey: CryptoKey; publicKey: CryptoKey }> {
  const privateKey = createPrivateKey(keyPem);
  const publicKey = createPublicKey(privateKey);
  return {
    privateKey: privateKey.toCryptoKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign']),
    publicKey: publicKey.toCryptoKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['verify']),
  };
}

function subjectOf(options: Pick<LeafOptions, 'commonName' | 'organizations'>): { [key: string]: string[] }[] {
  return [...(options.organizations ?? []).map((o) => ({ O: [o] })), { CN: [options.commonName] }];
}

function generalNames(names: SubjectAlternativeNames): { type: 'dns' | 'ip'; value: string }[] {
  return [
    ...names.dnsNames.map((value) => ({ type: 'dns' as const, value })),
    ...names.ipAddresses.map((value) => ({ type: 'ip' as const, value: canonicalIP(value) })),
  ];
}

/** Positive, 126 bits of randomness. */
function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x3f) | 0x40;
  return bytes.toString('hex');
}

/** OpenSSL prints one `K=value` a line, with backslash escapes. */
function subjectEntries(subject: string | undefined): [string, string][] {
  return (subject ?? '').split('\n').map((line) => {
    const at = line.indexOf('=');
    return [line.slice(0, at), line.slice(at + 1).replace(/\\(.)/g, '$1')];
  });
}

function alternativeNames(text: string | undefined): SubjectAlternativeNames {
  const entries = (text ?? '').split(', ').filter((e) => e !== '');
  return {
    dnsNames: entries.filter((e) => e.startsWith('DNS:')).map((e) => e.slice(4)),
    ipAddresses: entries.filter((e) => e.startsWith('IP Address:')).map((e) => canonicalIP(e.slice(11))),
  };
}

function canonicalIP(text: string): string {
  const ip = parseIP(text);
  return ip === undefined ? text : formatIP(ip);
}

const dnsSafe = (name: string): string => name.replaceAll(/[^A-Za-z0-9.-]/g, '-');

const pem = (certificate: { toString(format: 'pem'): string }): string => `${certificate.toString('pem')}\n`;

function toArrayBuffer(bytes: Buffer): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}
