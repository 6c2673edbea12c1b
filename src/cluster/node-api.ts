// A node's side of logs, exec and proxies: the kubelet's HTTPS API, and the tunnel through which the server reaches it and the pods.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '#base/clock.ts';
import type { Component } from '#base/lifecycle.ts';
import type { Log } from '#base/log.ts';
import type { MetricsRegistry } from '#base/metrics.ts';
import type { Client } from '#client/client.ts';
import { KUBELET_PORT, KubeletHttpServer } from '#node/server/http-server.ts';
import type { NodeServer } from '#node/server/node-server.ts';
import { TunnelAgent } from '#tunnel/tunnel-agent.ts';
import type { ClusterConfig, NodeConfig } from './config.ts';
import { nodeEndpoint } from './materials.ts';
import { nodeSightHandlers } from './node-sight.ts';
import type { ClusterPaths } from './paths.ts';

export interface NodeApiDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
}

/** `client` is the kubelet's own. In the order to start them. */
export function nodeApi(
  config: ClusterConfig,
  paths: ClusterPaths,
  node: NodeConfig,
  server: NodeServer,
  client: Client,
  deps: NodeApiDeps,
): readonly Component[] {
  const own = paths.node(node.name);
  const read = (path: string): string => readFileSync(path, 'utf8');
  const ca = read(join(paths.pki, 'ca.crt'));
  const socket = `\0coracle-kubelet-${config.id}-${node.name}`;
  // Hollow nodes share the machine's addresses: each has a port of its own, on loopback.
  const api = new KubeletHttpServer(
    {
      host: config.hollow ? '127.0.0.1' : '0.0.0.0',
      port: config.hollow ? 0 : KUBELET_PORT,
      socket,
      certificate: read(join(own.root, 'kubelet-server.crt')),
      privateKey: read(join(own.root, 'kubelet-server.key')),
      clientCa: ca,
    },
    { server, client, ...deps, extra: nodeSightHandlers({ server, clock: deps.clock, hollow: config.hollow }) },
  );
  const tunnel = new TunnelAgent(
    {
      nodeName: node.name,
      server: nodeEndpoint(config),
      ca,
      cert: read(join(own.root, 'agent-client.crt')),
      key: read(join(own.root, 'agent-client.key')),
      nodePort: (port) => (port === KUBELET_PORT ? { path: socket } : { host: '127.0.0.1', port }),
    },
    deps,
  );
  return [api, tunnel];
}
