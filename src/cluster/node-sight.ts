// What a node shows of itself to the explainer, under the kubelet's own port: probes from it and its pods, and facts of its kernel.
import { dirname, join } from 'node:path';
import type { Clock } from '#base/clock.ts';
import { realFileSystem } from '#host/file-system.ts';
import { run } from '#host/process.ts';
import type { ExtraHandler } from '#node/server/http-server.ts';
import type { NodeServer } from '#node/server/node-server.ts';
import { factsHandler } from '#why/node/facts-handler.ts';
import { probeHandler } from '#why/node/probe-handler.ts';
import { localProbeDeps } from './probe-deps.ts';

export interface NodeSightOptions {
  readonly server: NodeServer;
  readonly clock: Clock;
  readonly hollow: boolean;
}

export function nodeSightHandlers({ server, clock, hollow }: NodeSightOptions): readonly ExtraHandler[] {
  const podOf = (namespace: string, name: string) =>
    server.pods().find((p) => p.metadata.namespace === namespace && p.metadata.name === name);
  const pods = {
    podUid: (namespace: string, name: string) => podOf(namespace, name)?.metadata.uid,
    podNetns: (namespace: string, name: string) => server.podNetns(namespace, name),
    usesHostNetwork: (namespace: string, name: string) => podOf(namespace, name)?.spec?.hostNetwork === true,
  };
  const facts = { node: server.nodeName, run, files: realFileSystem, nftPath: 'nft', ...pods };
  return [
    factsHandler(hollow ? undefined : facts),
    probeHandler({
      run,
      files: realFileSystem,
      ...pods,
      program: [process.execPath, join(dirname(process.argv[1]!), 'probe.mjs')],
      ...(hollow ? {} : { own: localProbeDeps(clock) }),
    }),
  ];
}
