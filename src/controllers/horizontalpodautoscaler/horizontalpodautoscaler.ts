// Scales whatever has a scale subresource by what its pods use. Looks at every autoscaler again after a fixed time, since nothing
// but time changes a metric. Upstream: pkg/controller/podautoscaler.
import type { Scale } from '#generated/api/autoscaling-v1.ts';
import type {
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerCondition,
  HPAScalingRules,
  MetricStatus,
} from '#generated/api/autoscaling-v2.ts';
import type { Pod } from '#generated/api/core-v1.ts';
import { horizontalpodautoscalers, pods } from '#generated/resources.ts';
import type { Informer } from '#client/client.ts';
import { setCondition } from '#machinery/conditions.ts';
import { type KubeObject, type ObjectKey, type ResourceRef } from '#machinery/object.ts';
import { quantityToNumber } from '#machinery/quantity.ts';
import { type LabelMatcher, matchesLabels, parseLabelSelector } from '#machinery/selectors.ts';
import { formatTime } from '#machinery/time.ts';
import {
  type AutoscalingOptions,
  type ControllerDefinition,
  type ControllerDeps,
  done,
  type Outcome,
  watch,
} from '../runtime/controller.ts';
import { sameStatus, sameValue } from '../runtime/equality.ts';
import { type Behavior, type Choice, limitBySpeed, limitPlainly, READY, stabilize, stabilizeDown } from './behavior.ts';
import type { Tolerances } from './calculator.ts';
import { ScaleHistory } from './history.ts';
import { MetricFailure, type MetricProposal, proposalOf } from './metrics.ts';
import { ApiMetricsClient } from './metrics-client.ts';
import { KindMapper } from '../runtime/kind-mapper.ts';

const DEFAULTS: AutoscalingOptions = {
  syncPeriodMs: 15_000,
  downscaleStabilizationMs: 5 * 60_000,
  cpuInitializationPeriodMs: 5 * 60_000,
  initialReadinessDelayMs: 30_000,
  tolerance: 0.1,
};

export const horizontalPodAutoscalerController: ControllerDefinition = {
  name: 'horizontal-pod-autoscaler-controller',
  identity: 'horizontal-pod-autoscaler',
  build: (deps) => {
    const autoscalers = deps.informers.informer(horizontalpodautoscalers);
    const podInformer = deps.informers.informer(pods);
    const reconciler = new AutoscalerReconciler({ ...deps, autoscalers, pods: podInformer });
    return {
      watches: [
        // Its own status writes must not set it going again.
        watch(autoscalers, ({ key, old, object }) => (sameValue(old?.spec, object?.spec) ? [] : [key])),
        watch(podInformer, () => []),
      ],
      reconcile: (key) => reconciler.reconcile(key),
    };
  },
};

interface AutoscalerDeps extends Pick<ControllerDeps, 'client' | 'events' | 'clock' | 'log' | 'options'> {
  readonly autoscalers: Informer<HorizontalPodAutoscaler>;
  readonly pods: Informer<Pod>;
}

/** The scale found, and where to write it. */
interface Target {
  readonly scale: Scale;
  readonly ref: ResourceRef;
}

/** Status as it grows during one look. */
interface Draft {
  conditions: readonly HorizontalPodAutoscalerCondition[];
  metrics: readonly MetricStatus[];
}

/** A look that ends early; status is written all the same. */
class Stop extends Error {}

export class AutoscalerReconciler {
  readonly #deps: AutoscalerDeps;
  readonly #options: AutoscalingOptions;
  readonly #kinds: KindMapper;
  readonly #metrics: ApiMetricsClient;
  readonly #history = new ScaleHistory();
  /** Autoscaler → the selector of its target, to find two that fight over the same pods. */
  readonly #selectors = new Map<ObjectKey, LabelMatcher>();

  constructor(deps: AutoscalerDeps) {
    this.#deps = deps;
    this.#options = { ...DEFAULTS, ...deps.options.autoscaling };
    this.#kinds = new KindMapper(deps.client, deps.clock);
    this.#metrics = new ApiMetricsClient(deps.client, this.#kinds);
  }

