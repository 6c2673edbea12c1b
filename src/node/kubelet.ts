// The kubelet: registers this node, runs the pods bound to it, and tells the API how they and the node are.
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '#generated/api/core-v1.ts';
import type { VolumeAttachment } from '#generated/api/storage-v1.ts';
import {
  persistentvolumeclaims,
  persistentvolumes,
  pods as podsRef,
  serviceaccounts,
  services as servicesRef,
  volumeattachments,
} from '#generated/resources.ts';
import type { Clock } from '#base/clock.ts';
import type { Component } from '#base/lifecycle.ts';
import type { Log } from '#base/log.ts';
import type { MetricsRegistry } from '#base/metrics.ts';
import type { Random } from '#base/random.ts';
import type { Client, EventRecorder, Informer, Informers } from '#client/client.ts';
import type { Cgroups } from '#host/cgroups.ts';
import type { FileSystem } from '#host/file-system.ts';
import type { Mounts } from '#host/mounts.ts';
import { isStatus } from '#machinery/status.ts';
import type { NodeNetwork } from '#netmodel/node-network.ts';
import { PodCache } from './cri/pod-cache.ts';
import type { Runtime } from './cri/runtime.ts';
import { Eviction, type EvictionRequest } from './eviction/eviction.ts';
import { type EvictionOptions, reservedOf } from './eviction/thresholds.ts';
import { collectImages, DEFAULT_IMAGE_GC, type ImageGcMarks, removeUnusedImages } from './images/image-gc.ts';
import { Images } from './images/images.ts';
import { pullCredentials } from './images/credentials.ts';
import { Limiter } from './limiter.ts';
import { createNodeServer, type NodeServer } from './server/node-server.ts';
import { LogReader } from './logs/log-reader.ts';
import { rotateLogs } from './logs/log-rotation.ts';
import { ObjectCache } from './object-cache.ts';
import { parseResolvConf } from '#netmodel/resolv-conf.ts';
import { PodWorker, type PodWorkerDeps } from './pods/pod-worker.ts';
import { podCgroup } from './pods/resources.ts';
import { removeContainer } from './pods/start.ts';
import { maskedPaths } from './pods/security.ts';
import { UserNamespaces, usesUserNamespace } from './pods/user-namespaces.ts';
import { Allocations } from './resize/allocations.ts';
import { Resizer } from './resize/resizer.ts';
import { Probes } from './probes/probes.ts';
import { NodeReporter } from './status/node-reporter.ts';
import { type MachineFacts, readMachine } from './status/machine.ts';
import { StatusWriter } from './status/status-writer.ts';
import { Tokens } from './volumes/tokens.ts';
import { Volumes } from './volumes/volumes.ts';

export interface KubeletOptions {
  readonly nodeName: string;
  readonly nodeIPs: readonly string[];
  /** Everything of this node: pods/, memory/, plugins/, log/pods/. */
  readonly rootDir: string;
  /** Backing files of claimed volumes, shared by all nodes of the machine. */
  readonly volumesDir: string;
  /** `/coracle/local/node-1`: below it come kubepods/…. */
  readonly cgroupRoot: string;
  readonly clusterDnsIPs: readonly string[];
  readonly clusterDomain: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: readonly { readonly key: string; readonly value?: string; readonly effect: string }[];
  /** Quantities; the machine's own without. */
  readonly cpus?: string;
  readonly memory?: string;
  readonly maxPods?: number;
  /** Where this kubelet's HTTPS API listens; 0 when nothing does yet. */
  readonly port?: number;
  /** The node's resolv.conf. */
  readonly resolvConf?: string;
  readonly kubeletVersion?: string;
  /** Containers without a seccomp profile get the runtime's; upstream's default is none. */
  readonly seccompDefault?: boolean;
  /** Sysctls that pods may set though they are risky; a `*` at the end stands for anything. */
  readonly allowedUnsafeSysctls?: readonly string[];
  /** Where the ids of user namespaces are claimed: one folder for all nodes of the machine. */
  readonly userNamespacesDir?: string;
  /** When pods have to go because the node is short of something; upstream's defaults without. */
  readonly eviction?: EvictionOptions;
  /** How full the disk may get before unused images go; upstream's marks without. */
  readonly imageGc?: ImageGcMarks;
  /** Nothing runs: probes are not asked, and count as passed. */
  readonly hollow?: boolean;
}

