// Rules of priority and fairness: which requests a FlowSchema takes, how a priority level queues them.
import type {
  FlowSchema,
  LimitedPriorityLevelConfiguration,
  NonResourcePolicyRule,
  PolicyRulesWithSubjects,
  PriorityLevelConfiguration,
  QueuingConfiguration,
  ResourcePolicyRule,
  Subject,
} from '#generated/api/flowcontrol-v1.ts';
import { inclusiveRangeError, isDns1123Label, isDns1123Subdomain } from '#machinery/names.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import { type Errors, at, isUnset, messages } from '../rules.ts';

const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'proxy', 'update', 'watch'];
const SUBJECT_KINDS = ['Group', 'ServiceAccount', 'User'];
const DISTINGUISHERS = ['ByNamespace', 'ByUser'];
const EXEMPT = 'exempt';
const PRECEDENCE_MAX = 10_000;
const QUEUES_MAX = 10_000_000;
/** Bits of a hash from which a hand of queues is dealt. */
const ENTROPY_BITS_MAX = 60;

export function validateFlowSchema(schema: FlowSchema): readonly FieldError[] {
  const errors: Errors = [];
  const { spec } = schema;
  const precedence = spec?.matchingPrecedence ?? 1000;
  const where = 'spec.matchingPrecedence';
  if (precedence <= 0) errors.push(fieldError.invalid(where, precedence, 'must be a positive value'));
  if (precedence > PRECEDENCE_MAX)
    errors.push(fieldError.invalid(where, precedence, `must not be greater than ${PRECEDENCE_MAX}`));
  if (precedence === 1 && schema.metadata.name !== EXEMPT)
    errors.push(fieldError.invalid(where, precedence, "only the schema named 'exempt' may have matchingPrecedence 1"));
  const method = spec?.distinguisherMethod;
  if (method !== undefined && !DISTINGUISHERS.includes(method.type ?? ''))
    errors.push(fieldError.notSupported('spec.distinguisherMethod.type', { Type: method.type ?? '' }, DISTINGUISHERS));
  const level = spec?.priorityLevelConfiguration?.name ?? '';
  const levelPath = 'spec.priorityLevelConfiguration.name';
  if (level === '') errors.push(fieldError.required(levelPath, 'must reference a priority level'));
  else messages(isDns1123Subdomain(level), levelPath, level, errors);
  for (const [index, rule] of (spec?.rules ?? []).entries()) validateRules(rule, at('spec.rules', index), errors);
  return errors;
}

function validateRules(rule: PolicyRulesWithSubjects, path: string, errors: Errors): void {
  if ((rule.subjects ?? []).length === 0)
    errors.push(fieldError.required(`${path}.subjects`, 'subjects must contain at least one value'));
  for (const [index, subject] of (rule.subjects ?? []).entries())
    validateSubject(subject, at(`${path}.subjects`, index), errors);
  const [resources, others] = [rule.resourceRules ?? [], rule.nonResourceRules ?? []];
  if (resources.length === 0 && others.length === 0)
    errors.push(fieldError.required(path, 'at least one of resourceRules and nonResourceRules has to be non-empty'));
  for (const [index, r] of resources.entries()) validateResourceRule(r, at(`${path}.resourceRules`, index), errors);
  for (const [index, r] of others.entries()) validateNonResourceRule(r, at(`${path}.nonResourceRules`, index), errors);
}

