// What extends the API: definitions of custom resources, aggregated servers, webhooks, admission policies. None of them matches
// anything that other cases ask for.
import { type Change, type Subject, gone } from './subject.ts';

const spec = (change: Change): Change => ({ spec: change });
const AR = 'admissionregistration.k8s.io/v1';

const SCHEMA: Change = { type: 'object' };
const VERSION: Change = { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: SCHEMA } };
const version = (change: Change): Change => spec({ versions: [change] });
const schema = (change: Change): Change => version({ schema: { openAPIV3Schema: change } });
const property = (change: Change): Change =>
  schema({ properties: { spec: { type: 'object', properties: { a: change } } } });
const NAMES: Change = { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList' };

const definitions: Subject = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  minimal: {
    metadata: { name: 'widgets.{id}.example.com' },
    spec: {
      group: '{id}.example.com',
      scope: 'Namespaced',
      names: { plural: 'widgets', kind: 'Widget' },
      versions: [VERSION],
    },
  },
  hasFixedName: true,
  shapes: {
    names: spec({ names: { ...NAMES, shortNames: ['wd'], categories: ['all'] } }),
    version: version({
      deprecated: true,
      deprecationWarning: 'old',
      subresources: {
        status: {},
        scale: {
          specReplicasPath: '.spec.replicas',
          statusReplicasPath: '.status.replicas',
          labelSelectorPath: '.status.selector',
        },
      },
      additionalPrinterColumns: [
        { name: 'A', type: 'string', jsonPath: '.spec.a', description: 'd', format: 'password', priority: 1 },
      ],
    }),
    'selectable-fields': version({
      schema: { openAPIV3Schema: { properties: { spec: { type: 'object', properties: { a: { type: 'string' } } } } } },
      selectableFields: [{ jsonPath: '.spec.a' }],
    }),
    'schema-string': property({
      type: 'string',
      minLength: 1,
      maxLength: 5,
      pattern: '^a',
      enum: ['a'],
      format: 'password',
      default: 'a',
      nullable: true,
      title: 't',
      description: 'd',
    }),
    'schema-number': property({
      type: 'integer',
      minimum: 1,
      maximum: 5,
      exclusiveMinimum: true,
      exclusiveMaximum: true,
      multipleOf: 2,
    }),
    'schema-list': property({
      type: 'array',
      items: { type: 'string' },
      minItems: 1,
      maxItems: 5,
      'x-kubernetes-list-type': 'set',
    }),
    'schema-list-map': property({
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['k'],
      items: { type: 'object', required: ['k'], properties: { k: { type: 'string' } } },
    }),
    'schema-map': property({
      type: 'object',
      additionalProperties: { type: 'string' },
      minProperties: 1,
      maxProperties: 5,
      'x-kubernetes-map-type': 'atomic',
    }),
    'schema-int-or-string': property({ 'x-kubernetes-int-or-string': true }),
    'schema-embedded': property({
      type: 'object',
      'x-kubernetes-embedded-resource': true,
      'x-kubernetes-preserve-unknown-fields': true,
    }),
    'schema-rule': property({
      type: 'string',
      maxLength: 9,
      'x-kubernetes-validations': [{ rule: "self == 'a'", message: 'no', reason: 'FieldValueInvalid' }],
    }),
    conversion: spec({
      conversion: {
        strategy: 'Webhook',
        webhook: { clientConfig: { url: 'https://w.example/c' }, conversionReviewVersions: ['v1'] },
      },
    }),
    'conversion-service': spec({
      conversion: {
        strategy: 'Webhook',
        webhook: {
          clientConfig: { service: { name: 's', namespace: 'n', path: '/p', port: 8443 } },
          conversionReviewVersions: ['v1'],
        },
      },
    }),
  },
  crossed: {
    'spec-gone': { spec: gone },
    'name-other': { metadata: { name: 'gadgets.{id}.example.com' } },
    'group-missing': { spec: { group: gone } },
    'group-without-dot': { metadata: { name: 'widgets.example' }, spec: { group: 'example' } },
    'group-protected': { metadata: { name: 'widgets.x.k8s.io' }, spec: { group: 'x.k8s.io' } },
    'group-protected-approved': {
      metadata: {
        name: 'widgets.y.k8s.io',
        annotations: { 'api-approved.kubernetes.io': 'https://github.com/kubernetes/enhancements/pull/1' },
      },
      spec: { group: 'y.k8s.io' },
    },
    'scope-unknown': spec({ scope: 'Galactic' }),
    'versions-none': spec({ versions: [] }),
    'versions-no-storage': version({ storage: false }),
    'versions-two-storage': spec({ versions: [{}, { ...VERSION, name: 'v2' }] }),
    'versions-of-one-name': spec({ versions: [{}, { ...VERSION, storage: false }] }),
    'version-name-bad': version({ name: 'V_1' }),
    'schema-missing': version({ schema: gone }),
    'schema-not-object': schema({ type: 'string' }),
    'schema-type-missing': property({}),
    'schema-type-unknown': property({ type: 'text' }),
    'schema-properties-and-additional': property({
      type: 'object',
      properties: { b: { type: 'string' } },
      additionalProperties: { type: 'string' },
    }),
    'schema-additional-false': property({ type: 'object', additionalProperties: false }),
    'schema-ref': property({ $ref: '#/definitions/x' }),
    'schema-unique-items': property({ type: 'array', items: { type: 'string' }, uniqueItems: true }),
    'schema-items-list': property({ type: 'array', items: [{ type: 'string' }] }),
    'schema-items-missing': property({ type: 'array' }),
    'schema-pattern-bad': property({ type: 'string', pattern: '(' }),
    'schema-default-wrong-type': property({ type: 'string', default: 5 }),
    'schema-default-off-enum': property({ type: 'string', enum: ['a'], default: 'b' }),
    'schema-default-unknown-field': property({
      type: 'object',
      properties: { b: { type: 'string' } },
      default: { c: 1 },
    }),
    'schema-any-of-with-type': property({ anyOf: [{ type: 'string' }, { type: 'integer' }] }),
    'schema-any-of-int-or-string': property({
      'x-kubernetes-int-or-string': true,
      anyOf: [{ type: 'integer' }, { type: 'string' }],
    }),
    'schema-not-with-properties': property({ type: 'object', not: { properties: { z: { type: 'string' } } } }),
    'schema-list-map-without-keys': property({
      type: 'array',
      'x-kubernetes-list-type': 'map',
      items: { type: 'object' },
    }),
    'schema-list-map-key-optional': property({
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['k'],
      items: { type: 'object', properties: { k: { type: 'string' } } },
    }),
    'schema-list-set-of-objects': property({
      type: 'array',
      'x-kubernetes-list-type': 'set',
      items: { type: 'object' },
    }),
    'schema-list-type-unknown': property({ type: 'array', 'x-kubernetes-list-type': 'bag', items: { type: 'string' } }),
    'schema-map-type-unknown': property({ type: 'object', 'x-kubernetes-map-type': 'bag' }),
    'schema-preserve-false': property({ type: 'object', 'x-kubernetes-preserve-unknown-fields': false }),
    'schema-embedded-without-type': property({ 'x-kubernetes-embedded-resource': true }),
    'schema-nullable-list-item': property({ type: 'array', items: { type: 'string', nullable: true } }),
    'schema-metadata-rules': schema({
      properties: { metadata: { type: 'object', properties: { labels: { type: 'object' } } } },
    }),
    'schema-metadata-name': schema({
      properties: { metadata: { type: 'object', properties: { name: { type: 'string', maxLength: 5 } } } },
    }),
    'rule-empty': property({ type: 'string', maxLength: 5, 'x-kubernetes-validations': [{ rule: '' }] }),
    'rule-syntax': property({ type: 'string', maxLength: 5, 'x-kubernetes-validations': [{ rule: 'self ==' }] }),
    'rule-not-boolean': property({ type: 'string', maxLength: 5, 'x-kubernetes-validations': [{ rule: 'self' }] }),
    'rule-unknown-variable': property({
      type: 'string',
      maxLength: 5,
      'x-kubernetes-validations': [{ rule: 'other == 1' }],
    }),
    'rule-unknown-field': property({
      type: 'object',
      properties: { b: { type: 'string' } },
      'x-kubernetes-validations': [{ rule: "self.c == 'a'" }],
    }),
    'rule-type-mismatch': property({ type: 'integer', 'x-kubernetes-validations': [{ rule: "self == 'a'" }] }),
    'rule-message-newline': property({
      type: 'string',
      maxLength: 5,
      'x-kubernetes-validations': [{ rule: 'true', message: 'a\nb' }],
    }),
    'rule-reason-unknown': property({
      type: 'string',
      maxLength: 5,
      'x-kubernetes-validations': [{ rule: 'true', reason: 'Bored' }],
    }),
    'rule-message-expression-bad': property({
      type: 'string',
      maxLength: 5,
      'x-kubernetes-validations': [{ rule: 'true', messageExpression: '5' }],
    }),
    'rule-field-path': property({
      type: 'object',
      properties: { b: { type: 'string', maxLength: 3 } },
      'x-kubernetes-validations': [{ rule: 'true', fieldPath: '.nope' }],
    }),
    'rule-old-self': property({
      type: 'string',
      maxLength: 5,
      'x-kubernetes-validations': [{ rule: 'self == oldSelf' }],
    }),
    'rule-optional-old-self': property({
      type: 'string',
      maxLength: 5,
      'x-kubernetes-validations': [{ rule: 'self == oldSelf.value()', optionalOldSelf: true }],
    }),
    'rule-costly': property({
      type: 'array',
      items: { type: 'string' },
      'x-kubernetes-validations': [{ rule: 'self.all(x, self.all(y, x == y))' }],
    }),
    'column-type-unknown': version({ additionalPrinterColumns: [{ name: 'A', type: 'thing', jsonPath: '.spec' }] }),
    'column-path-bad': version({ additionalPrinterColumns: [{ name: 'A', type: 'string', jsonPath: 'spec' }] }),
    'scale-path-bad': version({
      subresources: { scale: { specReplicasPath: '.replicas', statusReplicasPath: '.spec.x' } },
    }),
    'deprecation-warning-alone': version({ deprecationWarning: 'x' }),
    'deprecation-warning-long': version({ deprecated: true, deprecationWarning: 'x'.repeat(257) }),
    'selectable-nine': version({
      selectableFields: Array.from({ length: 9 }, (_, i) => ({ jsonPath: `.spec.f${i}` })),
    }),
    'selectable-unknown-field': version({ selectableFields: [{ jsonPath: '.spec.nope' }] }),
    'selectable-metadata': version({ selectableFields: [{ jsonPath: '.metadata.name' }] }),
    'names-kind-bad': spec({ names: { kind: 'Wid Get' } }),
    'names-short-bad': spec({ names: { shortNames: ['WD'] } }),
    'names-category-bad': spec({ names: { categories: ['All Things'] } }),
    'names-list-kind-same': spec({ names: { listKind: 'Widget' } }),
    'conversion-none-with-webhook': spec({
      conversion: {
        strategy: 'None',
        webhook: { clientConfig: { url: 'https://w.example' }, conversionReviewVersions: ['v1'] },
      },
    }),
    'conversion-webhook-missing': spec({ conversion: { strategy: 'Webhook' } }),
    'conversion-url-http': spec({
      conversion: {
        strategy: 'Webhook',
        webhook: { clientConfig: { url: 'http://w.example' }, conversionReviewVersions: ['v1'] },
      },
    }),
    'conversion-both': spec({
      conversion: {
        strategy: 'Webhook',
        webhook: {
          clientConfig: { url: 'https://w.example', service: { name: 's', namespace: 'n' } },
          conversionReviewVersions: ['v1'],
        },
      },
    }),
    'conversion-versions-unknown': spec({
      conversion: {
        strategy: 'Webhook',
        webhook: { clientConfig: { url: 'https://w.example' }, conversionReviewVersions: ['v9'] },
      },
    }),
    'preserve-unknown-fields': spec({ preserveUnknownFields: true }),
  },
  updates: {
    // By patch: the original itself writes the status meanwhile.
    'group-changed': { method: 'PATCH', to: spec({ group: 'other.example.com' }) },
    'plural-changed': { method: 'PATCH', to: spec({ names: { plural: 'gadgets' } }) },
    'schema-bad': { method: 'PATCH', to: property({ type: 'text' }) },
    'storage-none': { method: 'PATCH', to: version({ storage: false }) },
  },
};

