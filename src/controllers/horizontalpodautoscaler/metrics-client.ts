// Reads the three metrics APIs: metrics.k8s.io, custom.metrics.k8s.io and external.metrics.k8s.io, whoever serves them.
import type { APIGroup, Status } from '#generated/api/meta-v1.ts';
import type { CrossVersionObjectReference } from '#generated/api/autoscaling-v2.ts';
import type { Client } from '#client/client.ts';
import { readBody } from '#machinery/exchange.ts';
import { parseQuantity, quantityMilliValue } from '#machinery/quantity.ts';
import { parseDuration, parseTime } from '#machinery/time.ts';
import { MetricError, type PodMetric, type PodMetrics } from './calculator.ts';
import type { KindMapper } from '../runtime/kind-mapper.ts';

/** What is asked; `metricSelector` chooses among the values of one metric. */
export interface MetricsClient {
  /** `container`: only that one's use; else the sum of all. */
  resource(resource: string, namespace: string, selector: string, container?: string): Promise<PodMetrics>;
  pods(metric: string, namespace: string, selector: string, metricSelector: string): Promise<PodMetrics>;
  /** In thousandths. */
  object(
    metric: string,
    namespace: string,
    object: CrossVersionObjectReference,
    metricSelector: string,
  ): Promise<number>;
  /** In thousandths, one for each series. */
  external(metric: string, namespace: string, metricSelector: string): Promise<readonly number[]>;
}

/** For custom metrics that do not say how long they were measured. */
const DEFAULT_WINDOW_MS = 60_000;
const CUSTOM_GROUP = 'custom.metrics.k8s.io';
const CUSTOM_VERSIONS = ['v1beta2', 'v1beta1'];

interface ResourceMetrics {
  readonly metadata: { readonly name: string };
  readonly timestamp: string;
  readonly window: string;
  readonly containers?: readonly { readonly name: string; readonly usage: Readonly<Record<string, string>> }[];
}

interface CustomValue {
  readonly describedObject: { readonly name: string };
  readonly timestamp: string;
  readonly windowSeconds?: number;
  readonly window?: number;
  readonly value: string;
}

interface Items<T> {
  readonly items?: readonly T[];
}

export class ApiMetricsClient implements MetricsClient {
  readonly #client: Client;
  readonly #kinds: KindMapper;

  constructor(client: Client, kinds: KindMapper) {
    this.#client = client;
    this.#kinds = kinds;
  }

  async resource(resource: string, namespace: string, selector: string, container?: string): Promise<PodMetrics> {
    const path = `/apis/metrics.k8s.io/v1beta1/namespaces/${namespace}/pods${queryOf({ labelSelector: selector })}`;
    const { items = [] } = await this.#get<Items<ResourceMetrics>>(path, 'resource', 'pods.metrics.k8s.io');
    if (items.length === 0) throw new MetricError('no metrics returned from resource metrics API');
    const out = new Map<string, PodMetric>();
    for (const item of items) {
      const value =
        container === undefined ? podUse(item, resource) : containerUse(item, resource, container, namespace);
      if (value === undefined) continue;
      const atMs = parseTime(item.timestamp) ?? 0;
      out.set(item.metadata.name, { value, atMs, windowMs: parseDuration(item.window) ?? 0 });
    }
    return out;
  }

