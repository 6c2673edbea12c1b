// Runs the probes of running containers and keeps their results: readiness for statuses, liveness and startup failures for restarts.
import type { Pod, Probe } from '#generated/api/core-v1.ts';
import { pods as podsRef } from '#generated/resources.ts';
import type { Clock, Timer } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import type { EventRecorder } from '#client/client.ts';
import { isRuntimeError, type Runtime } from '../cri/runtime.ts';
import type { Limiter } from '../limiter.ts';
import type { AnyContainer } from '../pods/containers.ts';
import { findContainerStatus } from '../pods/containers.ts';
import type { RuntimeContainer } from '../pods/runtime-pod.ts';
import { grpcProbe, httpProbe, type ProbeResult, resolvePort, tcpProbe } from './probers.ts';

export type ProbeKind = 'startup' | 'liveness' | 'readiness';

/** Upstream writes no more than this of a probe's output into events. */
const OUTPUT_MAX_BYTES = 10 * 1024;

const FIELDS = { startup: 'startupProbe', liveness: 'livenessProbe', readiness: 'readinessProbe' } as const;

interface Worker {
  readonly kind: ProbeKind;
  timer: Timer | undefined;
  stopped: boolean;
  /** Equal results in a row, and which. */
  run: { ok: boolean; count: number };
}

interface ContainerProbes {
  readonly podUid: string;
  readonly workers: Worker[];
  ready: boolean;
  started: boolean;
  failed: 'livenessProbe' | 'startupProbe' | undefined;
}

export interface ProbesDeps {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventRecorder;
  /** Shared with sandbox starts. */
  readonly limiter: Limiter;
  readonly onChange: (podUid: string) => void;
  /** Hollow nodes: there is nothing to ask, every probe counts as passed. */
  readonly pretend?: boolean;
}

export class Probes {
  readonly #deps: ProbesDeps;
  /** Container id → its probes. */
  readonly #containers = new Map<string, ContainerProbes>();

  constructor(deps: ProbesDeps) {
    this.#deps = deps;
  }

