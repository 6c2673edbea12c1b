// A kubelet over a real containerd and an API double, in one process: for tests of the node alone. What the double lacks and the
// kubelet needs (strategic merge of conditions, graceful deletion of pods, tokens) stands here.
import type { Pod } from '#generated/api/core-v1.ts';
import { namespaces, pods, serviceaccounts } from '#generated/resources.ts';
import { SystemClock } from '#base/clock.ts';
import { createLog } from '#base/log.ts';
import { MetricsRegistry } from '#base/metrics.ts';
import { SystemRandom, uuid } from '#base/random.ts';
import type { EventRecorder } from '#client/client.ts';
import { createInformers } from '#client/informers.ts';
import { createClient } from '#client/rest-client.ts';
import { TestApi } from '#client/testing.ts';
import { createCgroups } from '#host/cgroups.ts';
import { realFileSystem } from '#host/file-system.ts';
import { KernelMounts } from '#host/mounts.ts';
import { run } from '#host/process.ts';
import type { Exchange } from '#machinery/exchange.ts';
import { noNetwork, type NodeNetwork } from '#netmodel/node-network.ts';
import { GrpcRuntime } from '#node/cri/grpc.ts';
import type { Runtime } from '#node/cri/runtime.ts';
import { createKubelet, type Kubelet, type KubeletDeps } from '#node/kubelet.ts';

export interface KubeletBed {
  readonly api: TestApi;
  readonly kubelet: Kubelet;
  readonly runtime: Runtime;
  readonly events: { readonly reason: string; readonly message: string; readonly about: string }[];
  create(pod: { readonly metadata: { readonly name: string } & Record<string, unknown>; readonly spec: unknown }): Pod;
  remove(name: string, graceSeconds?: number): void;
  pod(name: string): Pod | undefined;
  until(
    name: string,
    what: string,
    holds: (pod: Pod | undefined) => boolean,
    timeoutMs?: number,
  ): Promise<Pod | undefined>;
  logs(name: string, container: string, previous?: boolean): Promise<string>;
  stop(): Promise<void>;
}

export const NODE = 'node-1';

export interface BedOptions {
  readonly socket: string;
  readonly rootDir: string;
  readonly cgroupRoot: string;
  readonly network?: NodeNetwork;
  readonly api?: TestApi;
  readonly verbose?: boolean;
  readonly wrap?: (runtime: Runtime) => Runtime;
}

