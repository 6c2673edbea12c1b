// APIService.
import type { APIService, APIServiceSpec } from '#generated/api/apiregistration-v1.ts';
import { isDns1035Label, isDns1123Subdomain, isPathSegment, isValidPortNum } from '#machinery/names.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind } from '../define.ts';
import { type Errors, isUnset, messages } from '../rules.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';

const DEFAULT_PORT = 443;
const GROUP_PRIORITY_MAX = 20_000;
const VERSION_PRIORITY_MAX = 1_000;
const CONDITION_STATUSES = ['True', 'False', 'Unknown'];

/** What APIServices that this server itself answers say of themselves. */
export const LOCAL_CONDITION = {
  type: 'Available',
  status: 'True',
  reason: 'Local',
  message: 'Local APIServices are always available',
} as const;

export const apiService: ResourceDefinition<APIService> = defineKind<APIService>({
  group: 'apiregistration.k8s.io',
  resource: 'apiservices',
  categories: ['api-extensions'],
  storagePrefix: 'apiregistration.k8s.io/apiservices',
  table: {
    columns: [NAME, column('Service'), column('Available'), AGE],
    cells: (s, nowMs) => {
      const service = s.spec?.service;
      const condition = s.status?.conditions?.find((c) => c.type === 'Available');
      const available =
        condition === undefined
          ? 'Unknown'
          : condition.status === 'True'
            ? 'True'
            : `${condition.status} (${condition.reason ?? ''})`;
      return [
        nameOf(s),
        service === undefined ? 'Local' : `${service.namespace}/${service.name}`,
        available,
        ageOf(s, nowMs),
      ];
    },
  },
  strategy: {
    generation: false,
    nameRule: 'path',
    allowUnconditionalUpdate: false,
    default: withPort,
    prepareForCreate: ({ status: _, ...created }, { now }) =>
      created.spec?.service === undefined
        ? { ...created, status: { conditions: [{ ...LOCAL_CONDITION, lastTransitionTime: now }] } }
        : { ...created, status: {} },
    prepareForUpdate: (s, old) => ({ ...s, status: old.status }),
    validateCreate: validate,
    validateUpdate: validate,
    validateStatusUpdate: (s) =>
      (s.status?.conditions ?? []).flatMap(({ status }, i) =>
        CONDITION_STATUSES.includes(status)
          ? []
          : [fieldError.notSupported(`status.conditions[${i}].status`, status, CONDITION_STATUSES)],
      ),
  },
});

function withPort(s: APIService): APIService {
  const { spec } = s;
  if (spec?.service === undefined || spec.service.port !== undefined) return s;
  return { ...s, spec: { ...spec, service: { ...spec.service, port: DEFAULT_PORT } } };
}

function validate({ metadata, spec }: APIService): readonly FieldError[] {
  const errors: Errors = [];
  const { group = '', version = '' } = spec ?? {};
  const name = `${version}.${group}`;
  // The generic rules say what is wrong with a name that no path could have.
  if (metadata.name !== undefined && isPathSegment(metadata.name).length === 0 && metadata.name !== name) {
    const detail = `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(name)}`;
    errors.push(fieldError.invalid('metadata.name', metadata.name, detail));
  }
  if (group === '' && version !== 'v1')
    errors.push(fieldError.required('spec.group', 'only v1 may have an empty group and it better be legacy kube'));
  if (group !== '') messages(isDns1123Subdomain(group), 'spec.group', group, errors);
  messages(isDns1035Label(version), 'spec.version', version, errors);
  priority(spec?.groupPriorityMinimum ?? 0, GROUP_PRIORITY_MAX, 'spec.groupPriorityMinimum', errors);
  priority(spec?.versionPriority ?? 0, VERSION_PRIORITY_MAX, 'spec.versionPriority', errors);
  if (spec !== undefined) validateWay(spec, errors);
  return errors;
}

function priority(value: number, max: number, field: string, errors: Errors): void {
  if (value <= 0 || value > max) errors.push(fieldError.invalid(field, value, `must be positive and less than ${max}`));
}

/** How the server behind it is reached. */
function validateWay({ service, caBundle = '', insecureSkipTLSVerify = false }: APIServiceSpec, errors: Errors): void {
  if (service === undefined) {
    const bytes = Buffer.from(caBundle, 'base64').length;
    if (bytes > 0)
      errors.push(fieldError.invalid('spec.caBundle', `${bytes} bytes`, 'local APIServices may not have a caBundle'));
    if (insecureSkipTLSVerify)
      errors.push(
        fieldError.invalid('spec.insecureSkipTLSVerify', true, 'local APIServices may not have insecureSkipTLSVerify'),
      );
    return;
  }
  if (isUnset(service.namespace)) errors.push(fieldError.required('spec.service.namespace'));
  if (isUnset(service.name)) errors.push(fieldError.required('spec.service.name'));
  const port = service.port ?? 0;
  const wrong = isValidPortNum(port);
  if (wrong.length > 0)
    errors.push(fieldError.invalid('spec.service.port', port, `port is not valid: ${wrong.join(', ')}`));
  if (insecureSkipTLSVerify && caBundle !== '')
    errors.push(fieldError.invalid('spec.insecureSkipTLSVerify', true, 'may not be true if caBundle is present'));
}
