// The server's side of everything that reaches into nodes: tunnels, ClusterDialer, connect subresources.
import type { Clock } from '#base/clock.ts';
import type { Log } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import { endpointslices, nodes, pods, services } from '#generated/resources.ts';
import { lookupOf } from '#apiserver/authentication/lookup.ts';
import type { UpgradeRoute } from '#apiserver/dispatch.ts';
import type { KubeletAccess } from '#apiserver/subresources/proxy-backend.ts';
import { connectHandlers } from '#apiserver/subresources/proxy-connect.ts';
import { serviceResolver } from '#apiserver/subresources/proxy-endpoints.ts';
import { tunnelRoute } from '#apiserver/subresources/proxy-tunnel.ts';
import type { ConnectHandler } from '#apiserver/subresources/subresource.ts';
import type { Client, Informers } from '#client/client.ts';
import type { Pki } from '#pki/ensure.ts';
import { createBackends } from '#tunnel/backends.ts';
import { type ClusterDialer, createClusterDialer } from '#tunnel/cluster-dialer.ts';
import { TunnelServer } from '#tunnel/tunnel-server.ts';

export interface ClusterAccessDeps {
  readonly informers: Informers;
  readonly client: Client;
  readonly pki: Pki;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface ClusterAccess {
  /** A component: stopping it ends all tunnels. */
  readonly tunnels: TunnelServer;
  readonly dialer: ClusterDialer;
  /** For whoever reads from kubelets. */
  readonly kubelets: KubeletAccess;
  readonly connect: readonly ConnectHandler[];
  readonly upgrades: readonly UpgradeRoute[];
}

export function clusterAccess({ informers, client, pki, clock, random, log }: ClusterAccessDeps): ClusterAccess {
  const tunnels = new TunnelServer({ clock, log });
  const resolveService = serviceResolver({
    services: informers.informer(services),
    slices: informers.informer(endpointslices),
    random,
  });
  const dialer = createClusterDialer({ tunnels, resolveService });
  const backends = createBackends(dialer, {
    ca: pki.ca.certificate,
    certificate: pki.kubeletClient.certificate,
    privateKey: pki.kubeletClient.key,
  });
  const kubelets = { backends, nodes: lookupOf(informers, client, nodes) };
  const connect = connectHandlers({
    ...kubelets,
    pods: lookupOf(informers, client, pods),
    services: lookupOf(informers, client, services),
  });
  return { tunnels, dialer, kubelets, connect, upgrades: [tunnelRoute(tunnels)] };
}
