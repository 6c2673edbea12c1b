// OpenAPI v3 documents, one a group and version, made from the resource definitions: what kubectl reads for explain,
// patches (merge keys), and to learn that fieldValidation and dryRun are understood. Upstream's structure, no descriptions.
import { KUBERNETES_VERSION } from '#machinery/version.ts';
import type { ResourceDefinition, VersionDefinition } from './resource.ts';
import { schemaByName } from './load.ts';
import type { Field, ListSchema, ObjectSchema, ScalarSchema, Schema } from './types.ts';

type Json = Readonly<Record<string, unknown>>;

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const QUANTITY = 'io.k8s.apimachinery.pkg.api.resource.Quantity';
const INT_OR_STRING = 'io.k8s.apimachinery.pkg.util.intstr.IntOrString';
const PATCH = `${META}.Patch`;
const STATUS = `${META}.Status`;
const DELETE_OPTIONS = `${META}.DeleteOptions`;
const SCALE = 'io.k8s.api.autoscaling.v1.Scale';

/** Definitions that are plain values: name → their schema. */
const VALUE_COMPONENTS: Readonly<Record<string, Json>> = {
  [QUANTITY]: { oneOf: [{ type: 'string' }, { type: 'number' }] },
  [INT_OR_STRING]: { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] },
  [`${META}.Time`]: { type: 'string', format: 'date-time' },
  [`${META}.MicroTime`]: { type: 'string', format: 'date-time' },
  [`${META}.Duration`]: { type: 'string' },
  [PATCH]: { type: 'object' },
};

/** Definitions of anything that are objects in any case. */
const ANY_COMPONENTS: ReadonlySet<string> = new Set([
  `${META}.FieldsV1`,
  'io.k8s.apimachinery.pkg.runtime.RawExtension',
]);

const refTo = (name: string): Json => ({ $ref: `#/components/schemas/${name}` });

/** Collects the components that a document's paths reach. */
class Components {
  readonly #made = new Map<string, Json>();

  /** A reference to the object's component, which is made on the way. */
  ref(schema: ObjectSchema, fallbackName: string): Json {
    const name = schema.name ?? fallbackName;
    if (!this.#made.has(name)) {
      this.#made.set(name, {});
      this.#made.set(name, this.#object(schema));
    }
    return refTo(name);
  }

  byName(name: string): Json {
    return this.ref(schemaByName(name), name);
  }

  /** A component written down as it is. */
  add(name: string, schema: Json): Json {
    this.#made.set(name, schema);
    return refTo(name);
  }