  async reconcile(key: ObjectKey): Promise<Outcome> {
    const autoscaler = this.#deps.autoscalers.get(key);
    if (autoscaler === undefined) {
      this.#history.forget(key);
      this.#selectors.delete(key);
      return done;
    }
    if (autoscaler.metadata.deletionTimestamp !== undefined) return done;
    try {
      await this.#look(key, autoscaler);
    } catch (error) {
      // Never sooner than the next turn: what failed is told in conditions and events.
      this.#deps.log.debug('autoscaling failed', { key, error: (error as Error).message });
    }
    return { requeueAfterMs: this.#options.syncPeriodMs };
  }

  async #look(key: ObjectKey, autoscaler: HorizontalPodAutoscaler): Promise<void> {
    const draft: Draft = { conditions: autoscaler.status?.conditions ?? [], metrics: [] };
    const finish = (current: number, desired: number, rescaled: boolean) =>
      this.#writeStatus(autoscaler, draft, current, desired, rescaled);
    let target: Target;
    try {
      target = await this.#scaleOf(autoscaler);
    } catch (error) {
      const { message } = error as Error;
      this.#event(autoscaler, 'Warning', 'FailedGetScale', message);
      const text = `the HPA controller was unable to get the target's current scale: ${message}`;
      this.#condition(draft, 'AbleToScale', 'False', 'FailedGetScale', text);
      draft.metrics = autoscaler.status?.currentMetrics ?? [];
      return finish(autoscaler.status?.currentReplicas ?? 0, autoscaler.status?.desiredReplicas ?? 0, false);
    }
    const got = "the HPA controller was able to get the target's current scale";
    this.#condition(draft, 'AbleToScale', 'True', 'SucceededGetScale', got);
    const current = target.scale.spec?.replicas ?? 0;
    this.#history.recommendations(key, current, this.#now());
    let decision: { desired: number; reason: string };
    try {
      decision = await this.#decide(key, autoscaler, target.scale, draft);
    } catch (error) {
      if (!(error instanceof Stop)) throw error;
      return finish(current, autoscaler.status?.desiredReplicas ?? 0, false);
    }
    const { desired, reason } = decision;
    if (desired === current) return finish(current, current, false);
    try {
      await this.#rescale(target, desired);
    } catch (error) {
      const { message } = error as Error;
      this.#event(autoscaler, 'Warning', 'FailedRescale', `New size: ${desired}; reason: ${reason}; error: ${message}`);
      const text = `the HPA controller was unable to update the target scale: ${message}`;
      this.#condition(draft, 'AbleToScale', 'False', 'FailedUpdateScale', text);
      return finish(current, autoscaler.status?.desiredReplicas ?? 0, false);
    }
    const done = `the HPA controller was able to update the target scale to ${desired}`;
    this.#condition(draft, 'AbleToScale', 'True', 'SucceededRescale', done);
    this.#event(autoscaler, 'Normal', 'SuccessfulRescale', `New size: ${desired}; reason: ${reason}`);
    const behavior = this.#behavior(autoscaler);
    if (behavior !== undefined) this.#history.scaled(key, current, desired, behavior, this.#now());
    return finish(current, desired, true);
  }