export interface KubeletDeps {
  readonly client: Client;
  readonly informers: Informers;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
  readonly network: NodeNetwork;
  readonly runtime: Runtime;
  readonly files: FileSystem;
  readonly mounts: Mounts;
  readonly cgroups: Cgroups;
  readonly options: KubeletOptions;
}

export interface Kubelet extends Component {
  /** What the kubelet's HTTPS API is built on. */
  readonly server: NodeServer;
}

const MAX_PODS = 110;
/** Sandbox starts and exec probes at once, per core: more only makes each slower. */
const STARTS_PER_CORE = 4;

export function createKubelet(deps: KubeletDeps): Kubelet {
  return new RunningKubelet(deps);
}

class RunningKubelet implements Kubelet {
  readonly name = 'kubelet';
  readonly server: NodeServer;
  readonly #deps: KubeletDeps;
  readonly #pods: Informer<Pod>;
  readonly #machine: MachineFacts;
  readonly #cache: PodCache;
  readonly #probes: Probes;
  readonly #objects: ObjectCache;
  readonly #reporter: NodeReporter;
  readonly #tokens: Tokens;
  readonly #workerDeps: PodWorkerDeps;
  readonly #logs: LogReader;
  readonly #images: Images;
  readonly #resizer: Resizer;
  readonly #eviction: Eviction;
  readonly #userNamespaces: Pick<UserNamespaces, 'of' | 'release' | 'sweep'>;
  readonly #stop = new AbortController();
  /** Pod uid → its worker. */
  readonly #workers = new Map<string, PodWorker>();
  readonly #background: Promise<void>[] = [];
  #unsubscribe: (() => void) | undefined;