  /** Begins probing a running container; asked again it does nothing. `pod` is read anew for each event. */
  watch(pod: Pod, container: AnyContainer, running: RuntimeContainer, podIP: string): void {
    if (this.#containers.has(running.id)) return;
    // After a restart of the kubelet what was ready stays so until a probe says otherwise.
    const pretend = this.#deps.pretend === true;
    const before = findContainerStatus(pod, container.name);
    const adopted = before?.containerID === `containerd://${running.id}` ? before : undefined;
    const state: ContainerProbes = {
      podUid: pod.metadata.uid!,
      workers: [],
      ready: pretend || container.readinessProbe === undefined || adopted?.ready === true,
      started: pretend || container.startupProbe === undefined || adopted?.started === true,
      failed: undefined,
    };
    this.#containers.set(running.id, state);
    if (pretend) return;
    const kinds: readonly ProbeKind[] = state.started
      ? ['liveness', 'readiness']
      : ['startup', 'liveness', 'readiness'];
    for (const kind of kinds) {
      const probe = container[FIELDS[kind]];
      if (probe === undefined) continue;
      const worker: Worker = { kind, timer: undefined, stopped: false, run: { ok: true, count: 0 } };
      state.workers.push(worker);
      const sinceStart = this.#deps.clock.now() - running.startedAtMs;
      const initial = Math.max(0, (probe.initialDelaySeconds ?? 0) * 1000 - sinceStart);
      // Upstream spreads first probes over the period only after its own restart.
      const spread = adopted === undefined ? 0 : this.#deps.random.next() * (probe.periodSeconds ?? 10) * 1000;
      this.#schedule(pod, container, running, podIP, probe, state, worker, initial + spread);
    }
  }

  isReady(containerId: string): boolean {
    return this.#containers.get(containerId)?.ready ?? false;
  }

  isStarted(containerId: string): boolean {
    return this.#containers.get(containerId)?.started ?? false;
  }

  failed(containerId: string): 'livenessProbe' | 'startupProbe' | undefined {
    return this.#containers.get(containerId)?.failed;
  }

  /** The container is gone or going: no more probes, and no results. */
  forget(containerId: string): void {
    const state = this.#containers.get(containerId);
    if (state === undefined) return;
    for (const worker of state.workers) stopWorker(worker);
    this.#containers.delete(containerId);
  }

  /** Liveness and startup end when a pod is told to end; readiness goes on. */
  podTerminating(podUid: string): void {
    for (const state of this.#containers.values()) {
      if (state.podUid === podUid)
        for (const worker of state.workers) if (worker.kind !== 'readiness') stopWorker(worker);
    }
  }

  forgetPod(podUid: string): void {
    for (const [id, state] of this.#containers) if (state.podUid === podUid) this.forget(id);
  }

  stop(): void {
    for (const id of this.#containers.keys()) this.forget(id);
  }

  #schedule(
    pod: Pod,
    container: AnyContainer,
    running: RuntimeContainer,
    podIP: string,
    probe: Probe,
    state: ContainerProbes,
    worker: Worker,
    delayMs: number,
  ): void {
    if (worker.stopped) return;
    worker.timer = this.#deps.clock.setTimer(delayMs, () => {
      const startMs = this.#deps.clock.monotonic();
      const again = () => {
        const periodMs = (probe.periodSeconds ?? 10) * 1000;
        this.#schedule(
          pod,
          container,
          running,
          podIP,
          probe,
          state,
          worker,
          Math.max(0, periodMs - (this.#deps.clock.monotonic() - startMs)),
        );
      };
      // Liveness and readiness wait for startup; they ask again soon so that readiness follows at once.
      if (worker.kind !== 'startup' && !state.started)
        return this.#schedule(
          pod,
          container,
          running,
          podIP,
          probe,
          state,
          worker,
          Math.min(1000, (probe.periodSeconds ?? 10) * 1000),
        );
      this.#probe(container, running.id, podIP, probe).then(
        (result) => {
          if (worker.stopped) return;
          this.#take(pod, probe, state, worker, result);
          again();
        },
        again, // the runtime is away or the container gone: says nothing about its health
      );
    });
  }

  #take(pod: Pod, probe: Probe, state: ContainerProbes, worker: Worker, result: ProbeResult): void {
    if (!result.ok) {
      const kind = worker.kind[0]!.toUpperCase() + worker.kind.slice(1);
      this.#deps.events.event(
        pod,
        podsRef,
        'Warning',
        'Unhealthy',
        `${kind} probe failed: ${result.output.slice(0, OUTPUT_MAX_BYTES)}`,
      );
    }
    worker.run =
      worker.run.ok === result.ok ? { ok: result.ok, count: worker.run.count + 1 } : { ok: result.ok, count: 1 };
    const threshold = result.ok ? (probe.successThreshold ?? 1) : (probe.failureThreshold ?? 3);
    if (worker.run.count < threshold) return;
    const before = `${state.ready}/${state.started}/${state.failed}`;
    if (worker.kind === 'readiness') state.ready = result.ok;
    else if (!result.ok) {
      state.failed = worker.kind === 'startup' ? 'startupProbe' : 'livenessProbe';
      for (const each of state.workers) if (each.kind !== 'readiness') stopWorker(each); // upstream holds until the container is new
    } else if (worker.kind === 'startup') {
      state.started = true;
      stopWorker(worker);
    }
    if (before !== `${state.ready}/${state.started}/${state.failed}`) this.#deps.onChange(state.podUid);
  }

  async #probe(container: AnyContainer, containerId: string, podIP: string, probe: Probe): Promise<ProbeResult> {
    const timeoutSeconds = probe.timeoutSeconds ?? 1;
    const timeoutMs = timeoutSeconds * 1000;
    if (probe.exec !== undefined) {
      const command = probe.exec.command ?? [];
      return this.#deps.limiter.run(async () => {
        try {
          const result = await this.#deps.runtime.execSync(containerId, command, timeoutSeconds);
          const output = Buffer.concat([result.stdout, result.stderr]).toString('utf8');
          return { ok: result.exitCode === 0, output };
        } catch (error) {
          if (isRuntimeError(error, 'DEADLINE_EXCEEDED'))
            return {
              ok: false,
              output: `command timed out: ${JSON.stringify(command.join(' '))} timed out after ${timeoutSeconds}s`,
            };
          throw error;
        }
      });
    }
    if (probe.httpGet !== undefined)
      return httpProbe(probe.httpGet, podIP, resolvePort(container, probe.httpGet.port), timeoutMs);
    if (probe.tcpSocket !== undefined) {
      const host = probe.tcpSocket.host === undefined || probe.tcpSocket.host === '' ? podIP : probe.tcpSocket.host;
      return tcpProbe(host, resolvePort(container, probe.tcpSocket.port), timeoutMs);
    }
    if (probe.grpc !== undefined)
      return grpcProbe(podIP, probe.grpc.port, probe.grpc.service ?? '', timeoutMs, this.#deps.clock.now());
    return { ok: true, output: '' };
  }
}

function stopWorker(worker: Worker): void {
  worker.stopped = true;
  worker.timer?.cancel();
}
