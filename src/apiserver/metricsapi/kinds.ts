// NodeMetrics and PodMetrics of metrics.k8s.io/v1beta1, as metrics-server serves them. Upstream's API description does not have
// them: they belong to an aggregated server.
import type { ObjectMeta } from '#generated/api/meta-v1.ts';
import type { KubeObject } from '#machinery/object.ts';
import { addQuantity, formatQuantity, makeQuantity, parseQuantity } from '#machinery/quantity.ts';
import { schemaByName } from '#schema/load.ts';
import type { Column, ResourceDefinition } from '#schema/resource.ts';
import type { Field, ObjectSchema, Schema } from '#schema/types.ts';

export const METRICS_GROUP = 'metrics.k8s.io';
export const METRICS_VERSION = 'v1beta1';

/** `cpu` in nanocores, `memory` in bytes, both as canonical quantities. */
export type Usage = Readonly<Record<string, string>>;

export interface NodeMetrics extends KubeObject {
  readonly metadata: ObjectMeta;
  readonly timestamp: string;
  /** Over which the CPU use is averaged, as Go writes durations. */
  readonly window: string;
  readonly usage: Usage;
}

export interface PodMetrics extends KubeObject {
  readonly metadata: ObjectMeta;
  readonly timestamp: string;
  readonly window: string;
  readonly containers: readonly { readonly name: string; readonly usage: Usage }[];
}

const PACKAGE = 'io.k8s.metrics.pkg.apis.metrics.v1beta1';

const field = (name: string, schema: Schema, required = true): Field => ({ name, schema, required });

function object(kind: string, fields: readonly Field[], isKind: boolean): ObjectSchema {
  return {
    type: 'object',
    name: `${PACKAGE}.${kind}`,
    fields,
    byName: new Map(fields.map((f) => [f.name, f])),
    ...(isKind ? { gvk: [METRICS_GROUP, METRICS_VERSION, kind] as const } : {}),
  };
}

const text: Schema = { type: 'string' };
const usage: Schema = { type: 'map', values: { type: 'quantity' } };

function kindSchema(kind: string, own: Field): ObjectSchema {
  const meta = schemaByName('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta');
  return object(
    kind,
    [
      field('kind', text, false),
      field('apiVersion', text, false),
      field('metadata', meta, false),
      field('timestamp', { type: 'time' }),
      field('window', { type: 'duration' }),
      own,
    ],
    true,
  );
}

const containers = (): Field =>
  field('containers', {
    type: 'list',
    items: object('ContainerMetrics', [field('name', text), field('usage', usage)], false),
  });

const COLUMNS: readonly Column[] = [
  { name: 'Name', type: 'string', format: 'name', description: 'Name of the resource' },
  { name: 'cpu', type: 'string', format: 'quantity' },
  { name: 'memory', type: 'string', format: 'quantity' },
  { name: 'Window', type: 'string', format: 'duration' },
];

interface Facts<T extends KubeObject> {
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly schema: () => ObjectSchema;
  readonly cells: (object: T) => readonly string[];
}

function define<T extends KubeObject>({ resource, kind, namespaced, schema, cells }: Facts<T>): ResourceDefinition<T> {
  let made: ObjectSchema | undefined;
  const version = {
    version: METRICS_VERSION,
    served: true,
    get schema() {
      return (made ??= schema());
    },
  };
  return {
    group: METRICS_GROUP,
    resource,
    singular: '',
    kind,
    listKind: `${kind}List`,
    namespaced,
    shortNames: [],
    categories: [],
    versions: [version],
    storageVersion: METRICS_VERSION,
    storagePrefix: `${METRICS_GROUP}/${resource}`,
    verbs: ['get', 'list'],
    subresources: [],
    strategy: {},
    table: { columns: COLUMNS, cells },
    selectableFields: {},
  };
}

export const nodeMetrics = define<NodeMetrics>({
  resource: 'nodes',
  kind: 'NodeMetrics',
  namespaced: false,
  schema: () => kindSchema('NodeMetrics', field('usage', usage)),
  cells: (m) => [m.metadata.name!, m.usage.cpu!, m.usage.memory!, m.window],
});

export const podMetrics = define<PodMetrics>({
  resource: 'pods',
  kind: 'PodMetrics',
  namespaced: true,
  schema: () => kindSchema('PodMetrics', containers()),
  cells: (m) => {
    const { cpu, memory } = sumUsage(m.containers.map((c) => c.usage));
    return [m.metadata.name!, cpu!, memory!, m.window];
  },
});

/** What a pod's containers use together. */
export function sumUsage(parts: readonly Usage[]): Usage {
  const sum = (resource: string) =>
    formatQuantity(
      parts.map((u) => parseQuantity(u[resource] ?? '0')).reduce((a, b) => addQuantity(a, b), makeQuantity(0)),
    );
  return { cpu: sum('cpu'), memory: sum('memory') };
}