export async function startKubelet(options: BedOptions): Promise<KubeletBed> {
  const api = options.api ?? new TestApi();
  const clock = new SystemClock();
  const stopped = new AbortController();
  const exchange: Exchange = async (request) => {
    const url = new URL(request.path, 'http://x');
    const body =
      request.body === undefined
        ? undefined
        : (JSON.parse(Buffer.from(request.body).toString()) as Record<string, never>);
    const parts = url.pathname.split('/');
    if (
      request.method === 'PATCH' &&
      body !== undefined &&
      (body as { status?: { conditions?: unknown } }).status !== undefined
    ) {
      const current = await api.exchange({
        ...request,
        method: 'GET',
        path: url.pathname.replace(/\/status$/, ''),
        body: undefined,
      });
      const old = JSON.parse(Buffer.from(current.body as Uint8Array).toString()) as Pod;
      const { status, ...rest } = body as unknown as { status: Record<string, unknown> };
      const merged: Record<string, unknown> = { ...status };
      for (const [key, value] of Object.entries(merged)) {
        if (!Array.isArray(value)) continue;
        const plain = value.filter((v) => (v as { $patch?: string }).$patch === undefined);
        if (key === 'conditions') {
          const types = new Set(plain.map((c) => (c as { type: string }).type));
          merged[key] = [...(old.status?.conditions ?? []).filter((c) => !types.has(c.type)), ...plain];
        } else merged[key] = plain;
      }
      return api.exchange({ ...request, body: Buffer.from(JSON.stringify({ ...rest, status: merged })) });
    }
    if (request.method === 'POST' && parts.at(-1) === 'token') {
      const token = `token-${uuid(new SystemRandom())}`;
      const answer = { ...body, status: { token, expirationTimestamp: new Date(Date.now() + 3600_000).toISOString() } };
      return {
        status: 201,
        headers: { 'content-type': 'application/json' },
        body: Buffer.from(JSON.stringify(answer)),
      };
    }
    return api.exchange(request);
  };
  const log = createLog(
    { write: (line) => void (options.verbose === true && process.stderr.write(line)) },
    { level: 'debug' },
  );
  const client = createClient({
    transport: { request: (request) => exchange(request as never), close: async () => {} },
    clock,
    userAgent: 'test',
  });
  const informers = createInformers({ client, clock, random: new SystemRandom(), log });
  const seen: { reason: string; message: string; about: string }[] = [];
  const events: EventRecorder = {
    event: (about, _ref, _type, reason, message) => {
      seen.push({ reason, message, about: about.metadata.name! });
      if (options.verbose === true) process.stderr.write(`event ${about.metadata.name} ${reason}: ${message}\n`);
    },
  };
  const plain = new GrpcRuntime({ socket: options.socket, now: () => clock.now() });
  const runtime = options.wrap?.(plain) ?? plain;
  const deps: KubeletDeps = {
    client,
    informers,
    events,
    clock,
    random: new SystemRandom(),
    log,
    metrics: new MetricsRegistry(),
    network: options.network ?? noNetwork,
    runtime,
    files: realFileSystem,
    mounts: new KernelMounts(run),
    cgroups: createCgroups(),
    options: {
      nodeName: NODE,
      nodeIPs: ['192.0.2.10'],
      rootDir: `${options.rootDir}/kubelet`,
      volumesDir: `${options.rootDir}/volumes`,
      cgroupRoot: options.cgroupRoot,
      clusterDnsIPs: ['10.96.0.10'],
      clusterDomain: 'cluster.local',
    },
  };
  const kubelet = createKubelet(deps);
  await Promise.all([informers.start(stopped.signal), kubelet.start(stopped.signal)]);
  const bed: KubeletBed = {
    api,
    kubelet,
    runtime,
    events: seen,
    create(pod) {
      const full = {
        apiVersion: 'v1',
        kind: 'Pod',
        status: { phase: 'Pending' },
        ...pod,
        metadata: { namespace: 'default', ...pod.metadata },
        spec: { nodeName: NODE, ...(pod.spec as object) },
      };
      return api.put(pods, full as unknown as Pod);
    },
    remove(name, graceSeconds) {
      const pod = bed.pod(name)!;
      const grace = graceSeconds ?? pod.spec?.terminationGracePeriodSeconds ?? 30;
      api.put(pods, {
        ...pod,
        metadata: { ...pod.metadata, deletionTimestamp: new Date().toISOString(), deletionGracePeriodSeconds: grace },
      });
    },
    pod: (name) => api.find(pods, `default/${name}`),
    async until(name, what, holds, timeoutMs = 20_000) {
      const end = performance.now() + timeoutMs;
      for (;;) {
        const pod = bed.pod(name);
        if (holds(pod)) return pod;
        if (performance.now() > end)
          throw new Error(
            `${name}: not ${what} after ${timeoutMs} ms: ${JSON.stringify(pod?.status, null, 1)}\n${seen.map((e) => `${e.about} ${e.reason}: ${e.message}`).join('\n')}`,
          );
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    async logs(name, container, previous = false) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of kubelet.server.containerLogs(
        'default',
        name,
        container,
        { previous },
        new AbortController().signal,
      ))
        chunks.push(chunk);
      return Buffer.concat(chunks).toString();
    },
    async stop() {
      await kubelet.stop();
      stopped.abort();
      await informers.stop();
      plain.close();
    },
  };
  void namespaces;
  void serviceaccounts;
  return bed;
}
