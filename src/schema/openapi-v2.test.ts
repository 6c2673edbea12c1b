import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import protobuf from 'protobufjs';
import { encodeOpenApiV2, OpenApiV2Builder } from './openapi-v2.ts';

// As much of gnostic's OpenAPIv2.proto as the document uses, read by a library that knows nothing of the writer.
const PROTO = `
syntax = "proto3";
package openapi.v2;
message Any { string yaml = 2; }
message NamedAny { string name = 1; Any value = 2; }
message NamedSchema { string name = 1; Schema value = 2; }
message AdditionalPropertiesItem { Schema schema = 1; }
message TypeItem { repeated string value = 1; }
message ItemsItem { repeated Schema schema = 1; }
message Properties { repeated NamedSchema additional_properties = 1; }
message Schema {
  string ref = 1; string format = 2; repeated string required = 19; AdditionalPropertiesItem additional_properties = 21;
  TypeItem type = 22; ItemsItem items = 23; Properties properties = 25; repeated NamedAny vendor_extension = 31;
}
message Definitions { repeated NamedSchema additional_properties = 1; }
message QueryParameterSubSchema { bool required = 1; string in = 2; string name = 4; string type = 6; bool unique_items = 20; }
message PathParameterSubSchema { bool required = 1; string in = 2; string name = 4; string type = 5; bool unique_items = 19; }
message NonBodyParameter { QueryParameterSubSchema query = 3; PathParameterSubSchema path = 4; }
message BodyParameter { string name = 2; string in = 3; bool required = 4; Schema schema = 5; }
message Parameter { BodyParameter body = 1; NonBodyParameter non_body = 2; }
message ParametersItem { Parameter parameter = 1; }
message SchemaItem { Schema schema = 1; }
message Response { string description = 1; SchemaItem schema = 2; }
message ResponseValue { Response response = 1; }
message NamedResponseValue { string name = 1; ResponseValue value = 2; }
message Responses { repeated NamedResponseValue response_code = 1; }
message Operation {
  repeated string tags = 1; string operation_id = 5; repeated string produces = 6; repeated string consumes = 7;
  repeated ParametersItem parameters = 8; Responses responses = 9; repeated NamedAny vendor_extension = 13;
}
message PathItem { Operation get = 2; Operation patch = 8; repeated ParametersItem parameters = 9; }
message NamedPathItem { string name = 1; PathItem value = 2; }
message Paths { repeated NamedPathItem path = 2; }
message Info { string title = 1; string version = 2; }
message Document { string swagger = 1; Info info = 2; Paths paths = 8; Definitions definitions = 9; }
`;
const ref = { $ref: '#/components/schemas/Thing' };
const v3 = {
  paths: {
    '/api/v1/things/{name}': {
      patch: {
        tags: ['core_v1'],
        operationId: 'patchThing',
        parameters: [{ name: 'fieldValidation', in: 'query', schema: { type: 'string' } }],
        requestBody: { content: { 'application/merge-patch+json': { schema: ref } } },
        responses: { 200: { description: 'OK', content: { 'application/json': { schema: ref } } } },
        'x-kubernetes-group-version-kind': { group: '', version: 'v1', kind: 'Thing' },
      },
      parameters: [{ name: 'name', in: 'path', required: true, schema: { type: 'string' } }],
    },
  },
  components: {
    schemas: {
      Thing: {
        type: 'object',
        required: ['port'],
        properties: {
          port: { allOf: [{ $ref: '#/components/schemas/Port' }], default: 0 },
          more: { type: 'array', items: { allOf: [ref], default: {} }, 'x-kubernetes-list-type': 'atomic' },
          labels: { type: 'object', additionalProperties: { type: 'string', default: '' } },
        },
        'x-kubernetes-group-version-kind': [{ group: '', version: 'v1', kind: 'Thing' }],
      },
      Port: { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] },
    },
  },
};

describe('encodeOpenApiV2', () => {
  const builder = new OpenApiV2Builder();
  builder.add(v3);
  const document = builder.build();
  const type = protobuf.parse(PROTO, { keepCase: true }).root.lookupType('openapi.v2.Document');
  // oxlint-disable-next-line typescript/no-explicit-any
  const decoded = type.toObject(type.decode(encodeOpenApiV2(document)), { arrays: false }) as any;

  it('writes definitions: references, lists, maps, what v3 says in other words', () => {
    const definitions = Object.fromEntries(
      // oxlint-disable-next-line typescript/no-explicit-any
      decoded.definitions.additional_properties.map((d: any) => [d.name, d.value]),
    );
    assert.deepEqual(definitions.Port, { format: 'int-or-string', type: { value: ['string'] } });
    const thing = definitions.Thing;
    assert.deepEqual(thing.required, ['port']);
    assert.equal(thing.vendor_extension[0].value.yaml, '[{"group":"","version":"v1","kind":"Thing"}]\n');
    assert.deepEqual(thing.properties.additional_properties, [
      { name: 'port', value: { ref: '#/definitions/Port' } },
      {
        name: 'more',
        value: {
          type: { value: ['array'] },
          items: { schema: [{ ref: '#/definitions/Thing' }] },
          vendor_extension: [{ name: 'x-kubernetes-list-type', value: { yaml: '"atomic"\n' } }],
        },
      },
      {
        name: 'labels',
        value: {
          type: { value: ['object'] },
          additional_properties: { schema: { type: { value: ['string'] } } },
        },
      },
    ]);
  });

  it('writes operations with their parameters, bodies and answers', () => {
    const [{ name, value }] = decoded.paths.path;
    assert.equal(name, '/api/v1/things/{name}');
    assert.deepEqual(value.parameters, [
      {
        parameter: {
          non_body: { path: { required: true, in: 'path', name: 'name', type: 'string', unique_items: true } },
        },
      },
    ]);
    assert.deepEqual(value.patch.consumes, ['application/merge-patch+json']);
    assert.deepEqual(value.patch.parameters, [
      { parameter: { body: { name: 'body', in: 'body', required: true, schema: { ref: '#/definitions/Thing' } } } },
      {
        parameter: {
          non_body: { query: { in: 'query', name: 'fieldValidation', type: 'string', unique_items: true } },
        },
      },
    ]);
    assert.deepEqual(value.patch.responses.response_code, [
      { name: '200', value: { response: { description: 'OK', schema: { schema: { ref: '#/definitions/Thing' } } } } },
    ]);
  });
});
