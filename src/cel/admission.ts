// What policies and match conditions may name: object, oldObject, request, params, namespaceObject, authorizer, and, in
// mutating policies, the objects they write: Object{spec: Object.spec{replicas: 3}} and JSONPatch{op: "add", …}.

import type { CelEnvironment, StructType, StructTypes } from './environment.ts';
import { kubernetesEnvironment } from './kubernetes.ts';
import { AUTHORIZER_TYPE, RESOURCE_CHECK_TYPE } from './libraries/authorizer.ts';
import { JSONPATCH_LIBRARY } from './libraries/jsonpatch.ts';
import { BOOL, type CelType, DYN, INT, listOf, mapOf, type ObjectType, objectOf, STRING, TIMESTAMP } from './types.ts';
import { CelObject, type Value } from './values.ts';

const KIND = objectOf('kubernetes.GroupVersionKind', { group: STRING, version: STRING, kind: STRING });
const RESOURCE = objectOf('kubernetes.GroupVersionResource', { group: STRING, version: STRING, resource: STRING });

export const REQUEST_TYPE = objectOf('kubernetes.AdmissionRequest', {
  kind: KIND,
  resource: RESOURCE,
  subResource: STRING,
  requestKind: KIND,
  requestResource: RESOURCE,
  requestSubResource: STRING,
  name: STRING,
  namespace: STRING,
  operation: STRING,
  userInfo: objectOf('kubernetes.UserInfo', {
    username: STRING,
    uid: STRING,
    groups: listOf(STRING),
    extra: mapOf(STRING, listOf(STRING)),
  }),
  dryRun: BOOL,
  options: DYN,
});

export const NAMESPACE_TYPE = objectOf('kubernetes.Namespace', {
  metadata: objectOf('kubernetes.NamespaceMetadata', {
    name: STRING,
    generateName: STRING,
    namespace: STRING,
    labels: mapOf(STRING, STRING),
    annotations: mapOf(STRING, STRING),
    UID: STRING,
    creationTimestamp: TIMESTAMP,
    deletionGracePeriodSeconds: INT,
    deletionTimestamp: TIMESTAMP,
    generation: INT,
    resourceVersion: STRING,
    finalizers: listOf(STRING),
  }),
  spec: objectOf('kubernetes.NamespaceSpec', { finalizers: listOf(STRING) }),
  status: objectOf('kubernetes.NamespaceStatus', {
    conditions: listOf(
      objectOf('kubernetes.NamespaceCondition', {
        status: STRING,
        type: STRING,
        lastTransitionTime: TIMESTAMP,
        message: STRING,
        reason: STRING,
      }),
    ),
    phase: STRING,
  }),
});

export interface AdmissionVariables {
  readonly params?: boolean;
  readonly authorizer?: boolean;
  /** Object{…}, JSONPatch{…} and jsonpatch.escapeKey(). */
  readonly patches?: boolean;
  /** The types of the policy's own variables so far, under `variables`. */
  readonly variables?: Readonly<Record<string, CelType>>;
  /** The types of object, oldObject and params, for checking a policy against what it matches; dyn while it runs. */
  readonly objectType?: CelType;
  readonly paramsType?: CelType;
  /** Minor release of Kubernetes 1. */
  readonly minor?: number;
}

/** Values are given under the same names; the resource to check is `authorizer.requestResource`. */
export function admissionEnvironment(options: AdmissionVariables): CelEnvironment {
  const variables: Record<string, CelType> = {
    object: options.objectType ?? DYN,
    oldObject: options.objectType ?? DYN,
    request: REQUEST_TYPE,
    namespaceObject: NAMESPACE_TYPE,
  };
  if (options.params === true) variables.params = options.paramsType ?? DYN;
  if (options.variables !== undefined) variables.variables = objectOf('kubernetes.variables', options.variables);
  if (options.authorizer === true) {
    variables.authorizer = AUTHORIZER_TYPE;
    variables['authorizer.requestResource'] = RESOURCE_CHECK_TYPE;
  }
  const env = kubernetesEnvironment(options.minor);
  return options.patches === true ? env.extend(variables, PATCH_TYPES, [JSONPATCH_LIBRARY]) : env.extend(variables);
}

const JSON_PATCH: StructType = {
  type: objectOf('JSONPatch', { op: STRING, path: STRING, from: STRING, value: DYN }),
  fields: new Map<string, CelType>([
    ['op', STRING],
    ['path', STRING],
    ['from', STRING],
    ['value', DYN],
  ]),
};

/** Object and Object.any.path: fields of any name and type. */
const PATCH_TYPES: StructTypes = {
  get(name) {
    if (name === 'JSONPatch') return JSON_PATCH;
    if (name !== 'Object' && !name.startsWith('Object.')) return undefined;
    const type: ObjectType = { kind: 'object', name, fields: { get: (field) => ({ name: field, type: DYN }) } };
    return { type };
  },
};

/** Each nested object's type must say where it stands (Object.spec in the field spec): the first that does not, in upstream's words. */
export function misnamedObject(value: Value, path = 'Object'): string | undefined {
  if (Array.isArray(value)) {
    for (const element of value) {
      const wrong = misnamedObject(element, path);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }
  if (!(value instanceof CelObject)) return undefined;
  if (value.type !== path)
    return `unexpected type name "${value.type}", expected "${path}", which matches field name path from root Object type`;
  for (const [field, inner] of Object.entries(value.fields)) {
    const wrong = misnamedObject(inner, `${path}.${field}`);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}
