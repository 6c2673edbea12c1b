// Certificates of Ingresses on their way to the nodes. Nodes may not read Secrets at large: the ingress controller copies those that
// Ingresses name, checked and in one form, into one Secret, and that alone is theirs to read.
import type { Secret } from '#generated/api/core-v1.ts';
import { createHash } from 'node:crypto';
import { describeError } from '#base/log.ts';
import type { ObjectKey } from '#machinery/object.ts';
import { readServerPair } from '#pki/certificates.ts';
import type { CertificateFinding } from './ingress.ts';

/** The Secret with the copies. */
export const CERTIFICATES_SECRET: ObjectKey = 'kube-system/ingress-certificates';
/** Its entry that is shown for names without a certificate. */
export const DEFAULT_CERTIFICATE = 'default';
/** The common name of that certificate. */
export const DEFAULT_CERTIFICATE_NAME = 'Coracle Ingress default certificate';
/** What a Secret can hold (upstream's limit on its decoded bytes). */
export const CERTIFICATES_MAX_BYTES = 1 << 20;

const LONGEST_ENTRY = 253;

/** The entry of a Secret's copy. */
export function certificateEntry(secret: ObjectKey): string {
  const name = secret.replace('/', '.');
  return name.length <= LONGEST_ENTRY ? name : `sha256.${createHash('sha256').update(secret).digest('hex')}`;
}

export type TlsSecret = { readonly usable: true; readonly pem: string } | Exclude<CertificateFinding, { usable: true }>;

/** Chain and key of a Secret that an Ingress names, or what is wrong with it. */
export function readTlsSecret(key: ObjectKey, secret: Secret | undefined): TlsSecret {
  if (secret === undefined) return { usable: false, code: 'SecretMissing', message: `there is no Secret ${key}` };
  const text = (name: string): string => Buffer.from(secret.data?.[name] ?? '', 'base64').toString('utf8');
  const [certificate, privateKey] = [text('tls.crt'), text('tls.key')];
  if (certificate === '' || privateKey === '') {
    const lacks = [certificate === '' ? 'tls.crt' : '', privateKey === '' ? 'tls.key' : ''].filter((l) => l !== '');
    return { usable: false, code: 'SecretInvalid', message: `Secret ${key} has no ${lacks.join(' and no ')}` };
  }
  try {
    return { usable: true, pem: readServerPair(certificate, privateKey).pem };
  } catch (error) {
    return { usable: false, code: 'SecretInvalid', message: `Secret ${key} cannot serve: ${describeError(error)}` };
  }
}