  constructor(deps: KubeletDeps) {
    this.#deps = deps;
    const { client, clock, events, files, log, options, runtime } = deps;
    this.#machine = readMachine(files, options);
    this.#pods = deps.informers.informer(podsRef, { fieldSelector: `spec.nodeName=${options.nodeName}` });
    const services = deps.informers.informer(servicesRef);
    const limiter = new Limiter(Math.max(STARTS_PER_CORE, this.#machine.cores * STARTS_PER_CORE));
    const wake = (uid: string) => this.#workers.get(uid)?.wake();
    this.#cache = new PodCache({ runtime, clock, log, onChange: (uid) => this.#runtimeChanged(uid) });
    this.#objects = new ObjectCache({ client, clock, onChange: (uid) => this.#workers.get(uid)?.refresh() });
    this.#probes = new Probes({
      runtime,
      clock,
      random: deps.random,
      events,
      limiter,
      onChange: wake,
      pretend: options.hollow === true,
    });
    this.#tokens = new Tokens({ client, clock, serviceAccounts: serviceaccounts });
    const eviction = options.eviction ?? {};
    const allocatableMemory =
      this.#machine.memoryBytes - reservedOf(eviction, 'memory.available', this.#machine.memoryBytes);
    const facts = () => ({
      nodeName: options.nodeName,
      nodeIPs: options.nodeIPs,
      allocatableCpuMillis: this.#machine.cpuMillis,
      allocatableMemoryBytes: allocatableMemory,
      allocatableStorageBytes: this.#machine.storageBytes,
    });
    const volumes = new Volumes(
      {
        files,
        mounts: deps.mounts,
        clock,
        nodeName: options.nodeName,
        rootDir: options.rootDir,
        volumesDir: options.volumesDir,
        facts,
        configMap: (uid, namespace, name) => this.#objects.configMap(uid, namespace, name),
        secret: (uid, namespace, name) => this.#objects.secret(uid, namespace, name),
        claim: (namespace, name): Promise<PersistentVolumeClaim | undefined> =>
          client.resource(persistentvolumeclaims).get(namespace, name),
        persistentVolume: (name): Promise<PersistentVolume | undefined> =>
          client.resource(persistentvolumes).get(undefined, name),
        // A node may read an attachment to itself only while there is one; Forbidden says as much as NotFound.
        attachment: (name): Promise<VolumeAttachment | undefined> =>
          client
            .resource(volumeattachments)
            .get(undefined, name)
            .catch((error) => (isStatus(error, 'Forbidden') ? undefined : Promise.reject(error))),
        token: (pod, audience, seconds) => this.#tokens.get(pod, audience, seconds),
      },
      () => this.#reporter.reportVolumesInUse(),
    );
    const logs = new LogReader({ files, clock, logsRoot: `${options.rootDir}/log/pods` });
    this.#logs = logs;
    const images = new Images({
      runtime,
      clock,
      events,
      credentials: (pod, image) =>
        pullCredentials(pod, image, (namespace, name) => this.#objects.secret(pod.metadata.uid!, namespace, name)),
    });
    this.#images = images;
    this.#userNamespaces =
      options.hollow === true
        ? { of: (pod) => ({ mode: usesUserNamespace(pod) ? 'POD' : 'NODE' }), release() {}, sweep() {} }
        : new UserNamespaces({
            files,
            rootDir: options.rootDir,
            claimsDir: options.userNamespacesDir ?? `${options.rootDir}/user-namespaces`,
          });
    const maxPods = options.maxPods ?? MAX_PODS;
    const allocatable = {
      cpuMillis: this.#machine.cpuMillis,
      memoryBytes: allocatableMemory,
      pods: maxPods,
    };
    const taken = () => [...this.#workers.values()].map((w) => w.taken).filter((p) => p !== undefined);
    this.#resizer = new Resizer({
      allocations: new Allocations({ files, rootDir: options.rootDir }),
      runtime,
      cgroups: deps.cgroups,
      cgroupRoot: options.cgroupRoot,
      events,
      allocatable,
      memoryCapacityBytes: () => this.#machine.memoryBytes,
      taken,
    });
    this.#eviction = new Eviction({
      runtime,
      cache: this.#cache,
      files,
      cgroups: deps.cgroups,
      clock,
      log,
      events,
      metrics: deps.metrics,
      nodeName: options.nodeName,
      options: eviction,
      rootDir: options.rootDir,
      logsRoot: `${options.rootDir}/log/pods`,
      cgroupRoot: options.cgroupRoot,
      memory: { bytes: this.#machine.memoryBytes, isShare: options.memory !== undefined },
      podCgroup: (pod) => podCgroup(options.cgroupRoot, pod),
      activePods: () => [...this.#workers.values()].map((w) => w.evictable).filter((p) => p !== undefined),
      evict: (pod, request) => this.#evict(pod, request),
      isCleanedUp: (pod) => this.#workers.get(pod.metadata.uid!)?.isGivenBack !== false,
      reclaimDisk: () => this.#reclaimDisk(),
      onPressureChange: () => this.#reporter.changed(),
    });
    this.#workerDeps = {
      pressures: () => this.#eviction.pressures,
      resizer: this.#resizer,
      allocatable,
      taken,
      onRoom: () => this.#wakeDeferred(),
      client,
      runtime,
      cache: this.#cache,
      network: deps.network,
      volumes,
      objects: this.#objects,
      images,
      probes: this.#probes,
      statuses: new StatusWriter({ client, clock, log, signal: this.#stop.signal }),
      events,
      cgroups: deps.cgroups,
      files,
      clock,
      log,
      limiter,
      paths: {
        rootDir: options.rootDir,
        logsRoot: `${options.rootDir}/log/pods`,
        seccompDir: `${options.rootDir}/seccomp`,
        masked: maskedPaths(files),
      },
      userNamespaces: this.#userNamespaces,
      seccompDefault: options.seccompDefault === true,
      allowedUnsafeSysctls: options.allowedUnsafeSysctls ?? [],
      cgroupRoot: options.cgroupRoot,
      cluster: { dnsIPs: options.clusterDnsIPs, domain: options.clusterDomain },
      nodeResolver: () => parseResolvConf(files.readText(options.resolvConf ?? '/etc/resolv.conf') ?? ''),
      facts,
      memoryCapacityBytes: () => this.#machine.memoryBytes,
      services: (namespace) => [
        ...services.listNamespace(namespace),
        ...(namespace === 'default'
          ? []
          : services.listNamespace('default').filter((s) => s.metadata.name === 'kubernetes')),
      ],
      current: (uid) => this.#pods.list().find((p) => p.metadata.uid === uid),
      onGone: (uid) => this.#forget(uid),
      logTail: (pod, container, bytes) => logs.tail(pod, container, bytes),
    };
    this.#reporter = new NodeReporter({
      client,
      clock,
      log,
      runtime,
      files,
      network: deps.network,
      options,
      machine: this.#machine,
      volumesInUse: () => volumes.inUse(),
      runtimeAgeMs: () => this.#cache.ageMs(),
      maxPods,
      pressures: () => this.#eviction.pressures,
    });
    this.server = createNodeServer({
      maxPods,
      runtime,
      cache: this.#cache,
      logs,
      pods: () => this.#pods.list(),
      clock,
      cgroups: deps.cgroups,
      options,
      machine: this.#machine,
      files,
      podCgroup: (pod) => podCgroup(options.cgroupRoot, pod),
    });
  }

  async start(signal: AbortSignal): Promise<void> {
    const { files, options, log } = this.#deps;
    signal.throwIfAborted();
    for (const dir of ['pods', 'log/pods', 'seccomp']) files.mkdir(`${options.rootDir}/${dir}`, 0o755);
    this.#userNamespaces.sweep();
    await this.#cache.relist();
    await this.#reporter.register(signal);
    this.#background.push(this.#reporter.run(this.#stop.signal), this.#cache.follow(this.#stop.signal));
    const { runtime, clock } = this.#deps;
    if (options.hollow !== true) {
      const { signal: end } = this.#stop;
      this.#background.push(
        rotateLogs({ runtime, clock, files, log, cache: this.#cache, reader: this.#logs }, end),
        collectImages(
          {
            runtime,
            clock,
            files,
            log,
            lastUsedMs: this.#images.lastUsedMs,
            marks: options.imageGc ?? DEFAULT_IMAGE_GC,
          },
          end,
        ),
        this.#eviction.run(end),
      );
    }
    // Pods are taken up once the list is whole: before that, running ones would look like orphans.
    this.#background.push(
      this.#pods
        .whenSynced()
        .then(() => this.#takeUp())
        .catch((error) => log.error('pods could not be taken up', { error })),
    );
  }

  async stop(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    this.#unsubscribe?.();
    this.#probes.stop();
    this.#objects.stop();
    await Promise.all([...this.#workers.values()].map((w) => w.stop()));
    await Promise.allSettled(this.#background);
  }

  #takeUp(): void {
    if (this.#stop.signal.aborted) return;
    this.#unsubscribe = this.#pods.subscribe(({ old, object }) => {
      const uid = object?.metadata.uid ?? old?.metadata.uid;
      if (uid === undefined) return;
      // A pod of the same name may have replaced another between two looks.
      if (old?.metadata.uid !== undefined && old.metadata.uid !== uid)
        this.#workers.get(old.metadata.uid)?.update(undefined);
      if (object === undefined) this.#workers.get(uid)?.update(undefined);
      else this.#worker(uid).update(object);
    });
    const wanted = new Set(this.#pods.list().map((p) => p.metadata.uid));
    for (const pod of this.#pods.list())
      if (!this.#workers.has(pod.metadata.uid!)) this.#worker(pod.metadata.uid!).update(pod);
    const left = new Set([
      ...this.#cache.all().map((p) => p.uid),
      ...this.#deps.files.list(`${this.#deps.options.rootDir}/pods`),
    ]);
    for (const uid of left) if (!wanted.has(uid)) this.#worker(uid).update(undefined);
  }

  #worker(uid: string): PodWorker {
    let worker = this.#workers.get(uid);
    if (worker === undefined) {
      worker = new PodWorker(uid, this.#workerDeps);
      this.#workers.set(uid, worker);
    }
    return worker;
  }

  #runtimeChanged(uid: string): void {
    this.#workers.get(uid)?.wake();
  }

  #evict(pod: Pod, { message, graceSeconds, disrupted }: EvictionRequest): void {
    this.#workers.get(pod.metadata.uid!)?.end({
      reason: 'Evicted',
      message,
      graceSeconds,
      ...(disrupted ? { disruptedAtMs: this.#deps.clock.now() } : {}),
    });
  }

  /** What nobody uses: containers of pods that are at their end, and images without containers. */
  async #reclaimDisk(): Promise<void> {
    const { runtime, clock, log } = this.#deps;
    for (const { uid, containers } of this.#cache.all()) {
      if (this.#workers.get(uid)?.isGivenBack !== true) continue;
      const deps = { runtime, cache: this.#cache, probes: this.#probes };
      for (const container of containers) if (container.state === 'exited') await removeContainer(uid, container, deps);
    }
    await removeUnusedImages({ runtime, clock, log, lastUsedMs: this.#images.lastUsedMs });
  }

  /** Resizes that wait for room look again, the most important first. */
  #wakeDeferred(): void {
    const waiting = [...this.#workers.values()].filter((w) => this.#resizer.isDeferred(w.uid));
    const priority = (w: PodWorker) => w.taken?.spec?.priority ?? 0;
    for (const worker of waiting.toSorted((a, b) => priority(b) - priority(a))) worker.wake();
  }

  #forget(uid: string): void {
    this.#workers.delete(uid);
    this.#resizer.forget(uid);
    this.#wakeDeferred();
    this.#tokens.forget(uid);
  }
}
