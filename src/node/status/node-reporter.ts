// Registers the node and keeps its status, its lease and its CSINode current.
import { KUBERNETES_VERSION } from '#machinery/version.ts';
import type { Lease } from '#generated/api/coordination-v1.ts';
import type { ContainerImage, Node, NodeCondition, NodeRuntimeHandler, NodeStatus } from '#generated/api/core-v1.ts';
import { csinodes, leases, nodes } from '#generated/resources.ts';
import { type Clock, sleep } from '#base/clock.ts';
import type { Log } from '#base/log.ts';
import type { Client } from '#client/client.ts';
import type { FileSystem, FilesystemFacts } from '#host/file-system.ts';
import { isNodeReady } from '#kinds/core/node.ts';
import { canonicalQuantity } from '#machinery/quantity.ts';
import { formatMicroTime, formatTime } from '#machinery/time.ts';
import { isStatus } from '#machinery/status.ts';
import type { NodeNetwork } from '#netmodel/node-network.ts';
import { RELIST_THRESHOLD_MS } from '../cri/pod-cache.ts';
import type { RuntimeStatus } from '../cri/messages.ts';
import type { Runtime } from '../cri/runtime.ts';
import { type Pressure, reservedOf, type Signal } from '../eviction/thresholds.ts';
import type { KubeletOptions } from '../kubelet.ts';
import { DISK_DRIVER } from '../volumes/disk.ts';
import type { MachineFacts } from './machine.ts';
import { sameJson } from './status-writer.ts';

/** Upstream's nodeStatusUpdateFrequency, nodeStatusReportFrequency and lease renewal (a quarter of 40 s). */
const UPDATE_MS = 10_000;
const REPORT_MS = 300_000;
const LEASE_SECONDS = 40;
const LEASE_RENEW_MS = 10_000;
const REGISTER_RETRY_MS = 500;
/** What a kubelet that starts again may take until the pod network answers to it: rules, routes and pods went on meanwhile. */
const ADOPTION_MS = 30_000;
/** Upstream reports this many images. */
const IMAGES_MAX = 50;
/** Claimed volumes one node carries; loop devices are plenty. */
const DISKS_MAX = 256;
const LEASE_NAMESPACE = 'kube-node-lease';

export interface NodeReporterDeps {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Log;
  readonly runtime: Runtime;
  readonly files: FileSystem;
  readonly network: NodeNetwork;
  readonly options: KubeletOptions;
  readonly machine: MachineFacts;
  readonly volumesInUse: () => readonly string[];
  readonly runtimeAgeMs: () => number;
  readonly maxPods: number;
  /** What the node is short of now. */
  readonly pressures: () => readonly Pressure[];
}

export class NodeReporter {
  readonly #deps: NodeReporterDeps;
  #reported: NodeStatus | undefined;
  #reportedAtMs = 0;
  #networkReady = false;
  /** Until then the Ready that a kubelet before us reported is not taken back for the network's sake. */
  #adoptedUntilMs = 0;
  #inUse: readonly string[] = [];
  #runtimeVersion = '';
  #wake: (() => void) | undefined;
  /** Changed since the last report began. */
  #isDirty = false;

  constructor(deps: NodeReporterDeps) {
    this.#deps = deps;
  }

