// Kubernetes' own signers of client and serving certificates: what a request must look like for each, and the signature.
// Rules are upstream's (certificates.k8s.io, "Kubernetes signers"). Who may ask and approve is not decided here.
import {
  BACKDATE_MS,
  LEAF_VALIDITY_MS,
  parseSigningRequest,
  signPublicKey,
  type ExtendedUsage,
  type SigningRequest,
} from './certificates.ts';
import type { CertificatePair } from './keys.ts';

export const CLIENT_SIGNER = 'kubernetes.io/kube-apiserver-client';
export const KUBELET_CLIENT_SIGNER = 'kubernetes.io/kube-apiserver-client-kubelet';
export const KUBELET_SERVING_SIGNER = 'kubernetes.io/kubelet-serving';

export type SignerName = typeof CLIENT_SIGNER | typeof KUBELET_CLIENT_SIGNER | typeof KUBELET_SERVING_SIGNER;

const NODES_GROUP = 'system:nodes';
const NODE_PREFIX = 'system:node:';
/** Shortest and longest life of a certificate; upstream's minimum, and its --cluster-signing-duration. */
const MIN_SECONDS = 600;

/** What is wrong with the request for that signer; undefined when it may be signed. `usages` as in the API object. */
export function signingRefusal(
  signer: SignerName,
  request: SigningRequest,
  usages: readonly string[],
): string | undefined {
  const extended: ExtendedUsage = signer === KUBELET_SERVING_SIGNER ? 'server auth' : 'client auth';
  const permitted = new Set(['digital signature', 'key encipherment', extended]);
  const extra = usages.find((u) => !permitted.has(u));
  if (extra !== undefined) return `usage ${JSON.stringify(extra)} is not permitted`;
  if (!usages.includes(extended)) return `usage ${JSON.stringify(extended)} is required`;
  if (signer === CLIENT_SIGNER) return undefined;

  if (!usages.includes('digital signature')) return 'usage "digital signature" is required';
  if (request.organizations.length !== 1 || request.organizations[0] !== NODES_GROUP)
    return 'subject organization is not system:nodes';
  if (!request.commonName.startsWith(NODE_PREFIX)) return 'subject common name does not begin with system:node:';
  if (request.emailAddresses.length > 0) return 'email subjectAltNames are not allowed';
  if (request.uris.length > 0) return 'URI subjectAltNames are not allowed';
  const named = request.dnsNames.length + request.ipAddresses.length > 0;
  if (signer === KUBELET_SERVING_SIGNER) return named ? undefined : 'DNS or IP subjectAltName is required';
  return named ? 'DNS and IP subjectAltNames are not allowed' : undefined;
}

export interface SignOptions {
  readonly signer: SignerName;
  /** PEM, decoded from the object's spec.request. */
  readonly request: string;
  readonly usages: readonly string[];
  /** What was asked; at most a year is given. */
  readonly expirationSeconds?: number;
  readonly nowMs: number;
}

/** The certificate, PEM, or why there is none. */
export async function signRequest(
  authority: CertificatePair,
  options: SignOptions,
): Promise<{ readonly certificate: string } | { readonly refusal: string }> {
  let request: SigningRequest;
  try {
    request = await parseSigningRequest(options.request);
  } catch (error) {
    return { refusal: `unable to parse csr: ${error instanceof Error ? error.message : String(error)}` };
  }
  const refusal = signingRefusal(options.signer, request, options.usages);
  if (refusal !== undefined) return { refusal };
  const wantedMs = Math.max(options.expirationSeconds ?? Infinity, MIN_SECONDS) * 1000;
  const certificate = await signPublicKey(authority, request.publicKeyPem, {
    commonName: request.commonName,
    organizations: request.organizations,
    names: { dnsNames: request.dnsNames, ipAddresses: request.ipAddresses },
    extendedUsages: options.signer === KUBELET_SERVING_SIGNER ? ['server auth'] : ['client auth'],
    notBeforeMs: options.nowMs - BACKDATE_MS,
    notAfterMs: options.nowMs + Math.min(wantedMs, LEAF_VALIDITY_MS),
  });
  return { certificate };
}