  async pods(metric: string, namespace: string, selector: string, metricSelector: string): Promise<PodMetrics> {
    const query = queryOf({ labelSelector: selector, metricLabelSelector: metricSelector });
    const { items = [] } = await this.#custom<Items<CustomValue>>(
      `namespaces/${namespace}/pods/*/${segment(metric)}${query}`,
    );
    if (items.length === 0) throw new MetricError('no metrics returned from custom metrics API');
    return new Map(
      items.map((item) => {
        const seconds = item.windowSeconds ?? item.window;
        const windowMs = seconds === undefined ? DEFAULT_WINDOW_MS : seconds * 1000;
        const atMs = parseTime(item.timestamp) ?? 0;
        return [item.describedObject.name, { value: milli(item.value), atMs, windowMs }];
      }),
    );
  }

  async object(
    metric: string,
    namespace: string,
    object: CrossVersionObjectReference,
    metricSelector: string,
  ): Promise<number> {
    const query = queryOf({ metricLabelSelector: metricSelector });
    let path: string;
    if (object.kind === 'Namespace' && (object.apiVersion ?? 'v1') === 'v1')
      path = `namespaces/${segment(object.name)}/metrics/${segment(metric)}`;
    else {
      const [ref] = await this.#kinds.resourcesOf(object);
      const resource = ref!.group === '' ? ref!.resource : `${ref!.resource}.${ref!.group}`;
      path = `${ref!.namespaced ? `namespaces/${namespace}/` : ''}${resource}/${segment(object.name)}/${segment(metric)}`;
    }
    const { items = [] } = await this.#custom<Items<CustomValue>>(`${path}${query}`);
    if (items.length !== 1)
      throw new MetricError(
        `unable to fetch metrics from custom metrics API: expected exactly one value for the metric, got ${items.length}`,
      );
    return milli(items[0]!.value);
  }

  async external(metric: string, namespace: string, metricSelector: string): Promise<readonly number[]> {
    const query = queryOf({ labelSelector: metricSelector });
    const path = `/apis/external.metrics.k8s.io/v1beta1/namespaces/${namespace}/${segment(metric)}${query}`;
    const { items = [] } = await this.#get<Items<{ value: string }>>(
      path,
      'external',
      `${metric}.external.metrics.k8s.io`,
    );
    if (items.length === 0) throw new MetricError('no metrics returned from external metrics API');
    return items.map((item) => milli(item.value));
  }

  async #custom<T>(path: string): Promise<T> {
    const response = await this.#client.raw('GET', `/apis/${CUSTOM_GROUP}`, undefined, JSON_ONLY);
    const group =
      response.status === 200 ? (JSON.parse(await textOf(response.body)) as APIGroup) : { name: '', versions: [] };
    const version = CUSTOM_VERSIONS.find((v) => group.versions.some((served) => served.version === v));
    if (version === undefined)
      throw new MetricError(
        `unable to fetch metrics from custom metrics API: no custom metrics API (${CUSTOM_GROUP}) registered`,
      );
    return this.#get<T>(`/apis/${CUSTOM_GROUP}/${version}/${path}`, 'custom', CUSTOM_GROUP);
  }

  /** `what` is how clients name the thing that is not there. */
  async #get<T>(path: string, api: string, what: string): Promise<T> {
    const response = await this.#client.raw('GET', path, undefined, JSON_ONLY);
    const text = await textOf(response.body);
    if (response.status === 200) return JSON.parse(text) as T;
    const message = messageOf(text) ?? `the server responded with status ${response.status}`;
    const missing = message === 'the server could not find the requested resource';
    throw new MetricError(
      `unable to fetch metrics from ${api} metrics API: ${message}${missing ? ` (get ${what})` : ''}`,
    );
  }
}

const JSON_ONLY = { accept: 'application/json' };

/** A name that a user wrote, as one part of a path: whatever is in it asks for nothing else. */
const segment = encodeURIComponent;

const textOf = async (body: Parameters<typeof readBody>[0]): Promise<string> =>
  Buffer.from(await readBody(body)).toString('utf8');

function messageOf(text: string): string | undefined {
  try {
    return (JSON.parse(text) as Status).message;
  } catch {
    return text.trim() === '' ? undefined : text.trim();
  }
}

function queryOf(parameters: Readonly<Record<string, string>>): string {
  const set = Object.entries(parameters).filter(([, value]) => value !== '');
  return set.length === 0 ? '' : `?${new URLSearchParams(Object.fromEntries(set))}`;
}

const milli = (quantity: string): number => Number(quantityMilliValue(parseQuantity(quantity)));

/** Undefined when a container does not tell. */
function podUse({ containers = [] }: ResourceMetrics, resource: string): number | undefined {
  let sum = 0;
  for (const { usage } of containers) {
    if (usage[resource] === undefined) return undefined;
    sum += milli(usage[resource]);
  }
  return containers.length === 0 ? undefined : sum;
}

function containerUse(
  { metadata, containers = [] }: ResourceMetrics,
  resource: string,
  container: string,
  namespace: string,
): number | undefined {
  const found = containers.find((c) => c.name === container);
  if (found === undefined)
    throw new MetricError(`container ${container} not present in metrics for pod ${namespace}/${metadata.name}`);
  return found.usage[resource] === undefined ? undefined : milli(found.usage[resource]);
}
