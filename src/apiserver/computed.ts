// Resources that are not stored but made when somebody asks: get and list over a source of objects.
import type { ExchangeResponse } from '#machinery/exchange.ts';
import type { KubeObject } from '#machinery/object.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import type { Selection } from '#watchcache/selection.ts';
import type { RequestContext } from './context.ts';
import { negotiate, notAcceptable } from './negotiation.ts';
import { jsonValue } from './responses.ts';
import { selectionOf } from './selection.ts';
import { presented, type Served } from './served.ts';
import { columnDefinitions, includeObject, partialMetadata, table, tableRow } from './tables.ts';
import { asItem } from './verbs/read.ts';

/** Where such objects come from. They need neither kind nor apiVersion. */
export interface ObjectSource {
  /** Throws a StatusError 404. */
  get(namespace: string, name: string): Promise<KubeObject>;
  /** In the order of namespaces and names. */
  list(selection: Selection): Promise<readonly KubeObject[]>;
}

export interface ComputedResource {
  /** Verbs `get` and `list`. */
  readonly definition: ResourceDefinition;
  readonly source: ObjectSource;
}

/** The two verbs; the caller has checked which is meant. */
export async function readComputed(
  served: Served,
  source: ObjectSource,
  context: RequestContext,
): Promise<ExchangeResponse> {
  const { info } = context;
  const accepted = negotiate(context.request.headers.accept);
  const single = info.verb === 'get';
  const objects = single ? [await source.get(info.namespace, info.name)] : await source.list(selectionOf(served, info));
  const shown = objects.map((o) => presented(served, o));
  switch (accepted.as) {
    case 'object': {
      const { listKind } = served.definition;
      const list = { kind: listKind, apiVersion: served.apiVersion, metadata: {}, items: shown.map(asItem) };
      return jsonValue(200, single ? shown[0] : list, accepted);
    }
    case 'Table': {
      const include = includeObject(info.query);
      const rows = shown.map((o) => tableRow(served, o, include, accepted.metaVersion, context.nowMs));
      return jsonValue(200, table({}, columnDefinitions(served), rows, accepted.metaVersion), accepted);
    }
    case 'PartialObjectMetadata':
      if (!single) throw notAcceptable();
      return jsonValue(200, partialMetadata(shown[0]!, accepted.metaVersion), accepted);
    case 'PartialObjectMetadataList': {
      if (single) throw notAcceptable();
      const items = shown.map((o) => partialMetadata(o, accepted.metaVersion));
      const apiVersion = `meta.k8s.io/${accepted.metaVersion}`;
      return jsonValue(200, { kind: 'PartialObjectMetadataList', apiVersion, metadata: {}, items }, accepted);
    }
    default:
      throw notAcceptable();
  }
}
