// Keys, certificates and kubeconfigs of a cluster on disk: made once, renewed when near their end.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ipAt, formatIP, parseCIDR } from '#base/ip.ts';
import { readTextIfExists, writeFileAtomic } from '#host/files.ts';
import { createNodeClient, createNodeServer, ensurePki, type Pki, type PkiFiles } from '#pki/ensure.ts';
import { type Kubeconfig, makeKubeconfig } from '#pki/kubeconfig.ts';
import type { ClusterConfig } from './config.ts';
import { contextName, writeKubeconfig } from './kubeconfig-file.ts';
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
export const nodeEndpoint = (config: ClusterConfig): string => `https://${config.hollow ? '127.0.0.1' : config.machineIP}:${config.apiPort}`;

export async function ensureMaterials(config: ClusterConfig, paths: ClusterPaths, nowMs: number): Promise<{ pki: Pki; admin: Kubeconfig }> {
  mkdirSync(paths.pki, { recursive: true, mode: 0o700 });
  const apiServiceIP = formatIP(ipAt(parseCIDR(config.serviceCIDR)!, 1));
  const domain = config.clusterDomain;
  const pki = await ensurePki(pkiFiles(paths.pki), {
    nowMs,
    serverNames: {
      dnsNames: ['localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc', `kubernetes.default.svc.${domain}`],
      ipAddresses: [...new Set(['127.0.0.1', '::1', config.machineIP, apiServiceIP, ...config.bindAddresses.filter((a) => a !== '0.0.0.0' && a !== '::')])],
    },
  });
  const admin = makeKubeconfig({
    context: contextName(config.name),
    cluster: { server: machineEndpoint(config), certificateAuthority: pki.ca.certificate },
    user: { certificate: pki.admin.certificate, key: pki.admin.key },
  });
  if (!existsSync(paths.kubeconfig) || pki.written.length > 0 || !readTextIfExists(paths.kubeconfig)?.includes(machineEndpoint(config))) {
    writeKubeconfig(paths.kubeconfig, admin);
  }
  for (const node of config.nodes) await ensureNodeMaterials(config, paths, node, pki, nowMs);
  return { pki, admin };
}

async function ensureNodeMaterials(config: ClusterConfig, paths: ClusterPaths, node: { name: string; ip: string }, pki: Pki, nowMs: number): Promise<void> {
  const own = paths.node(node.name);
  if (existsSync(own.kubeconfig) && !pki.written.some((f) => f.startsWith('ca.'))) return;
  mkdirSync(own.root, { recursive: true, mode: 0o700 });
  const [client, server] = await Promise.all([
    createNodeClient(pki.ca, node.name, nowMs),
    createNodeServer(pki.ca, node.name, { dnsNames: [node.name], ipAddresses: [node.ip] }, nowMs),
  ]);
  writeFileAtomic(join(own.root, 'kubelet-server.key'), server.key, 0o600);
  writeFileAtomic(join(own.root, 'kubelet-server.crt'), server.certificate, 0o644);
  writeKubeconfig(
    own.kubeconfig,
    makeKubeconfig({ context: node.name, cluster: { server: nodeEndpoint(config), certificateAuthority: pki.ca.certificate }, user: { certificate: client.certificate, key: client.key } }),
  );
}