const apiServices: Subject = {
  apiVersion: 'apiregistration.k8s.io/v1',
  kind: 'APIService',
  minimal: {
    metadata: { name: 'v1.{id}.example.com' },
    spec: {
      group: '{id}.example.com',
      version: 'v1',
      groupPriorityMinimum: 100,
      versionPriority: 10,
      insecureSkipTLSVerify: true,
      service: { name: 's', namespace: 'n' },
    },
  },
  hasFixedName: true,
  shapes: {
    port: spec({ service: { port: 8443 } }),
    bundle: spec({ insecureSkipTLSVerify: false, caBundle: 'YQ==' }),
  },
  crossed: {
    'spec-gone': { spec: gone },
    'name-other': { metadata: { name: 'v1.other.example.com' } },
    'service-missing': { spec: { service: gone } },
    local: { spec: { service: gone, insecureSkipTLSVerify: gone } },
    'both-trusts': spec({ caBundle: 'YQ==' }),
    'neither-trust': { spec: { insecureSkipTLSVerify: gone } },
    'priority-over': spec({ groupPriorityMinimum: 20001 }),
    'version-priority-over': spec({ versionPriority: 1001 }),
    'version-bad': { metadata: { name: 'V_1.{id}.example.com' }, spec: { version: 'V_1' } },
    'service-name-missing': { spec: { service: { name: gone } } },
    'group-missing': { metadata: { name: 'v1.' }, spec: { group: gone } },
  },
};