function validateSubject(subject: Subject, path: string, errors: Errors): void {
  if (!SUBJECT_KINDS.includes(subject.kind ?? '')) {
    errors.push(fieldError.notSupported(`${path}.kind`, subject.kind ?? '', SUBJECT_KINDS));
    return;
  }
  for (const [member, kind] of [
    ['serviceAccount', 'ServiceAccount'],
    ['user', 'User'],
    ['group', 'Group'],
  ] as const) {
    const who = subject[member];
    const where = `${path}.${member}`;
    if (subject.kind !== kind) {
      if (who !== undefined)
        errors.push(fieldError.forbidden(where, `${member} is forbidden when subject kind is not '${kind}'`));
    } else if (who === undefined)
      errors.push(fieldError.required(where, `${member} is required when subject kind is '${kind}'`));
    else if (isUnset(who.name)) errors.push(fieldError.required(`${where}.name`));
    else if (member === 'serviceAccount' && who.name !== '*')
      messages(isDns1123Subdomain(who.name), `${where}.name`, who.name, errors);
  }
  if (subject.kind !== 'ServiceAccount' || subject.serviceAccount === undefined) return;
  const { namespace } = subject.serviceAccount;
  const where = `${path}.serviceAccount.namespace`;
  if (isUnset(namespace)) errors.push(fieldError.required(where, 'must specify namespace for service account'));
  else messages(isDns1123Label(namespace), where, namespace, errors);
}

/** At least one, and of a star only the star. */
function starred(list: readonly string[] | undefined, path: string, none: string, others: string, errors: Errors) {
  if ((list ?? []).length === 0) errors.push(fieldError.required(path, none));
  else if (list!.length > 1 && list!.includes('*'))
    errors.push(fieldError.invalid(path, list, `if '*' is present, must not specify other ${others}`));
}

function validateVerbs(verbs: readonly string[] | undefined, path: string, errors: Errors): void {
  starred(verbs, path, 'verbs must contain at least one value', 'verbs', errors);
  const list = verbs ?? [];
  if (!list.includes('*') && list.some((v) => !VERBS.includes(v)))
    errors.push(fieldError.notSupported(path, list, VERBS));
}

function validateResourceRule(rule: ResourcePolicyRule, path: string, errors: Errors): void {
  validateVerbs(rule.verbs, `${path}.verbs`, errors);
  starred(
    rule.apiGroups,
    `${path}.apiGroups`,
    'resource rules must supply at least one api group',
    'api groups',
    errors,
  );
  starred(rule.resources, `${path}.resources`, 'resource rules must supply at least one resource', 'resources', errors);
  const namespaces = rule.namespaces ?? [];
  const where = `${path}.namespaces`;
  if (namespaces.length === 0 && rule.clusterScope !== true)
    errors.push(
      fieldError.required(where, 'resource rules that are not cluster scoped must supply at least one namespace'),
    );
  else if (namespaces.includes('*')) {
    if (namespaces.length > 1)
      errors.push(fieldError.invalid(where, namespaces, "if '*' is present, must not specify other namespaces"));
  } else
    for (const [index, namespace] of namespaces.entries())
      for (const message of isDns1123Label(namespace))
        errors.push(
          fieldError.invalid(
            at(where, index),
            namespace,
            `each member of this list must be '*' or a DNS-1123 label; ${message}`,
          ),
        );
}

function validateNonResourceRule(rule: NonResourcePolicyRule, path: string, errors: Errors): void {
  validateVerbs(rule.verbs, `${path}.verbs`, errors);
  const where = `${path}.nonResourceURLs`;
  const urls = rule.nonResourceURLs ?? [];
  starred(urls, where, 'nonResourceURLs must contain at least one value', 'non-resource URLs', errors);
  if (urls.includes('*')) return;
  for (const [index, url] of urls.entries()) {
    const why = faultOfUrl(url);
    if (why !== undefined) errors.push(fieldError.invalid(at(where, index), url, why));
  }
}

function faultOfUrl(url: string): string | undefined {
  if (url === '') return 'must not be empty';
  if (url === '/') return undefined;
  if (!url.startsWith('/')) return 'must start with slash';
  if (url.includes(' ')) return 'must not contain white-space';
  if (url.includes('//')) return 'must not contain double slash';
  const stars = url.split('*').length - 1;
  return stars > 1 || (stars === 1 && !url.endsWith('/*')) ? 'wildcard can only do suffix matching' : undefined;
}