  toJSON(): Json {
    return Object.fromEntries([...this.#made].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  #object(schema: ObjectSchema): Json {
    const required = schema.fields.filter((f) => f.required).map((f) => f.name);
    const properties = Object.fromEntries(
      schema.fields.toSorted((a, b) => (a.name < b.name ? -1 : 1)).map((f) => [f.name, this.#property(f)]),
    );
    return {
      type: 'object',
      ...(required.length === 0 ? {} : { required: required.toSorted() }),
      properties,
      ...(schema.atomic === true ? { 'x-kubernetes-map-type': 'atomic' } : {}),
      ...(schema.gvk === undefined
        ? {}
        : {
            'x-kubernetes-group-version-kind': [{ group: schema.gvk[0], kind: schema.gvk[2], version: schema.gvk[1] }],
          }),
    };
  }

  #property(field: Field): Json {
    const made = withEnum(this.#any(field.schema), field);
    const fallback = field.default ?? (field.required || field.emitEmpty === true ? emptyOf(field.schema) : undefined);
    return { ...made, ...(fallback === undefined ? {} : { default: fallback }) };
  }

  #any(schema: Schema): Json {
    switch (schema.type) {
      case 'object':
        return schema.name === undefined ? this.#object(schema) : { allOf: [this.ref(schema, '')] };
      case 'list':
        return {
          type: 'array',
          items: { ...this.#any(schema.items), ...itemDefault(schema.items) },
          ...listExtensions(schema),
        };
      case 'map':
        return {
          type: 'object',
          additionalProperties: { ...this.#any(schema.values), ...itemDefault(schema.values) },
          ...(schema.atomic === true ? { 'x-kubernetes-map-type': 'atomic' } : {}),
        };
      case 'any':
        return schema.name === undefined
          ? { type: 'object' }
          : { allOf: [this.add(schema.name, ANY_COMPONENTS.has(schema.name) ? { type: 'object' } : {})] };
      default:
        return this.#scalar(schema);
    }
  }

  #scalar(schema: ScalarSchema): Json {
    const value = (name: string): Json => ({ allOf: [this.add(name, VALUE_COMPONENTS[name]!)] });
    switch (schema.type) {
      case 'quantity':
        return value(QUANTITY);
      case 'intOrString':
        return value(INT_OR_STRING);
      case 'time':
        return value(`${META}.Time`);
      case 'microTime':
        return value(`${META}.MicroTime`);
      case 'duration':
        return value(`${META}.Duration`);
      case 'bytes':
        return { type: 'string', format: 'byte' };
      case 'number':
        return { type: 'number', format: 'double' };
      default:
        return { type: schema.type, ...(schema.format === undefined ? {} : { format: schema.format }) };
    }
  }
}

function withEnum(made: Json, { schema, enum: words }: Field): Json {
  if (words === undefined) return made;
  const inside = schema.type === 'list' ? 'items' : schema.type === 'map' ? 'additionalProperties' : undefined;
  return inside === undefined
    ? { ...made, enum: words }
    : { ...made, [inside]: { ...(made[inside] as Json), enum: words } };
}

function listExtensions(schema: ListSchema): Json {
  return {
    ...(schema.mapKeys === undefined ? {} : { 'x-kubernetes-list-map-keys': schema.mapKeys }),
    ...(schema.listType === undefined ? {} : { 'x-kubernetes-list-type': schema.listType }),
    ...(schema.patchMergeKey === undefined ? {} : { 'x-kubernetes-patch-merge-key': schema.patchMergeKey }),
    ...(schema.patchStrategy === undefined ? {} : { 'x-kubernetes-patch-strategy': schema.patchStrategy.join(',') }),
  };
}

const itemDefault = (schema: Schema): Json => {
  const empty = emptyOf(schema);
  return empty === undefined ? {} : { default: empty };
};

function emptyOf(schema: Schema): unknown {
  switch (schema.type) {
    case 'object':
      return {};
    case 'string':
      return '';
    case 'integer':
      return 0;
    case 'boolean':
      return false;
    default:
      return undefined;
  }
}

// --- operations

const query = (name: string, type: 'string' | 'boolean' | 'integer'): Json => ({
  name,
  in: 'query',
  schema: { type, uniqueItems: true },
});
const inPath = (name: string): Json => ({
  name,
  in: 'path',
  required: true,
  schema: { type: 'string', uniqueItems: true },
});
const PRETTY = query('pretty', 'string');
const WRITE = [query('dryRun', 'string'), query('fieldManager', 'string'), query('fieldValidation', 'string')];
const LIST = [
  query('allowWatchBookmarks', 'boolean'),
  query('continue', 'string'),
  query('fieldSelector', 'string'),
  query('labelSelector', 'string'),
  query('limit', 'integer'),
  query('resourceVersion', 'string'),
  query('resourceVersionMatch', 'string'),
  query('sendInitialEvents', 'boolean'),
  query('timeoutSeconds', 'integer'),
  query('watch', 'boolean'),
];
const DELETE = [
  query('dryRun', 'string'),
  query('gracePeriodSeconds', 'integer'),
  query('orphanDependents', 'boolean'),
  query('propagationPolicy', 'string'),
];
const PATCH_TYPES = [
  'application/apply-patch+yaml',
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
];

const json = (schema: Json): Json => ({ content: { 'application/json': { schema }, 'application/yaml': { schema } } });
const ok = (schema: Json, ...codes: readonly number[]): Json =>
  Object.fromEntries(
    [200, ...codes].map((code) => [
      String(code),
      { description: code === 200 ? 'OK' : code === 201 ? 'Created' : 'Accepted', ...json(schema) },
    ]),
  );

interface Place {
  readonly definition: ResourceDefinition;
  readonly gvk: Json;
  readonly tag: string;
  readonly object: Json;
  readonly components: Components;
  readonly id: string;
}

function operation(
  place: Place,
  action: string,
  id: string,
  parameters: readonly Json[],
  responses: Json,
  requestBody?: Json,
): Json {
  return {
    tags: [place.tag],
    operationId: id,
    parameters,
    ...(requestBody === undefined ? {} : { requestBody }),
    responses,
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': place.gvk,
  };
}

function itemOperations(place: Place, verbs: readonly string[], suffix: string): Record<string, unknown> {
  const { object, components, id } = place;
  const out: Record<string, unknown> = {};
  if (verbs.includes('get')) out['get'] = operation(place, 'get', `read${id}${suffix}`, [], ok(object));
  if (verbs.includes('update'))
    out['put'] = operation(place, 'put', `replace${id}${suffix}`, WRITE, ok(object, 201), json(object));
  if (verbs.includes('patch')) {
    const body = {
      content: Object.fromEntries(
        PATCH_TYPES.map((t) => [t, { schema: components.add(PATCH, VALUE_COMPONENTS[PATCH]!) }]),
      ),
    };
    out['patch'] = operation(
      place,
      'patch',
      `patch${id}${suffix}`,
      [...WRITE, query('force', 'boolean')],
      ok(object, 201),
      body,
    );
  }
  if (verbs.includes('delete') && suffix === '') {
    out['delete'] = operation(
      place,
      'delete',
      `delete${id}`,
      DELETE,
      ok(components.byName(STATUS), 202),
      json(components.byName(DELETE_OPTIONS)),
    );
  }
  return out;
}

function collectionOperations(place: Place, list: Json): Record<string, unknown> {
  const { verbs } = place.definition;
  const { object, components, id } = place;
  const out: Record<string, unknown> = {};
  if (verbs.includes('list')) out['get'] = operation(place, 'list', `list${id}`, LIST, ok(list));
  if (verbs.includes('create'))
    out['post'] = operation(place, 'post', `create${id}`, WRITE, ok(object, 201, 202), json(object));
  if (verbs.includes('deletecollection')) {
    out['delete'] = operation(
      place,
      'deletecollection',
      `deletecollection${id}`,
      [...LIST, ...DELETE],
      ok(components.byName(STATUS)),
      json(components.byName(DELETE_OPTIONS)),
    );
  }
  return out;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** `apps` → `Apps`, `networking.k8s.io` → `Networking`, '' → `Core`. */
const groupWord = (group: string): string => capital((group === '' ? 'core' : group).split('.')[0]!);

/** `/api/v1` or `/apis/apps/v1`. */
export const groupVersionPath = (group: string, version: string): string =>
  group === '' ? `/api/${version}` : `/apis/${group}/${version}`;

/** The document of one group and version. `definitions` may hold other groups' too; only what is served in it counts. */
export function openApiV3Document(
  group: string,
  version: string,
  definitions: readonly ResourceDefinition[],
  title = 'Kubernetes',
  release = KUBERNETES_VERSION,
): Json {
  const components = new Components();
  const paths: Record<string, unknown> = {};
  for (const definition of definitions) {
    const served = definition.versions.find((v) => v.version === version);
    if (definition.group !== group || served === undefined || served.schema.type !== 'object') continue;
    addResource(paths, components, definition, served, served.schema);
  }
  return { openapi: '3.0.0', info: { title, version: release }, paths, components: { schemas: components.toJSON() } };
}

function addResource(
  paths: Record<string, unknown>,
  components: Components,
  definition: ResourceDefinition,
  served: VersionDefinition,
  schema: ObjectSchema,
): void {
  const { group, kind, resource, namespaced } = definition;
  const name = schema.name ?? `${group.split('.').toReversed().join('.')}.${served.version}.${kind}`;
  const gvk = { group, version: served.version, kind };
  const object = components.ref(schema, name);
  if (schema.gvk === undefined && schema.name === undefined) {
    // A kind from a CustomResourceDefinition carries its type here.
    components.add(name, { ...(components.toJSON()[name] as Json), 'x-kubernetes-group-version-kind': [gvk] });
  }
  const id = `${groupWord(group)}${capital(served.version)}${namespaced ? 'Namespaced' : ''}${kind}`;
  const place: Place = {
    definition,
    gvk,
    tag: `${groupWord(group).toLowerCase()}_${served.version}`,
    object,
    components,
    id,
  };
  const base = groupVersionPath(group, served.version);
  const collection = namespaced ? `${base}/namespaces/{namespace}/${resource}` : `${base}/${resource}`;
  const shared = namespaced ? [inPath('namespace'), PRETTY] : [PRETTY];
  const list = definition.verbs.includes('list')
    ? components.add(`${name}List`, listSchema(name, gvk, definition.listKind, components))
    : {};
  paths[collection] = { ...collectionOperations(place, list), parameters: shared };
  if (namespaced && definition.verbs.includes('list')) {
    paths[`${base}/${resource}`] = {
      get: operation(place, 'list', `list${id.replace('Namespaced', '')}ForAllNamespaces`, LIST, ok(list)),
      parameters: [PRETTY],
    };
  }
  const item = itemOperations(place, definition.verbs, '');
  if (Object.keys(item).length > 0)
    paths[`${collection}/{name}`] = { ...item, parameters: [inPath('name'), ...shared] };
  if (definition.subresources.includes('status')) {
    paths[`${collection}/{name}/status`] = {
      ...itemOperations(place, ['get', 'update', 'patch'], 'Status'),
      parameters: [inPath('name'), ...shared],
    };
  }
  if (definition.scale !== undefined && definition.subresources.includes('scale')) {
    const scale: Place = {
      ...place,
      gvk: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
      object: components.byName(SCALE),
    };
    paths[`${collection}/{name}/scale`] = {
      ...itemOperations(scale, ['get', 'update', 'patch'], 'Scale'),
      parameters: [inPath('name'), ...shared],
    };
  }
}

function listSchema(
  name: string,
  gvk: { readonly group: string; readonly version: string },
  listKind: string,
  components: Components,
): Json {
  return {
    type: 'object',
    required: ['items'],
    properties: {
      apiVersion: { type: 'string' },
      items: { type: 'array', items: { allOf: [refTo(name)], default: {} } },
      kind: { type: 'string' },
      metadata: { allOf: [components.byName(`${META}.ListMeta`)], default: {} },
    },
    'x-kubernetes-group-version-kind': [{ group: gvk.group, kind: listKind, version: gvk.version }],
  };
}

/** What `/openapi/v3` answers: path → where the document is. `hash` tells clients when to fetch again. */
export function openApiV3Index(
  groupVersions: readonly { readonly group: string; readonly version: string; readonly hash: string }[],
): Json {
  const paths = groupVersions.map(({ group, version, hash }) => {
    const path = groupVersionPath(group, version);
    return [path.slice(1), { serverRelativeURL: `/openapi/v3${path}?hash=${hash}` }];
  });
  return { paths: Object.fromEntries(paths) };
}