const RULES: Change = {
  operations: ['CREATE'],
  apiGroups: ['nothing.example.com'],
  apiVersions: ['v1'],
  resources: ['widgets'],
};
const HOOK: Change = {
  name: 'a.example.com',
  clientConfig: { url: 'https://w.example/x' },
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
  rules: [RULES],
};
const hook = (change: Change): Change => ({ webhooks: [change] });
const webhookShapes: Readonly<Record<string, Change>> = {
  whole: hook({
    rules: [{ scope: 'Namespaced' }],
    failurePolicy: 'Ignore',
    matchPolicy: 'Exact',
    timeoutSeconds: 5,
    namespaceSelector: { matchLabels: { a: 'b' } },
    objectSelector: { matchExpressions: [{ key: 'a', operator: 'Exists' }] },
    matchConditions: [{ name: 'c', expression: 'true' }],
  }),
  service: hook({
    clientConfig: { url: gone, service: { name: 's', namespace: 'n', path: '/p', port: 8443 }, caBundle: gone },
  }),
};
const webhookCrossed: Readonly<Record<string, Change>> = {
  'webhooks-none': { webhooks: gone },
  'names-same': { webhooks: [{}, HOOK] },
  'name-unqualified': hook({ name: 'a' }),
  'client-none': hook({ clientConfig: { url: gone } }),
  'client-both': hook({ clientConfig: { service: { name: 's', namespace: 'n' } } }),
  'url-http': hook({ clientConfig: { url: 'http://w.example' } }),
  'url-with-user': hook({ clientConfig: { url: 'https://a:b@w.example' } }),
  'url-with-query': hook({ clientConfig: { url: 'https://w.example/?a=b' } }),
  'url-with-fragment': hook({ clientConfig: { url: 'https://w.example/#a' } }),
  'url-unparsable': hook({ clientConfig: { url: 'https://[::1' } }),
  'ca-bundle-bad': hook({ clientConfig: { caBundle: 'YQ==' } }),
  'service-path-relative': hook({ clientConfig: { url: gone, service: { name: 's', namespace: 'n', path: 'x' } } }),
  'service-path-double-slash': hook({
    clientConfig: { url: gone, service: { name: 's', namespace: 'n', path: '/a//b' } },
  }),
  'service-port-zero': hook({ clientConfig: { url: gone, service: { name: 's', namespace: 'n', port: 65536 } } }),
  'timeout-zero': hook({ timeoutSeconds: 0 }),
  'timeout-31': hook({ timeoutSeconds: 31 }),
  'side-effects-missing': hook({ sideEffects: gone }),
  'side-effects-some': hook({ sideEffects: 'Some' }),
  'versions-none': hook({ admissionReviewVersions: [] }),
  'versions-unknown': hook({ admissionReviewVersions: ['v9'] }),
  'versions-one-known': hook({ admissionReviewVersions: ['v9', 'v1'] }),
  'versions-same': hook({ admissionReviewVersions: ['v1', 'v1'] }),
  'operation-unknown': hook({ rules: [{ operations: ['DANCE'] }] }),
  'operation-star-and-more': hook({ rules: [{ operations: ['*', 'CREATE'] }] }),
  'resource-star-and-more': hook({ rules: [{ resources: ['*', 'pods'] }] }),
  'resource-double-star': hook({ rules: [{ resources: ['*/*', 'pods'] }] }),
  'resource-subresource': hook({ rules: [{ resources: ['pods/status', 'pods/*', 'a/b/c', '*/x'] }] }),
  'group-star-and-more': hook({ rules: [{ apiGroups: ['*', 'a'] }] }),
  'versions-star-and-more': hook({ rules: [{ apiVersions: ['*', 'v1'] }] }),
  'rule-empty': hook({ rules: [{ operations: gone, apiGroups: gone, apiVersions: gone, resources: gone }] }),
  'condition-name-missing': hook({ matchConditions: [{ expression: 'true' }] }),
  'condition-expression-missing': hook({ matchConditions: [{ name: 'c' }] }),
  'condition-syntax': hook({ matchConditions: [{ name: 'c', expression: 'a ==' }] }),
  'condition-not-boolean': hook({ matchConditions: [{ name: 'c', expression: '5' }] }),
  'condition-names-same': hook({
    matchConditions: [
      { name: 'c', expression: 'true' },
      { name: 'c', expression: 'true' },
    ],
  }),
  'conditions-65': hook({
    matchConditions: Array.from({ length: 65 }, (_, i) => ({ name: `c${i}`, expression: 'true' })),
  }),
  'condition-unknown-variable': hook({ matchConditions: [{ name: 'c', expression: 'nothing == 1' }] }),
};
const validatingWebhooks: Subject = {
  apiVersion: AR,
  kind: 'ValidatingWebhookConfiguration',
  minimal: { webhooks: [HOOK] },
  shapes: webhookShapes,
  crossed: webhookCrossed,
  changing: ['whole'],
};
const mutatingWebhooks: Subject = {
  apiVersion: AR,
  kind: 'MutatingWebhookConfiguration',
  minimal: { webhooks: [HOOK] },
  shapes: { reinvocation: hook({ reinvocationPolicy: 'IfNeeded' }) },
  crossed: { ...webhookCrossed, 'reinvocation-unknown': hook({ reinvocationPolicy: 'Maybe' }) },
};