  /** Makes the Node object or takes up the one there is. */
  async register(signal: AbortSignal): Promise<void> {
    const { client, options, clock, log } = this.#deps;
    for (;;) {
      try {
        const existing = await client.resource(nodes).get(undefined, options.nodeName);
        // Not ready for a moment would take all pods of the node out of their Services.
        if (existing !== undefined && isNodeReady(existing)) this.#adoptedUntilMs = clock.monotonic() + ADOPTION_MS;
        const status = await this.#status(existing);
        if (existing === undefined) {
          const node: Node = {
            apiVersion: 'v1',
            kind: 'Node',
            metadata: {
              name: options.nodeName,
              labels: this.#labels(),
              annotations: { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' },
            },
            spec: options.taints === undefined ? {} : { taints: options.taints },
            status,
          };
          await client.resource(nodes).create(node);
        } else if (Object.entries(this.#labels()).some(([k, v]) => existing.metadata.labels?.[k] !== v)) {
          await client.resource(nodes).patch(undefined, options.nodeName, 'application/merge-patch+json', {
            metadata: { labels: this.#labels() },
          });
        }
        await this.#report();
        await this.#renewLease();
        await this.#registerDriver();
        return;
      } catch (error) {
        signal.throwIfAborted();
        if (isStatus(error, 'AlreadyExists')) continue;
        log.warn('the node could not be registered yet', { error });
        await sleep(clock, REGISTER_RETRY_MS, signal);
      }
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    const { network, log } = this.#deps;
    network.ready(signal).then(
      () => {
        this.#networkReady = true;
        this.changed();
      },
      (error) => {
        if (!signal.aborted) log.error('the pod network did not get ready', { error });
      },
    );
    await Promise.all([
      this.#loop(UPDATE_MS, true, () => this.#report(), signal),
      this.#loop(LEASE_RENEW_MS, false, () => this.#renewLease(), signal),
    ]);
  }

  /** Something of the status changed: report now. */
  changed(): void {
    this.#isDirty = true;
    this.#wake?.();
  }

  /** One of the loops is woken by changes; the periods may be equal. */
  async #loop(periodMs: number, wakes: boolean, step: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    while (!signal.aborted) {
      if (wakes) this.#isDirty = false;
      try {
        await step();
      } catch (error) {
        if (!signal.aborted) log.warn('the node could not report', { error });
      }
      // What changed while the report was on its way is not in it.
      if (wakes && this.#isDirty) continue;
      const woken = wakes ? new Promise<void>((resolve) => (this.#wake = resolve)) : new Promise<void>(() => {});
      const pause = new AbortController();
      const onAbort = () => pause.abort();
      signal.addEventListener('abort', onAbort, { once: true });
      await Promise.race([sleep(clock, periodMs, pause.signal).catch(() => {}), woken]);
      signal.removeEventListener('abort', onAbort);
      pause.abort();
    }
  }

  #labels(): Readonly<Record<string, string>> {
    const { options, machine } = this.#deps;
    return {
      'kubernetes.io/hostname': options.nodeName,
      'kubernetes.io/os': 'linux',
      'kubernetes.io/arch': machine.architecture,
      'beta.kubernetes.io/os': 'linux',
      'beta.kubernetes.io/arch': machine.architecture,
      ...options.labels,
    };
  }

  async #report(): Promise<void> {
    const { client, clock, options } = this.#deps;
    const resource = client.resource(nodes);
    const node = await resource.get(undefined, options.nodeName);
    if (node === undefined) return;
    const status = await this.#status(node);
    const wantedInUse = status.volumesInUse ?? [];
    const due = clock.now() - this.#reportedAtMs >= REPORT_MS;
    if (!due && this.#reported !== undefined && sameJson(withoutTimes(status), withoutTimes(node.status ?? {}))) return;
    const { volumesAttached: _attached, ...own } = status;
    await resource.patch(
      undefined,
      options.nodeName,
      'application/strategic-merge-patch+json',
      {
        status: {
          ...own,
          addresses: [{ $patch: 'replace' }, ...(status.addresses ?? [])],
          volumesInUse: wantedInUse.length === 0 ? null : wantedInUse,
          // An older runtime takes back what a newer one could do.
          runtimeHandlers: status.runtimeHandlers ?? null,
          features: status.features ?? null,
        },
      },
      { subresource: 'status' },
    );
    this.#reported = status;
    this.#inUse = wantedInUse;
    this.#reportedAtMs = clock.now();
  }

  /** Volumes in use are told before they are mounted, so that nobody detaches them underneath. Resolves when the API has them. */
  async reportVolumesInUse(): Promise<void> {
    const wanted = this.#deps.volumesInUse();
    if (sameJson(this.#inUse, wanted)) return;
    const body = { status: { volumesInUse: wanted.length === 0 ? null : wanted } };
    await this.#deps.client
      .resource(nodes)
      .patch(undefined, this.#deps.options.nodeName, 'application/merge-patch+json', body, { subresource: 'status' });
    this.#inUse = wanted;
  }

  async #status(node: Node | undefined): Promise<NodeStatus> {
    const { runtime, options, machine, files, maxPods, volumesInUse } = this.#deps;
    const disk = await files
      .statfs(options.rootDir)
      .catch((): FilesystemFacts => ({ totalBytes: 0, availableBytes: 0, inodes: 0, inodesFree: 0 }));
    let conditions: readonly { readonly type: string; readonly status: boolean; readonly message: string }[] = [];
    let handlers = node?.status?.runtimeHandlers;
    let features: NodeStatus['features'] = node?.status?.features;
    let runtimeError = '';
    let images: readonly ContainerImage[] = node?.status?.images ?? [];
    try {
      if (this.#runtimeVersion === '') {
        const { runtimeName, runtimeVersion } = await runtime.version();
        this.#runtimeVersion = `${runtimeName}://${runtimeVersion.replace(/^v/, '')}`;
      }
      const told = await runtime.status();
      conditions = told.conditions;
      handlers = handlersOf(told);
      features = told.features;
      images = imageList(await runtime.listImages());
    } catch (error) {
      runtimeError = error instanceof Error ? error.message : String(error);
    }
    // In the form in which the API keeps them: otherwise every look would find a difference to report.
    const reserved = (signal: Signal, capacity: number) => reservedOf(options.eviction ?? {}, signal, capacity);
    const amounts = (storageBytes: number, memoryBytes: number) => ({
      cpu: machine.cpuMillis % 1000 === 0 ? String(machine.cpuMillis / 1000) : `${machine.cpuMillis}m`,
      'ephemeral-storage': canonicalQuantity(`${Math.floor(storageBytes / 1024)}Ki`),
      'hugepages-1Gi': '0',
      'hugepages-2Mi': '0',
      memory: canonicalQuantity(`${Math.floor(memoryBytes / 1024)}Ki`),
      pods: String(maxPods),
    });
    const inUse = volumesInUse();
    return {
      ...node?.status,
      capacity: amounts(disk.totalBytes, machine.memoryBytes),
      allocatable: amounts(
        disk.totalBytes - reserved('nodefs.available', disk.totalBytes),
        machine.memoryBytes - reserved('memory.available', machine.memoryBytes),
      ),
      addresses: [
        ...options.nodeIPs.map((address) => ({ type: 'InternalIP', address })),
        { type: 'Hostname', address: options.nodeName },
      ],
      conditions: this.#conditions(node, conditions, runtimeError),
      daemonEndpoints: { kubeletEndpoint: { Port: options.port ?? 10250 } },
      nodeInfo: {
        machineID: machine.machineId,
        systemUUID: machine.systemUuid,
        bootID: machine.bootId,
        kernelVersion: machine.kernelVersion,
        osImage: machine.osImage,
        containerRuntimeVersion: this.#runtimeVersion,
        kubeletVersion: options.kubeletVersion ?? KUBERNETES_VERSION,
        kubeProxyVersion: '',
        operatingSystem: 'linux',
        architecture: machine.architecture,
      },
      images,
      runtimeHandlers: handlers,
      features,
      ...(inUse.length === 0 ? { volumesInUse: undefined } : { volumesInUse: inUse }),
    };
  }

  #conditions(
    node: Node | undefined,
    runtime: readonly { readonly type: string; readonly status: boolean; readonly message: string }[],
    runtimeError: string,
  ): readonly NodeCondition[] {
    const { clock, runtimeAgeMs } = this.#deps;
    const [memory, full, pids] = (['MemoryPressure', 'DiskPressure', 'PIDPressure'] as const).map((p) =>
      this.#deps.pressures().includes(p),
    ) as [boolean, boolean, boolean];
    const problems: string[] = [];
    if (runtimeError !== '') problems.push(`container runtime is down: ${runtimeError}`);
    // Further conditions are the runtime's own business (containerd's warnings of deprecated things).
    for (const c of runtime.filter((r) => r.type === 'RuntimeReady' || r.type === 'NetworkReady'))
      if (!c.status)
        problems.push(
          c.type === 'NetworkReady'
            ? `container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:${c.message}`
            : `container runtime not ready: ${c.type}=false: ${c.message}`,
        );
    const adopted = clock.monotonic() < this.#adoptedUntilMs && node !== undefined && isNodeReady(node);
    if (!this.#networkReady && !adopted && problems.length === 0)
      problems.push(
        'container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:the pod network is not set up yet',
      );
    if (runtimeAgeMs() > RELIST_THRESHOLD_MS)
      problems.push(
        `PLEG is not healthy: pleg was last seen active ${Math.round(runtimeAgeMs() / 1000)}s ago; threshold is 3m0s`,
      );
    const ready = problems.length === 0;
    const wanted = [
      condition(
        'MemoryPressure',
        memory,
        memory ? 'KubeletHasInsufficientMemory' : 'KubeletHasSufficientMemory',
        `kubelet has ${memory ? 'insufficient' : 'sufficient'} memory available`,
      ),
      condition(
        'DiskPressure',
        full,
        full ? 'KubeletHasDiskPressure' : 'KubeletHasNoDiskPressure',
        `kubelet has ${full ? '' : 'no '}disk pressure`,
      ),
      condition(
        'PIDPressure',
        pids,
        pids ? 'KubeletHasInsufficientPID' : 'KubeletHasSufficientPID',
        `kubelet has ${pids ? 'insufficient' : 'sufficient'} PID available`,
      ),
      condition(
        'Ready',
        ready,
        ready ? 'KubeletReady' : 'KubeletNotReady',
        ready ? 'kubelet is posting ready status' : `[${problems.join(', ')}]`,
      ),
    ];
    const now = formatTime(clock.now());
    const old = node?.status?.conditions ?? [];
    const own = wanted.map((c) => {
      const before = old.find((o) => o.type === c.type);
      return {
        ...c,
        lastHeartbeatTime: now,
        lastTransitionTime: before?.status === c.status ? (before.lastTransitionTime ?? now) : now,
      };
    });
    return [...old.filter((o) => !own.some((c) => c.type === o.type)), ...own];
  }

  async #renewLease(): Promise<void> {
    const { client, clock, options } = this.#deps;
    const resource = client.resource(leases);
    const now = formatMicroTime(clock.now());
    const existing = await resource.get(LEASE_NAMESPACE, options.nodeName);
    if (existing !== undefined) {
      await resource.update({
        ...existing,
        spec: {
          ...existing.spec,
          holderIdentity: options.nodeName,
          leaseDurationSeconds: LEASE_SECONDS,
          renewTime: now,
        },
      });
      return;
    }
    const node = await client.resource(nodes).get(undefined, options.nodeName);
    const lease: Lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        name: options.nodeName,
        namespace: LEASE_NAMESPACE,
        ...(node === undefined
          ? {}
          : { ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: options.nodeName, uid: node.metadata.uid! }] }),
      },
      spec: { holderIdentity: options.nodeName, leaseDurationSeconds: LEASE_SECONDS, renewTime: now },
    };
    await resource.create(lease);
  }

  /** Our volume driver on this node, as a CSI plugin would register it. */
  async #registerDriver(): Promise<void> {
    const { client, options } = this.#deps;
    const resource = client.resource(csinodes);
    const driver = { name: DISK_DRIVER, nodeID: options.nodeName, topologyKeys: [], allocatable: { count: DISKS_MAX } };
    const existing = await resource.get(undefined, options.nodeName);
    if (existing === undefined) {
      const node = await client.resource(nodes).get(undefined, options.nodeName);
      await resource.create({
        apiVersion: 'storage.k8s.io/v1',
        kind: 'CSINode',
        metadata: {
          name: options.nodeName,
          ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: options.nodeName, uid: node!.metadata.uid! }],
        },
        spec: { drivers: [driver] },
      });
    } else if (!(existing.spec.drivers ?? []).some((d) => d.name === DISK_DRIVER)) {
      await resource.update({ ...existing, spec: { drivers: [...(existing.spec.drivers ?? []), driver] } });
    }
  }
}

