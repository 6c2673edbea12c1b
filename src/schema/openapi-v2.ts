// The one OpenAPI v2 document, for clients that look for it when v3 has no answer: kubectl for kinds nobody serves, older
// tools for everything. Made from the v3 documents of all groups, in JSON and in the protobuf of gnostic's openapi.v2. Defaults
// are left out, as upstream does.
import { KUBERNETES_VERSION } from '#machinery/version.ts';
import { bool, join, message, strings, text } from './protobuf-writer.ts';

type Json = Readonly<Record<string, unknown>>;

const METHODS = ['get', 'put', 'post', 'delete', 'patch'] as const;
const V3_REF = '#/components/schemas/';
const V2_REF = '#/definitions/';

/** What several v3 documents say, put together. */
export class OpenApiV2Builder {
  readonly #paths: Record<string, unknown> = {};
  readonly #definitions: Record<string, unknown> = {};

  add(document: Json): void {
    for (const [path, item] of Object.entries(document['paths'] as Json)) this.#paths[path] = pathItem(item as Json);
    const { schemas } = document['components'] as { readonly schemas: Json };
    for (const [name, schema] of Object.entries(schemas)) this.#definitions[name] ??= schemaOf(schema as Json);
  }

  build(): Json {
    return {
      swagger: '2.0',
      info: { title: 'Kubernetes', version: KUBERNETES_VERSION },
      paths: byName(this.#paths),
      definitions: byName(this.#definitions),
    };
  }
}

const byName = (members: Json): Json =>
  Object.fromEntries(Object.entries(members).sort(([a], [b]) => (a < b ? -1 : 1)));

function pathItem(item: Json): Json {
  const out: Record<string, unknown> = {};
  for (const method of METHODS) if (item[method] !== undefined) out[method] = operationOf(item[method] as Json);
  out['parameters'] = ((item['parameters'] ?? []) as Json[]).map(parameterOf);
  return out;
}

function operationOf({ requestBody, responses, parameters, ...rest }: Json): Json {
  const answers = Object.entries(responses as Json).map(([code, answer]) => {
    const { description } = answer as Json;
    const schema = bodySchema(answer as Json);
    return [code, { description, ...(schema === undefined ? {} : { schema }) }];
  });
  const content = (requestBody as { readonly content?: Json } | undefined)?.content;
  const body = requestBody === undefined ? undefined : bodySchema(requestBody as Json);
  return {
    ...rest,
    consumes: content === undefined ? ['*/*'] : Object.keys(content),
    produces: ['application/json', 'application/yaml'],
    parameters: [
      ...(body === undefined ? [] : [{ name: 'body', in: 'body', required: true, schema: body }]),
      ...((parameters ?? []) as Json[]).map(parameterOf),
    ],
    responses: Object.fromEntries(answers),
  };
}

/** The schema of a body, whatever its media type. */
function bodySchema({ content }: Json): Json | undefined {
  const first = Object.values((content ?? {}) as Json)[0] as { readonly schema: Json } | undefined;
  return first === undefined ? undefined : schemaOf(first.schema);
}

/** A path or query parameter: what v3 keeps in its schema stands beside it. */
function parameterOf({ schema, ...rest }: Json): Json {
  return { uniqueItems: true, ...rest, type: (schema as Json)['type'] };
}

function schemaOf({ allOf, oneOf, default: _default, ...schema }: Json): Json {
  // v3 wraps references to set defaults beside them.
  if (allOf !== undefined) return schemaOf((allOf as Json[])[0]!);
  const reference = schema['$ref'];
  if (typeof reference === 'string') return { $ref: reference.replace(V3_REF, V2_REF) };
  // Quantities and ports are strings to v2.
  if (oneOf !== undefined) return { type: 'string', ...schema };
  const out: Record<string, unknown> = { ...schema };
  if (schema['items'] !== undefined) out['items'] = schemaOf(schema['items'] as Json);
  if (schema['additionalProperties'] !== undefined)
    out['additionalProperties'] = schemaOf(schema['additionalProperties'] as Json);
  if (schema['properties'] !== undefined) {
    out['properties'] = Object.fromEntries(
      Object.entries(schema['properties'] as Json).map(([name, member]) => [name, schemaOf(member as Json)]),
    );
  }
  return out;
}

// --- protobuf: the numbers are those of OpenAPIv2.proto

export function encodeOpenApiV2(document: Json): Uint8Array {
  const { title, version } = document['info'] as { readonly title: string; readonly version: string };
  const paths = Object.entries(document['paths'] as Json);
  const definitions = Object.entries(document['definitions'] as Json);
  return join([
    text(1, document['swagger']),
    message(2, [text(1, title), text(2, version)]),
    message(
      8,
      paths.map(([path, item]) => message(2, [text(1, path), message(2, encodePath(item as Json))])),
    ),
    message(
      9,
      definitions.map(([name, schema]) => named(1, name, encodeSchema(schema as Json))),
    ),
  ]);
}

const PATH_FIELDS: Readonly<Record<(typeof METHODS)[number], number>> = {
  get: 2,
  put: 3,
  post: 4,
  delete: 5,
  patch: 8,
};

function encodePath(item: Json): Uint8Array[] {
  const out: Uint8Array[] = [];
  for (const method of METHODS)
    if (item[method] !== undefined) out.push(message(PATH_FIELDS[method], encodeOperation(item[method] as Json)));
  for (const parameter of item['parameters'] as Json[]) out.push(message(9, encodeParameter(parameter)));
  return out;
}

function encodeOperation(operation: Json): Uint8Array[] {
  const responses = Object.entries(operation['responses'] as Json).map(([code, answer]) => {
    const { description, schema } = answer as Json;
    const shape = schema === undefined ? [] : [message(2, [message(1, encodeSchema(schema as Json))])];
    return named(1, code, [message(1, [text(1, description), ...shape])]);
  });
  return [
    strings(1, operation['tags']),
    text(5, operation['operationId']),
    strings(6, operation['produces']),
    strings(7, operation['consumes']),
    ...(operation['parameters'] as Json[]).map((p) => message(8, encodeParameter(p))),
    message(9, responses),
    ...extensions(13, operation),
  ];
}

/** A ParametersItem. */
function encodeParameter(parameter: Json): Uint8Array[] {
  const { name, in: place, required, schema, type, uniqueItems } = parameter;
  if (place === 'body') {
    const body = [text(2, name), text(3, place), bool(4, required), message(5, encodeSchema(schema as Json))];
    return [message(1, [message(1, body)])];
  }
  const inQuery = place === 'query';
  const fields = [
    bool(1, required),
    text(2, place),
    text(4, name),
    text(inQuery ? 6 : 5, type),
    bool(inQuery ? 20 : 19, uniqueItems),
  ];
  return [message(1, [message(2, [message(inQuery ? 3 : 4, fields)])])];
}

function encodeSchema(schema: Json): Uint8Array[] {
  const { $ref, format, required, additionalProperties, type, items, properties } = schema;
  const out = [text(1, $ref), text(2, format), strings(19, required)];
  if (additionalProperties !== undefined)
    out.push(message(21, [message(1, encodeSchema(additionalProperties as Json))]));
  if (type !== undefined) out.push(message(22, [text(1, type)]));
  if (items !== undefined) out.push(message(23, [message(1, encodeSchema(items as Json))]));
  if (properties !== undefined) {
    const members = Object.entries(properties as Json);
    out.push(
      message(
        25,
        members.map(([name, member]) => named(1, name, encodeSchema(member as Json))),
      ),
    );
  }
  return [...out, ...extensions(31, schema)];
}

/** A pair of gnostic's: name = 1, value = 2. */
const named = (field: number, name: string, value: readonly Uint8Array[]): Uint8Array =>
  message(field, [text(1, name), message(2, value)]);

/** x-kubernetes-…: their values as YAML, of which JSON is a part. */
function extensions(field: number, source: Json): Uint8Array[] {
  return Object.entries(source)
    .filter(([name]) => name.startsWith('x-'))
    .map(([name, value]) => named(field, name, [text(2, `${JSON.stringify(value)}\n`)]));
}