const CONSTRAINTS: Change = { resourceRules: [RULES] };
const validation = (change: Change): Change => spec({ validations: [change] });
const policyCrossed: Readonly<Record<string, Change>> = {
  'spec-gone': { spec: gone },
  'constraints-missing': { spec: { matchConstraints: gone } },
  'constraints-without-rules': { spec: { matchConstraints: { resourceRules: gone } } },
  'constraints-policy-unknown': spec({ matchConstraints: { matchPolicy: 'Loosely' } }),
  'constraints-names': spec({ matchConstraints: { resourceRules: [{ resourceNames: ['a', 'a', 'Bad/Name'] }] } }),
  'param-kind-empty': spec({ paramKind: {} }),
  'param-kind-version-bad': spec({ paramKind: { apiVersion: 'a/b/c', kind: 'K' } }),
  'param-kind-kind-bad': spec({ paramKind: { apiVersion: 'v1', kind: 'Bad Kind' } }),
  'failure-policy-unknown': spec({ failurePolicy: 'Maybe' }),
  'variable-name-bad': spec({ variables: [{ name: 'a-b', expression: '1' }] }),
  'variable-syntax': spec({ variables: [{ name: 'a', expression: '1 +' }] }),
  'variable-names-same': spec({
    variables: [
      { name: 'a', expression: '1' },
      { name: 'a', expression: '2' },
    ],
  }),
  'condition-syntax': spec({ matchConditions: [{ name: 'c', expression: 'a ==' }] }),
  'condition-name-bad': spec({ matchConditions: [{ name: 'Bad Name!', expression: 'true' }] }),
};
const validatingPolicies: Subject = {
  apiVersion: AR,
  kind: 'ValidatingAdmissionPolicy',
  minimal: { spec: { matchConstraints: CONSTRAINTS, validations: [{ expression: 'object.spec.replicas < 5' }] } },
  shapes: {
    constraints: spec({
      matchConstraints: {
        matchPolicy: 'Exact',
        namespaceSelector: { matchLabels: { a: 'b' } },
        objectSelector: { matchLabels: { a: 'b' } },
        resourceRules: [{ resourceNames: ['a'], scope: 'Namespaced' }],
        excludeResourceRules: [{ ...RULES, resources: ['gadgets'] }],
      },
    }),
    validation: validation({ message: 'm', reason: 'Forbidden', messageExpression: "'a' + 'b'" }),
    'variables-and-conditions': spec({
      variables: [{ name: 'v', expression: '1' }],
      matchConditions: [{ name: 'c', expression: 'true' }],
      failurePolicy: 'Ignore',
      paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
    }),
    'audit-annotations': spec({ auditAnnotations: [{ key: 'k', valueExpression: "'a'" }] }),
  },
  changing: ['constraints'],
  crossed: {
    ...policyCrossed,
    'validations-none': { spec: { validations: gone } },
    'expression-missing': validation({ expression: gone }),
    'expression-syntax': validation({ expression: 'a ==' }),
    'expression-not-boolean': validation({ expression: '5' }),
    'expression-unknown-variable': validation({ expression: 'nothing' }),
    'expression-params-without-kind': validation({ expression: 'params.x == 1' }),
    'expression-variable-unknown': validation({ expression: 'variables.nope' }),
    'message-newline': validation({ message: 'a\nb' }),
    'message-blank': validation({ message: '  ' }),
    'message-missing-for-newline-expression': validation({ expression: 'true\n && true' }),
    'message-expression-not-string': validation({ messageExpression: '5' }),
    'reason-unknown': validation({ reason: 'Bored' }),
    'audit-key-bad': spec({ auditAnnotations: [{ key: 'Bad Key!', valueExpression: "'a'" }] }),
    'audit-value-missing': spec({ auditAnnotations: [{ key: 'k' }] }),
    'audit-value-number': spec({ auditAnnotations: [{ key: 'k', valueExpression: '5' }] }),
    'audit-keys-same': spec({
      auditAnnotations: [
        { key: 'k', valueExpression: "'a'" },
        { key: 'k', valueExpression: "'a'" },
      ],
    }),
  },
};
const mutation = (change: Change): Change => spec({ mutations: [change] });
const mutatingPolicies: Subject = {
  apiVersion: AR,
  kind: 'MutatingAdmissionPolicy',
  minimal: {
    spec: {
      matchConstraints: CONSTRAINTS,
      reinvocationPolicy: 'Never',
      failurePolicy: 'Fail',
      mutations: [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression: 'Object{}' } }],
    },
  },
  shapes: {
    'json-patch': {
      spec: {
        mutations: [
          {
            patchType: 'JSONPatch',
            applyConfiguration: gone,
            jsonPatch: { expression: '[JSONPatch{op: "add", path: "/a", value: "b"}]' },
          },
        ],
      },
    },
  },
  crossed: {
    ...policyCrossed,
    'mutations-none': { spec: { mutations: gone } },
    'patch-type-unknown': mutation({ patchType: 'Magic' }),
    'patch-type-missing': mutation({ patchType: gone }),
    'patch-both': mutation({ jsonPatch: { expression: '[]' } }),
    'patch-neither': mutation({ applyConfiguration: gone }),
    'expression-syntax': mutation({ applyConfiguration: { expression: 'Object{' } }),
    'expression-type': mutation({ applyConfiguration: { expression: '5' } }),
    'reinvocation-missing': { spec: { reinvocationPolicy: gone } },
    'reinvocation-unknown': spec({ reinvocationPolicy: 'Maybe' }),
  },
};
const bindingCrossed: Readonly<Record<string, Change>> = {
  'spec-gone': { spec: gone },
  'policy-missing': { spec: { policyName: gone } },
  'policy-bad': spec({ policyName: 'Bad Name!' }),
  'param-both': spec({
    paramRef: { name: 'n', selector: { matchLabels: { a: 'b' } }, parameterNotFoundAction: 'Deny' },
  }),
  'param-neither': spec({ paramRef: { parameterNotFoundAction: 'Deny' } }),
  'param-action-missing': spec({ paramRef: { name: 'n' } }),
  'param-action-unknown': spec({ paramRef: { name: 'n', parameterNotFoundAction: 'Cry' } }),
};
const policyBindings: Subject = {
  apiVersion: AR,
  kind: 'ValidatingAdmissionPolicyBinding',
  minimal: { spec: { policyName: 'p', validationActions: ['Deny'] } },
  shapes: {
    param: spec({ paramRef: { name: 'n', namespace: 'ns', parameterNotFoundAction: 'Deny' } }),
    'match-resources': spec({
      matchResources: { resourceRules: [RULES], namespaceSelector: { matchLabels: { a: 'b' } } },
    }),
  },
  changing: ['param'],
  crossed: {
    ...bindingCrossed,
    'actions-none': spec({ validationActions: [] }),
    'action-unknown': spec({ validationActions: ['Cry'] }),
    'actions-same': spec({ validationActions: ['Deny', 'Deny'] }),
    'actions-deny-and-warn': spec({ validationActions: ['Deny', 'Warn'] }),
    'actions-audit-and-warn': spec({ validationActions: ['Audit', 'Warn'] }),
  },
};
const mutatingBindings: Subject = {
  apiVersion: AR,
  kind: 'MutatingAdmissionPolicyBinding',
  minimal: { spec: { policyName: 'p' } },
  shapes: {
    param: spec({ paramRef: { selector: { matchLabels: { a: 'b' } }, parameterNotFoundAction: 'Allow' } }),
    'match-resources': spec({ matchResources: { resourceRules: [RULES] } }),
  },
  crossed: bindingCrossed,
};

export const extensions: readonly Subject[] = [
  definitions,
  apiServices,
  validatingWebhooks,
  mutatingWebhooks,
  validatingPolicies,
  policyBindings,
  mutatingPolicies,
  mutatingBindings,
];