const condition = (type: string, on: boolean, reason: string, message: string) => ({
  type,
  status: on ? 'True' : 'False',
  reason,
  message,
});

function handlersOf({ runtimeHandlers }: RuntimeStatus): readonly NodeRuntimeHandler[] | undefined {
  if (runtimeHandlers.length === 0) return undefined;
  return runtimeHandlers
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, features }) => ({
      name,
      ...(features === undefined ? {} : { features }),
    }));
}

function imageList(
  images: readonly {
    readonly repoTags: readonly string[];
    readonly repoDigests: readonly string[];
    readonly size: number;
  }[],
): readonly ContainerImage[] {
  return images
    .toSorted((a, b) => b.size - a.size)
    .map((i) => ({ names: [...i.repoDigests, ...i.repoTags], ...(i.size === 0 ? {} : { sizeBytes: i.size }) }))
    .filter((i) => i.names.length > 0)
    .slice(0, IMAGES_MAX);
}

/** What a report is worth writing for; an empty list and an absent one are the same to the API. */
const withoutTimes = (status: NodeStatus): unknown => ({
  ...status,
  images: status.images ?? [],
  conditions: (status.conditions ?? [])
    .map((c) => ({ ...c, lastHeartbeatTime: undefined }))
    .sort((a, b) => (a.type < b.type ? -1 : 1)),
});
