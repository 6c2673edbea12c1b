// One metric of an autoscaler's spec → how many replicas it asks for, what it is called and what status says of it. Upstream:
// horizontal.go, computeReplicasForMetric.
import type { MetricSpec, MetricStatus, MetricTarget, MetricValueStatus } from '#generated/api/autoscaling-v2.ts';
import type { LabelSelector } from '#generated/api/meta-v1.ts';
import { formatQuantity, makeMilliQuantity, parseQuantity, quantityMilliValue } from '#machinery/quantity.ts';
import { formatLabelSelector } from '#machinery/selectors.ts';
import {
  averageReplicas,
  MetricError,
  type Proposal,
  sharedReplicas,
  type Targets,
  utilizationReplicas,
  wholeReplicas,
} from './calculator.ts';
import type { MetricsClient } from './metrics-client.ts';

export interface MetricContext extends Targets {
  readonly client: MetricsClient;
  readonly namespace: string;
  /** The scale's selector, as it is written in queries. */
  readonly selector: string;
  /** Of the scale's status. */
  readonly statusReplicas: number;
}

export interface MetricProposal {
  readonly replicas: number;
  /** `cpu resource utilization (percentage of request)`: events and conditions name it. */
  readonly name: string;
  readonly status: MetricStatus;
}

/** What a failed metric says: `reason` on the condition and the event, `message` in the summary. */
export class MetricFailure extends Error {
  override readonly name = 'MetricFailure';
  readonly reason: string;
  readonly detail: string;

  constructor(reason: string, detail: string, message: string) {
    super(message);
    this.reason = reason;
    this.detail = detail;
  }
}

export async function proposalOf(spec: MetricSpec, context: MetricContext): Promise<MetricProposal> {
  switch (spec.type) {
    case 'Resource': {
      const { name, target } = spec.resource!;
      return failingAs('FailedGetResourceMetric', `failed to get ${name} resource metric value`, async () => {
        const { current, ...rest } = await resourceProposal(name, target, 'resource', context);
        return { ...rest, status: { type: 'Resource', resource: { name, current } } };
      });
    }
    case 'ContainerResource': {
      const { name, container, target } = spec.containerResource!;
      const what = `failed to get ${name} container metric value`;
      return failingAs('FailedGetContainerResourceMetric', what, async () => {
        const { current, ...rest } = await resourceProposal(name, target, 'container resource', context, container);
        return { ...rest, status: { type: 'ContainerResource', containerResource: { name, container, current } } };
      });
    }
    case 'Pods':
      return failingAs('FailedGetPodsMetric', 'failed to get pods metric value', () => podsProposal(spec, context));
    case 'Object':
      return failingAs('FailedGetObjectMetric', 'failed to get object metric value', () =>
        objectProposal(spec, context),
      );
    case 'External': {
      const what = `failed to get ${spec.external!.metric.name} external metric value`;
      return failingAs('FailedGetExternalMetric', what, () => externalProposal(spec, context));
    }
    default: {
      const message = `unknown metric source type ${JSON.stringify(spec.type)}`;
      throw new MetricFailure('InvalidMetricSourceType', message, message);
    }
  }
}

async function failingAs<T>(reason: string, what: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const { message } = error as Error;
    throw new MetricFailure(reason, message, `${what}: ${message}`);
  }
}

/** The error with a few words before its own. */
async function saying<T>(before: string, run: () => T | Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw new MetricError(`${before}: ${(error as Error).message}`, { cause: error });
  }
}

async function resourceProposal(
  resource: string,
  target: MetricTarget,
  source: 'resource' | 'container resource',
  context: MetricContext,
  container?: string,
): Promise<{ readonly replicas: number; readonly name: string; readonly current: MetricValueStatus }> {
  const { client, namespace, selector } = context;
  const read = () =>
    saying(`unable to get metrics for resource ${resource}`, () =>
      client.resource(resource, namespace, selector, container),
    );
  if (target.averageValue !== undefined) {
    const { replicas, usage } = await saying(`failed to get ${resource} usage`, async () =>
      averageReplicas(context, await read(), resource, milli(target.averageValue)),
    );
    return { replicas, name: `${resource} ${source}`, current: { averageValue: quantityOf(usage) } };
  }
  const { averageUtilization } = target;
  if (averageUtilization === undefined) {
    throw new MetricError(
      `invalid ${source} metric source: neither an average utilization target nor an average value (usage) target was set`,
    );
  }
  const { replicas, usage, utilization } = await saying(`failed to get ${resource} utilization`, async () =>
    utilizationReplicas(context, await read(), resource, averageUtilization, container),
  );
  return {
    replicas,
    name: `${resource} ${source} utilization (percentage of request)`,
    current: { averageUtilization: utilization!, averageValue: quantityOf(usage) },
  };
}

