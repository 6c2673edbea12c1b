// The cluster's keys and certificates on disk, in kubeadm's file names: what is missing is made, what is near its end,
// signed by another authority or short of a name is made anew, everything else stays as it is. Runs at every start.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import {
  BACKDATE_MS,
  createAuthority,
  createLeaf,
  isIssuedBy,
  LEAF_VALIDITY_MS,
  readCertificate,
  type LeafOptions,
  type SubjectAlternativeNames,
} from './certificates.ts';
import { generateKey, publicKeyOf, type CertificatePair } from './keys.ts';

/** The folder of keys. Implemented by host/ on a real directory and by a Map in tests. */
export interface PkiFiles {
  /** Undefined when there is no such file. */
  read(name: string): Promise<string | undefined>;
  /** Replaces the file atomically with exactly these permissions. */
  write(name: string, text: string, mode: number): Promise<void>;
}

export interface PkiOptions {
  readonly nowMs: number;
  /** Names and addresses the API server is reached by: loopback, switch, service address, `kubernetes.default.svc` … */
  readonly serverNames: SubjectAlternativeNames;
}

export interface Pki {
  /** Signs the server, kubelets and all clients. */
  readonly ca: CertificatePair;
  readonly frontProxyCa: CertificatePair;
  /** The API server's serving certificate. */
  readonly server: CertificatePair;
  /** With which the API server calls kubelets. */
  readonly kubeletClient: CertificatePair;
  /** With which the API server calls aggregated API servers. */
  readonly frontProxyClient: CertificatePair;
  /** kubernetes-admin in system:masters. */
  readonly admin: CertificatePair;
  readonly controllerManager: CertificatePair;
  readonly scheduler: CertificatePair;
  /** Private key that signs service account tokens, and the public keys that verify them (the newest first). */
  readonly serviceAccount: { readonly signingKey: string; readonly publicKeys: readonly string[] };
  /** Names of the files written by this call: empty when everything was in order. */
  readonly written: readonly string[];
}

const KEY_MODE = 0o600;
const CERTIFICATE_MODE = 0o644;
/** A leaf is made anew when it ends within this time. */
export const RENEW_BEFORE_MS = 30 * 24 * 60 * 60 * 1000;

/** May run again at any time; a run cut short is completed by the next. */
export async function ensurePki(files: PkiFiles, options: PkiOptions): Promise<Pki> {
  const written: string[] = [];
  const save = async (name: string, text: string, mode: number): Promise<void> => {
    await files.write(name, text, mode);
    written.push(name);
  };
  const keep = async (
    name: string,
    isGood: (pair: CertificatePair) => boolean,
    make: () => Promise<CertificatePair>,
  ): Promise<CertificatePair> => {
    const certificate = await files.read(`${name}.crt`);
    const key = await files.read(`${name}.key`);
    if (certificate !== undefined && key !== undefined && isGood({ certificate, key })) return { certificate, key };
    const made = await make();
    // The key first: a certificate without its key would look complete to nobody.
    await save(`${name}.key`, made.key, KEY_MODE);
    await save(`${name}.crt`, made.certificate, CERTIFICATE_MODE);
    return made;
  };
  const authority = async (name: string, commonName: string): Promise<CertificatePair> => {
    if ((await files.read(`${name}.crt`)) !== undefined && (await files.read(`${name}.key`)) === undefined) {
      throw new Error(
        `${name}.crt is there but ${name}.key is missing: put the key back, or remove the certificate to make a new authority`,
      );
    }
    return keep(name, isUsableAuthority(name), () => createAuthority(commonName, options.nowMs));
  };
  const leaf = (name: string, by: CertificatePair, wanted: Wanted) =>
    keep(
      name,
      (pair) => isGoodLeaf(pair, by, wanted, options.nowMs),
      () => createLeaf(by, withDates(wanted, options.nowMs)),
    );

  const [ca, frontProxyCa] = await Promise.all([
    authority('ca', 'kubernetes'),
    authority('front-proxy-ca', 'front-proxy-ca'),
  ]);
  const client = (commonName: string, ...organizations: string[]): Wanted => ({
    commonName,
    organizations,
    extendedUsages: ['client auth'],
  });
  const [server, kubeletClient, frontProxyClient, admin, controllerManager, scheduler] = await Promise.all([
    leaf('apiserver', ca, {
      commonName: 'kube-apiserver',
      names: options.serverNames,
      extendedUsages: ['server auth'],
    }),
    leaf('apiserver-kubelet-client', ca, client('kube-apiserver-kubelet-client', 'system:masters')),
    leaf('front-proxy-client', frontProxyCa, client('front-proxy-client')),
    leaf('admin', ca, client('kubernetes-admin', 'system:masters')),
    leaf('controller-manager', ca, client('system:kube-controller-manager')),
    leaf('scheduler', ca, client('system:kube-scheduler')),
  ]);

  let signingKey = await files.read('sa.key');
  if (signingKey === undefined) {
    signingKey = generateKey();
    await save('sa.key', signingKey, KEY_MODE);
  }
  // sa.pub may hold older keys too, so that their tokens stay good after sa.key was replaced.
  const current = publicKeyOf(signingKey);
  const known = splitPem((await files.read('sa.pub')) ?? '');
  const publicKeys = [current, ...known.filter((k) => k.trim() !== current.trim())];
  if (known[0]?.trim() !== current.trim()) await save('sa.pub', publicKeys.join(''), CERTIFICATE_MODE);

  return {
    ca,
    frontProxyCa,
    server,
    kubeletClient,
    frontProxyClient,
    admin,
    controllerManager,
    scheduler,
    serviceAccount: { signingKey, publicKeys },
    written,
  };
}

