// IngressClass. Rules and words are upstream's (pkg/apis/networking/validation).
import type { IngressClass, IngressClassParametersReference } from '#generated/api/networking-v1.ts';
import { isDns1123Label, isDns1123Subdomain, isDomainPrefixedPath, isPathSegment } from '#machinery/names.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { type Errors, immutable, messages } from '../rules.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';

const CONTROLLER_MAX_BYTES = 250;
const SCOPES = ['Cluster', 'Namespace'];

export const ingressClass: ResourceDefinition<IngressClass> = defineKind<IngressClass>({
  group: 'networking.k8s.io',
  resource: 'ingressclasses',
  strategy: {
    generation: true,
    default: (c) =>
      c.spec?.parameters === undefined || c.spec.parameters.scope !== undefined
        ? c
        : { ...c, spec: { ...c.spec, parameters: { ...c.spec.parameters, scope: 'Cluster' } } },
    validateCreate: validate,
    validateUpdate: (c, old) => {
      const errors: Errors = [];
      immutable(c.spec?.controller, old.spec?.controller, 'spec.controller', errors);
      return [...errors, ...validate(c)];
    },
  },
  table: {
    columns: [NAME, column('Controller'), column('Parameters'), AGE],
    cells: (c, nowMs) => {
      const p = c.spec?.parameters;
      const kind = p === undefined ? '' : p.apiGroup === undefined ? p.kind : `${p.kind}.${p.apiGroup}`;
      return [nameOf(c), c.spec?.controller ?? '', p === undefined ? '<none>' : `${kind}/${p.name}`, ageOf(c, nowMs)];
    },
  },
});

function validate(c: IngressClass): readonly FieldError[] {
  const errors: Errors = [];
  const controller = c.spec?.controller ?? '';
  if (controller === '') errors.push(fieldError.required('spec.controller'));
  else {
    if (Buffer.byteLength(controller) > CONTROLLER_MAX_BYTES)
      errors.push(fieldError.tooLong('spec.controller', CONTROLLER_MAX_BYTES));
    for (const { value, message } of isDomainPrefixedPath(controller))
      errors.push(fieldError.invalid('spec.controller', value, message));
  }
  if (c.spec?.parameters !== undefined) validateParameters(c.spec.parameters, 'spec.parameters', errors);
  return errors;
}

function validateParameters(p: IngressClassParametersReference, path: string, errors: Errors): void {
  if (p.apiGroup !== undefined) messages(isDns1123Subdomain(p.apiGroup), `${path}.apiGroup`, p.apiGroup, errors);
  for (const [field, value] of [
    ['kind', p.kind],
    ['name', p.name],
  ] as const) {
    if ((value ?? '') === '') errors.push(fieldError.required(`${path}.${field}`));
    else messages(isPathSegment(value), `${path}.${field}`, value, errors);
  }
  if (p.scope === undefined) {
    errors.push(fieldError.required(`${path}.scope`));
  } else if (!SCOPES.includes(p.scope)) {
    errors.push(fieldError.notSupported(`${path}.scope`, p.scope, SCOPES));
  } else if (p.scope === 'Namespace') {
    if (p.namespace === undefined)
      errors.push(fieldError.required(`${path}.namespace`, "`parameters.scope` is set to 'Namespace'"));
    else messages(isDns1123Label(p.namespace), `${path}.namespace`, p.namespace, errors);
  } else if (p.namespace !== undefined)
    errors.push(fieldError.forbidden(`${path}.namespace`, "`parameters.scope` is set to 'Cluster'"));
}
