// Keys, certificates and kubeconfigs of a cluster on disk: made once, renewed when near their end.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ipAt, formatIP, parseCIDR } from '#base/ip.ts';
import { readTextIfExists, writeFileAtomic } from '#host/files.ts';
import { BACKDATE_MS, createLeaf, isIssuedBy, LEAF_VALIDITY_MS, readCertificate } from '#pki/certificates.ts';
import {
  createNodeClient,
  createNodeServer,
  ensurePki,
  type Pki,
  type PkiFiles,
  RENEW_BEFORE_MS,
} from '#pki/ensure.ts';
import type { CertificatePair } from '#pki/keys.ts';
import { NODE_AGENT_GROUP } from '#apiserver/authentication/users.ts';
import { AGENT_USER_PREFIX } from '#tunnel/protocol.ts';
import { type Kubeconfig, makeKubeconfig } from '#pki/kubeconfig.ts';
import type { ClusterConfig } from './config.ts';
import { contextName, writeKubeconfig } from './kubeconfig-file.ts';
import { nodeIPs } from './ipv6.ts';
import type { ClusterPaths } from './paths.ts';

/** The folder of keys on a real disk. */
export function pkiFiles(dir: string): PkiFiles {
  return {
    read: async (name) => readTextIfExists(join(dir, name)),
    write: async (name, text, mode) => writeFileAtomic(join(dir, name), text, mode),
  };
}

/** `https://` address for clients on this machine. */
export const machineEndpoint = (config: ClusterConfig): string => `https://127.0.0.1:${config.apiPort}`;
/** `https://` address for nodes. */
export const nodeEndpoint = (config: ClusterConfig): string =>
  `https://${config.hollow ? '127.0.0.1' : config.machineIP}:${config.apiPort}`;

export async function ensureMaterials(
  config: ClusterConfig,
  paths: ClusterPaths,
  nowMs: number,
): Promise<{ pki: Pki; admin: Kubeconfig }> {
  mkdirSync(paths.pki, { recursive: true, mode: 0o700 });
  const apiServiceIP = formatIP(ipAt(parseCIDR(config.serviceCIDR)!, 1));
  const domain = config.clusterDomain;
  const pki = await ensurePki(pkiFiles(paths.pki), {
    nowMs,
    serverNames: {
      dnsNames: [
        'localhost',
        'kubernetes',
        'kubernetes.default',
        'kubernetes.default.svc',
        `kubernetes.default.svc.${domain}`,
      ],
      ipAddresses: [
        ...new Set([
          '127.0.0.1',
          '::1',
          config.machineIP,
          apiServiceIP,
          ...config.bindAddresses.filter((a) => a !== '0.0.0.0' && a !== '::'),
        ]),
      ],
    },
  });
  const admin = makeKubeconfig({
    context: contextName(config.name),
    cluster: { server: machineEndpoint(config), certificateAuthority: pki.ca.certificate },
    user: { certificate: pki.admin.certificate, key: pki.admin.key },
  });
  if (
    !existsSync(paths.kubeconfig) ||
    pki.written.length > 0 ||
    !readTextIfExists(paths.kubeconfig)?.includes(machineEndpoint(config))
  ) {
    writeKubeconfig(paths.kubeconfig, admin);
  }
  for (const node of config.nodes)
    await ensureNodeMaterials(paths, { name: node.name, ips: nodeIPs(config, node) }, pki, nowMs);
  return { pki, admin };
}

async function ensureNodeMaterials(
  paths: ClusterPaths,
  node: { name: string; ips: readonly string[] },
  pki: Pki,
  nowMs: number,
): Promise<void> {
  const own = paths.node(node.name);
  mkdirSync(own.root, { recursive: true, mode: 0o700 });
  const pairs: readonly { readonly file: string; readonly make: () => Promise<CertificatePair> }[] = [
    { file: 'kubelet-client', make: () => createNodeClient(pki.ca, node.name, nowMs) },
    {
      file: 'kubelet-server',
      make: () => createNodeServer(pki.ca, node.name, { dnsNames: [node.name], ipAddresses: node.ips }, nowMs),
    },
    {
      file: 'agent-client',
      make: () =>
        createLeaf(pki.ca, {
          commonName: `${AGENT_USER_PREFIX}${node.name}`,
          organizations: [NODE_AGENT_GROUP],
          extendedUsages: ['client auth'],
          notBeforeMs: nowMs - BACKDATE_MS,
          notAfterMs: nowMs - BACKDATE_MS + LEAF_VALIDITY_MS,
        }),
    },
  ];
  for (const { file, make } of pairs) {
    const certificate = readTextIfExists(join(own.root, `${file}.crt`));
    const isGood =
      certificate !== undefined &&
      isIssuedBy(certificate, pki.ca.certificate) &&
      readCertificate(certificate).notAfterMs - nowMs > RENEW_BEFORE_MS;
    if (isGood && existsSync(join(own.root, `${file}.key`))) continue;
    const pair = await make();
    writeFileAtomic(join(own.root, `${file}.key`), pair.key, 0o600);
    writeFileAtomic(join(own.root, `${file}.crt`), pair.certificate, 0o644);
  }
}