/** A kubelet's client certificate, as the kube-apiserver-client-kubelet signer would give it. */
export function createNodeClient(ca: CertificatePair, nodeName: string, nowMs: number): Promise<CertificatePair> {
  return createLeaf(
    ca,
    withDates(
      { commonName: `system:node:${nodeName}`, organizations: ['system:nodes'], extendedUsages: ['client auth'] },
      nowMs,
    ),
  );
}

/** A kubelet's serving certificate, as the kubelet-serving signer would give it. */
export function createNodeServer(
  ca: CertificatePair,
  nodeName: string,
  names: SubjectAlternativeNames,
  nowMs: number,
): Promise<CertificatePair> {
  return createLeaf(
    ca,
    withDates(
      {
        commonName: `system:node:${nodeName}`,
        organizations: ['system:nodes'],
        names,
        extendedUsages: ['server auth'],
      },
      nowMs,
    ),
  );
}

type Wanted = Omit<LeafOptions, 'notBeforeMs' | 'notAfterMs'>;

function withDates(wanted: Wanted, nowMs: number): LeafOptions {
  const notBeforeMs = nowMs - BACKDATE_MS;
  return { ...wanted, notBeforeMs, notAfterMs: notBeforeMs + LEAF_VALIDITY_MS };
}

/** An authority is never replaced silently: everything it signed would be void. A torn one is refused by name. */
function isUsableAuthority(name: string): (pair: CertificatePair) => boolean {
  return ({ certificate, key }) => {
    if (!sameKey(certificate, key)) {
      throw new Error(
        `${name}.crt and ${name}.key do not belong together: put the right pair back, or remove both to make a new authority`,
      );
    }
    return true;
  };
}

function isGoodLeaf(pair: CertificatePair, by: CertificatePair, wanted: Wanted, nowMs: number): boolean {
  if (!sameKey(pair.certificate, pair.key) || !isIssuedBy(pair.certificate, by.certificate)) return false;
  const facts = readCertificate(pair.certificate);
  return (
    facts.notAfterMs - nowMs > RENEW_BEFORE_MS &&
    facts.notBeforeMs <= nowMs &&
    facts.commonName === wanted.commonName &&
    sameSet(facts.organizations, wanted.organizations ?? []) &&
    sameSet(facts.dnsNames, wanted.names?.dnsNames ?? []) &&
    sameSet(facts.ipAddresses, wanted.names?.ipAddresses ?? [])
  );
}

function sameKey(certificate: string, key: string): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));
  } catch {
    return false; // torn or not PEM: not a pair
  }
}

const sameSet = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.toSorted().join('\n') === b.toSorted().join('\n');

function splitPem(text: string): string[] {
  return text.match(/-----BEGIN [^-]+-----[\s\S]*?-----END [^-]+-----\n?/g) ?? [];
}