export function validatePriorityLevel(level: PriorityLevelConfiguration): readonly FieldError[] {
  const errors: Errors = [];
  const { spec } = level;
  const type = spec?.type ?? '';
  if ((type === 'Exempt') !== (level.metadata.name === EXEMPT) && type !== '' && ['Exempt', 'Limited'].includes(type))
    errors.push(fieldError.invalid('spec.type', type, "must be 'Exempt' if and only if `name` is 'exempt'"));
  switch (type) {
    case 'Exempt':
      if (spec?.limited !== undefined)
        errors.push(fieldError.forbidden('spec.limited', 'must be nil if the type is not Limited'));
      break;
    case 'Limited':
      if (spec?.exempt !== undefined)
        errors.push(fieldError.forbidden('spec.exempt', 'must be nil if the type is Limited'));
      if (spec?.limited === undefined)
        errors.push(fieldError.required('spec.limited', 'must not be empty when type is Limited'));
      else validateLimited(spec.limited, 'spec.limited', errors);
      break;
    case '':
      errors.push(fieldError.required('spec.type'));
      break;
    default:
      errors.push(fieldError.notSupported('spec.type', type, ['Exempt', 'Limited']));
  }
  return errors;
}

function validateLimited(limited: LimitedPriorityLevelConfiguration, path: string, errors: Errors): void {
  const { nominalConcurrencyShares: shares = 0, lendablePercent: lent = 0, borrowingLimitPercent: borrowed } = limited;
  if (shares < 0)
    errors.push(fieldError.invalid(`${path}.nominalConcurrencyShares`, shares, 'must be a non-negative integer'));
  const where = `${path}.limitResponse`;
  const { type = '', queuing } = limited.limitResponse ?? { type: '' };
  switch (type) {
    case 'Reject':
      if (queuing !== undefined)
        errors.push(
          fieldError.forbidden(`${where}.queuing`, 'must be nil if limited.limitResponse.type is not Limited'),
        );
      break;
    case 'Queue':
      if (queuing === undefined)
        errors.push(
          fieldError.required(`${where}.queuing`, 'must not be empty if limited.limitResponse.type is Limited'),
        );
      else validateQueuing(queuing, `${where}.queuing`, errors);
      break;
    case '':
      errors.push(fieldError.required(`${where}.type`));
      break;
    default:
      errors.push(fieldError.notSupported(`${where}.type`, type, ['Queue', 'Reject']));
  }
  if (lent < 0 || lent > 100)
    errors.push(fieldError.invalid(`${path}.lendablePercent`, lent, inclusiveRangeError(0, 100)));
  if (borrowed !== undefined && borrowed < 0)
    errors.push(
      fieldError.invalid(`${path}.borrowingLimitPercent`, borrowed, 'if specified, must be a non-negative integer'),
    );
}

function validateQueuing(queuing: QueuingConfiguration, path: string, errors: Errors): void {
  const { queues = 0, handSize = 0, queueLengthLimit = 0 } = queuing;
  if (queueLengthLimit <= 0)
    errors.push(fieldError.invalid(`${path}.queueLengthLimit`, queueLengthLimit, 'must be positive'));
  if (queues <= 0) errors.push(fieldError.invalid(`${path}.queues`, queues, 'must be positive'));
  else if (queues > QUEUES_MAX)
    errors.push(fieldError.invalid(`${path}.queues`, queues, `must not be greater than ${QUEUES_MAX}`));
  const where = `${path}.handSize`;
  if (handSize <= 0) errors.push(fieldError.invalid(where, handSize, 'must be positive'));
  else if (handSize > queues)
    errors.push(fieldError.invalid(where, handSize, `should not be greater than queues (${queues})`));
  else if (Math.ceil(Math.log2(queues) * handSize) > ENTROPY_BITS_MAX)
    errors.push(
      fieldError.invalid(
        where,
        handSize,
        `required entropy bits of deckSize ${queues} and handSize ${handSize} should not be greater than ${ENTROPY_BITS_MAX}`,
      ),
    );
}