  /** Tries the kind's served versions one after the other. */
  async #scaleOf(autoscaler: HorizontalPodAutoscaler): Promise<Target> {
    const { scaleTargetRef: named } = autoscaler.spec;
    const { namespace } = autoscaler.metadata;
    let refs: readonly ResourceRef[];
    try {
      refs = await this.#kinds.resourcesOf(named);
    } catch (error) {
      throw new Error(`unable to determine resource for scale target reference: ${(error as Error).message}`, {
        cause: error,
      });
    }
    let first: unknown;
    for (const ref of refs) {
      try {
        const scale = await this.#deps.client.resource(ref).getSubresource<Scale>(namespace, named.name, 'scale');
        return { scale, ref };
      } catch (error) {
        first ??= error;
      }
    }
    throw first;
  }

  async #rescale({ scale, ref }: Target, replicas: number): Promise<void> {
    const { namespace, name } = scale.metadata!;
    const wanted = { ...scale, spec: { ...scale.spec, replicas } };
    await this.#deps.client.resource(ref).updateSubresource(namespace, name!, 'scale', wanted);
  }

  async #decide(
    key: ObjectKey,
    autoscaler: HorizontalPodAutoscaler,
    scale: Scale,
    draft: Draft,
  ): Promise<{ desired: number; reason: string }> {
    const current = scale.spec?.replicas ?? 0;
    const { minReplicas: min = 1, maxReplicas: max } = autoscaler.spec;
    if (current === 0 && min !== 0) {
      const text = 'scaling is disabled since the replica count of the target is zero';
      this.#condition(draft, 'ScalingActive', 'False', 'ScalingDisabled', text);
      return { desired: 0, reason: '' };
    }
    if (current > max) return { desired: max, reason: 'Current number of replicas above Spec.MaxReplicas' };
    if (current < min) return { desired: min, reason: 'Current number of replicas below Spec.MinReplicas' };
    const best = await this.#propose(key, autoscaler, scale, draft);
    const reason =
      best.replicas > current ? `${best.name} above target` : best.replicas < current ? 'All metrics below target' : '';
    return { desired: this.#normalize(key, autoscaler, best.replicas, current, draft), reason };
  }

  /** The largest of the metrics' proposals. A failed metric never lets the others scale down. */
  async #propose(
    key: ObjectKey,
    autoscaler: HorizontalPodAutoscaler,
    scale: Scale,
    draft: Draft,
  ): Promise<MetricProposal> {
    const current = scale.spec?.replicas ?? 0;
    const { metrics = [] } = autoscaler.spec;
    const context = {
      client: this.#metrics,
      namespace: autoscaler.metadata.namespace!,
      selector: scale.status?.selector ?? '',
      pods: this.#podsOf(key, autoscaler, scale, draft),
      replicas: current,
      statusReplicas: scale.status?.replicas ?? 0,
      tolerances: this.#tolerances(autoscaler),
      readiness: this.#options,
      nowMs: this.#now(),
    };
    let best: MetricProposal | undefined;
    let failed = 0;
    let first: MetricFailure | undefined;
    for (const spec of metrics) {
      try {
        const proposal = await proposalOf(spec, context);
        draft.metrics = [...draft.metrics, proposal.status];
        if (best === undefined || best.replicas === 0 || proposal.replicas > best.replicas) best = proposal;
      } catch (error) {
        if (!(error instanceof MetricFailure)) throw error;
        this.#event(autoscaler, 'Warning', error.reason, error.detail);
        draft.metrics = [...draft.metrics, { type: '' }];
        first ??= error;
        failed++;
      }
    }
    if (best === undefined || (failed > 0 && best.replicas < current)) {
      const detail = `the HPA was unable to compute the replica count: ${first?.detail}`;
      this.#condition(draft, 'ScalingActive', 'False', first!.reason, detail);
      const text = `invalid metrics (${failed} invalid out of ${metrics.length}), first error is: ${first!.message}`;
      this.#event(autoscaler, 'Warning', 'FailedComputeMetricsReplicas', text);
      throw new Stop(text);
    }
    const text = `the HPA was able to successfully calculate a replica count from ${best.name}`;
    this.#condition(draft, 'ScalingActive', 'True', 'ValidMetricFound', text);
    return best;
  }

  /** The pods that the target's selector means. Stops when it is none, or another autoscaler's too. */
  #podsOf(key: ObjectKey, autoscaler: HorizontalPodAutoscaler, scale: Scale, draft: Draft): readonly Pod[] {
    const stop = (event: string, reason: string, told: string, text = told): never => {
      this.#event(autoscaler, 'Warning', event, told);
      this.#condition(draft, 'ScalingActive', 'False', reason, text);
      this.#event(autoscaler, 'Warning', 'FailedComputeMetricsReplicas', told);
      throw new Stop(told);
    };
    const selector = scale.status?.selector ?? '';
    if (selector === '')
      return stop(
        'SelectorRequired',
        'InvalidSelector',
        'selector is required',
        "the HPA target's scale is missing a selector",
      );
    let matcher: LabelMatcher;
    try {
      matcher = parseLabelSelector(selector);
    } catch (error) {
      const text = `couldn't convert selector into a corresponding internal selector object: ${(error as Error).message}`;
      return stop('InvalidSelector', 'InvalidSelector', text);
    }
    this.#selectors.set(key, matcher);
    const { namespace } = autoscaler.metadata;
    const found = this.#deps.pods
      .listNamespace(namespace!)
      .filter((pod) => matchesLabels(matcher, pod.metadata.labels));
    const rivals = [...this.#selectors].filter(
      ([other, theirs]) =>
        other.startsWith(`${namespace}/`) && found.some((pod) => matchesLabels(theirs, pod.metadata.labels)),
    );
    if (rivals.length > 1) {
      const names = rivals.map(([other]) => other).toSorted();
      const text = `pods by selector ${selector} are controlled by multiple HPAs: [${names.join(' ')}]`;
      return stop('AmbiguousSelector', 'AmbiguousSelector', text);
    }
    return found;
  }

  #normalize(
    key: ObjectKey,
    autoscaler: HorizontalPodAutoscaler,
    proposed: number,
    current: number,
    draft: Draft,
  ): number {
    const now = this.#now();
    const recent = this.#history.recommendations(key, current, now);
    const behavior = this.#behavior(autoscaler);
    const steady: Choice =
      behavior === undefined
        ? stabilizeDown(proposed, recent, this.#options.downscaleStabilizationMs, now)
        : stabilize(proposed, current, recent, behavior, now);
    this.#history.recommend(key, proposed, now);
    const { reason, message } = steady.replicas === proposed ? READY : steady;
    this.#condition(draft, 'AbleToScale', 'True', reason, message);
    const bounds = { current, min: autoscaler.spec.minReplicas ?? 1, max: autoscaler.spec.maxReplicas };
    const chosen =
      behavior === undefined
        ? limitPlainly(steady.replicas, bounds)
        : limitBySpeed(steady.replicas, bounds, behavior, this.#history.events(key), now);
    const limited = chosen.replicas === steady.replicas ? 'False' : 'True';
    this.#condition(draft, 'ScalingLimited', limited, chosen.reason, chosen.message);
    return chosen.replicas;
  }

  /** Undefined when the autoscaler leaves it to the controller. */
  #behavior(autoscaler: HorizontalPodAutoscaler): Behavior | undefined {
    const { behavior } = autoscaler.spec;
    if (behavior === undefined) return undefined;
    const window = this.#options.downscaleStabilizationMs / 1000;
    return {
      up: behavior.scaleUp ?? {},
      down: {
        ...behavior.scaleDown,
        stabilizationWindowSeconds: behavior.scaleDown?.stabilizationWindowSeconds ?? window,
      },
    };
  }

  #tolerances(autoscaler: HorizontalPodAutoscaler): Tolerances {
    const { scaleUp, scaleDown } = autoscaler.spec.behavior ?? {};
    const of = (rules: HPAScalingRules | undefined) =>
      rules?.tolerance === undefined ? this.#options.tolerance : quantityToNumber(rules.tolerance);
    return { up: of(scaleUp), down: of(scaleDown) };
  }

  #condition(draft: Draft, type: string, status: 'True' | 'False', reason: string, message: string): void {
    draft.conditions = setCondition(draft.conditions, { type, status, reason, message }, formatTime(this.#now()));
  }

  async #writeStatus(
    autoscaler: HorizontalPodAutoscaler,
    { conditions, metrics }: Draft,
    currentReplicas: number,
    desiredReplicas: number,
    rescaled: boolean,
  ): Promise<void> {
    const lastScaleTime = rescaled ? formatTime(this.#now()) : autoscaler.status?.lastScaleTime;
    const status = {
      ...(lastScaleTime === undefined ? {} : { lastScaleTime }),
      currentReplicas,
      desiredReplicas,
      currentMetrics: metrics,
      conditions,
    };
    if (sameStatus(status, autoscaler.status)) return;
    await this.#deps.client.resource(horizontalpodautoscalers).updateStatus({ ...autoscaler, status });
  }

  #event(about: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#deps.events.event(about, horizontalpodautoscalers, type, reason, message);
  }

  #now(): number {
    return this.#deps.clock.now();
  }
}