async function podsProposal(spec: MetricSpec, context: MetricContext): Promise<MetricProposal> {
  const { metric, target } = spec.pods!;
  const { client, namespace, selector } = context;
  const metrics = await saying(`unable to get metric ${metric.name}`, () =>
    client.pods(metric.name, namespace, selector, selectorText(metric.selector)),
  );
  const { replicas, usage } = averageReplicas(context, metrics, '', milli(target.averageValue));
  return {
    replicas,
    name: `pods metric ${metric.name}`,
    status: { type: 'Pods', pods: { metric, current: { averageValue: quantityOf(usage) } } },
  };
}

async function objectProposal(spec: MetricSpec, context: MetricContext): Promise<MetricProposal> {
  const { metric, target, describedObject } = spec.object!;
  const { client, namespace, tolerances, statusReplicas } = context;
  const read = async () => {
    try {
      return await client.object(metric.name, namespace, describedObject, selectorText(metric.selector));
    } catch (error) {
      // The order of the words is upstream's.
      const where = `${describedObject.kind} on ${namespace} ${describedObject.name}`;
      throw new MetricError(`unable to get metric ${metric.name}: ${where}/${(error as Error).message}`, {
        cause: error,
      });
    }
  };
  const status = (current: MetricValueStatus): MetricStatus => ({
    type: 'Object',
    object: { describedObject, metric, current },
  });
  if (target.type === 'Value' && target.value !== undefined) {
    const found = wholeReplicas(context, await read(), milli(target.value));
    const name = `${describedObject.kind} metric ${metric.name}`;
    return { replicas: found.replicas, name, status: status({ value: quantityOf(found.usage) }) };
  }
  if (target.type === 'AverageValue' && target.averageValue !== undefined) {
    const found = sharedReplicas(statusReplicas, tolerances, await read(), milli(target.averageValue));
    const name = `external metric ${metric.name}(${goText(metric.selector)})`;
    return { replicas: found.replicas, name, status: status({ averageValue: quantityOf(found.usage) }) };
  }
  throw new MetricError('invalid object metric source: neither a value target nor an average value target was set');
}

async function externalProposal(spec: MetricSpec, context: MetricContext): Promise<MetricProposal> {
  const { metric, target } = spec.external!;
  const { client, namespace, tolerances, statusReplicas } = context;
  const selector = selectorText(metric.selector);
  const read = async () => {
    const what = `unable to get external metric ${namespace}/${metric.name}/${goText(metric.selector)}`;
    const values = await saying(what, () => client.external(metric.name, namespace, selector));
    return values.reduce((a, b) => a + b, 0);
  };
  const finish = ({ replicas }: Proposal, current: MetricValueStatus): MetricProposal => ({
    replicas,
    name: `external metric ${metric.name}(${goText(metric.selector)})`,
    status: { type: 'External', external: { metric, current } },
  });
  if (target.averageValue !== undefined) {
    const found = await saying(`failed to get ${metric.name} external metric`, async () =>
      sharedReplicas(statusReplicas, tolerances, await read(), milli(target.averageValue)),
    );
    return finish(found, { averageValue: quantityOf(found.usage) });
  }
  if (target.value !== undefined) {
    const found = await saying(`failed to get external metric ${metric.name}`, async () =>
      wholeReplicas(context, await read(), milli(target.value)),
    );
    return finish(found, { value: quantityOf(found.usage) });
  }
  throw new MetricError('invalid external metric source: neither a value target nor an average value target was set');
}

const milli = (quantity: string | undefined): number => Number(quantityMilliValue(parseQuantity(quantity ?? '0')));
const quantityOf = (millis: number): string => formatQuantity(makeMilliQuantity(millis));

/** A missing selector of a metric means all of its series. */
function selectorText(selector: LabelSelector | undefined): string {
  const text = formatLabelSelector(selector ?? {});
  return text === '<none>' ? '' : text;
}

/** A selector as upstream's messages print it. */
function goText(selector: LabelSelector | undefined): string {
  if (selector === undefined) return 'nil';
  const labels = Object.entries(selector.matchLabels ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}: ${value},`);
  const expressions = (selector.matchExpressions ?? []).map(
    ({ key, operator, values = [] }) =>
      `LabelSelectorRequirement{Key:${key},Operator:${operator},Values:[${values.join(' ')}],},`,
  );
  return `&LabelSelector{MatchLabels:map[string]string{${labels.join('')}},MatchExpressions:[]LabelSelectorRequirement{${expressions.join('')}},}`;
}
