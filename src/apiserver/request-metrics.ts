// Upstream's request metrics, with the children looked up once per combination of labels.
import type { Counter, Gauge, Histogram, MetricsRegistry } from '#base/metrics.ts';
import type { ExchangeResponse } from '#machinery/exchange.ts';
import type { RequestInfo } from './pipeline.ts';

interface Series {
  readonly total: Counter;
  readonly duration: Histogram;
  readonly size: Histogram | undefined;
}

/** Upstream's buckets of apiserver_request_duration_seconds. */
const DURATION_BUCKETS = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
];
const SIZE_BUCKETS = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
/** Combinations of labels kept; paths of clients' invention must not grow it. */
const SERIES_LIMIT = 5_000;

export class RequestMetrics {
  readonly #registry: MetricsRegistry;
  readonly #series = new Map<string, Series>();
  readonly #watches = new Map<string, { gauge: Gauge; count: number }>();
  readonly #inflight: { readonly mutating: Gauge; readonly readOnly: Gauge };
  #mutating = 0;
  #readOnly = 0;

  constructor(registry: MetricsRegistry) {
    this.#registry = registry;
    const gauge = (kind: string) =>
      registry.gauge(
        'apiserver_current_inflight_requests',
        'Maximal number of currently used inflight request limit of this apiserver per request kind in last second.',
        { request_kind: kind },
      );
    this.#inflight = { mutating: gauge('mutating'), readOnly: gauge('readOnly') };
  }

  started(info: RequestInfo, long: boolean): void {
    if (long) {
      const watch = this.#longRunning(info);
      watch.gauge.set(++watch.count);
    } else if (isMutating(info.verb)) this.#inflight.mutating.set(++this.#mutating);
    else this.#inflight.readOnly.set(++this.#readOnly);
  }

  finished(info: RequestInfo, code: number, seconds: number, body: ExchangeResponse['body'], long: boolean): void {
    if (long) {
      if (body instanceof Uint8Array) this.ended(info);
    } else if (isMutating(info.verb)) this.#inflight.mutating.set(--this.#mutating);
    else this.#inflight.readOnly.set(--this.#readOnly);
    const series = this.#of(info, code);
    series.total.inc();
    if (long) return;
    series.duration.observe(seconds);
    if (body instanceof Uint8Array) series.size?.observe(body.length);
  }

  /** A long-running request is over. */
  ended(info: RequestInfo): void {
    const watch = this.#longRunning(info);
    watch.gauge.set(--watch.count);
  }

  #longRunning(info: RequestInfo): { gauge: Gauge; count: number } {
    const verb = info.verb === 'watch' ? 'WATCH' : 'CONNECT';
    return this.#watches.getOrInsertComputed(`${verb} ${info.apiGroup}/${info.resource}/${info.subresource}`, () => ({
      gauge: this.#registry.gauge(
        'apiserver_longrunning_requests',
        'Gauge of all active long-running apiserver requests broken out by verb, group, version, resource, scope and component.',
        {
          verb,
          group: info.apiGroup,
          version: info.apiVersion,
          resource: info.resource,
          subresource: info.subresource,
          scope: scopeOf(info),
          component: 'apiserver',
        },
      ),
      count: 0,
    }));
  }

  #of(info: RequestInfo, code: number): Series {
    const key = `${info.verb} ${info.apiGroup}/${info.apiVersion}/${info.resource}/${info.subresource} ${info.namespace === '' ? 0 : 1}${info.name === '' ? 0 : 1} ${code}`;
    let series = this.#series.get(key);
    if (series === undefined) {
      const known = this.#series.size < SERIES_LIMIT && (code !== 404 || info.name !== '');
      const labels = {
        verb: info.isResourceRequest ? (VERBS[info.verb] ?? info.verb.toUpperCase()) : info.verb.toUpperCase(),
        group: known ? info.apiGroup : '',
        version: known ? info.apiVersion : '',
        resource: known ? info.resource : '',
        subresource: known ? info.subresource : '',
        scope: scopeOf(info),
        component: 'apiserver',
      };
      series = {
        total: this.#registry.counter(
          'apiserver_request_total',
          'Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, scope, component, and HTTP response code.',
          { ...labels, dry_run: '', code: String(code) },
        ),
        duration: this.#registry.histogram(
          'apiserver_request_duration_seconds',
          'Response latency distribution in seconds for each verb, dry run value, group, version, resource, subresource, scope and component.',
          { ...labels, dry_run: '' },
          DURATION_BUCKETS,
        ),
        size:
          info.verb === 'list' || info.verb === 'get'
            ? this.#registry.histogram(
                'apiserver_response_sizes',
                'Response size distribution in bytes for each group, version, verb, resource, subresource, scope and component.',
                labels,
                SIZE_BUCKETS,
              )
            : undefined,
      };
      if (known) this.#series.set(key, series);
    }
    return series;
  }
}

const VERBS: Readonly<Record<string, string>> = { create: 'POST', update: 'PUT', deletecollection: 'DELETECOLLECTION' };

const isMutating = (verb: string): boolean =>
  verb === 'create' ||
  verb === 'update' ||
  verb === 'patch' ||
  verb === 'delete' ||
  verb === 'deletecollection' ||
  verb === 'post' ||
  verb === 'put';

function scopeOf(info: RequestInfo): string {
  if (!info.isResourceRequest) return '';
  if (info.name !== '') return 'resource';
  return info.namespace === '' ? 'cluster' : 'namespace';
}
