// Rules that both kinds of webhook configurations share.
import type {
  MutatingWebhook,
  ServiceReference,
  ValidatingWebhook,
  WebhookClientConfig,
} from '#generated/api/admissionregistration-v1.ts';
import { isDns1035Label, isDns1123Subdomain, isValidPortNum } from '#machinery/names.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import { type Errors, at, isUnset, messages } from '../rules.ts';
import { validateLabelSelector } from '../selectors.ts';
import { validateMatchConditions, validateMatchPolicy, validateRule } from './match-rules.ts';

const FAILURE_POLICIES = ['Fail', 'Ignore'];
const SIDE_EFFECTS = ['None', 'NoneOnDryRun'];
const REINVOCATION_POLICIES = ['IfNeeded', 'Never'];
const REVIEW_VERSIONS = ['v1', 'v1beta1'];
const TIMEOUT_MAX_SECONDS = 30;
const NAME_SEGMENTS_MIN = 3;

export function validateWebhooks(configuration: {
  readonly webhooks?: readonly (ValidatingWebhook | MutatingWebhook)[];
}): readonly FieldError[] {
  const errors: Errors = [];
  const names = new Set<string>();
  for (const [index, webhook] of (configuration.webhooks ?? []).entries()) {
    const path = at('webhooks', index);
    validateWebhook(webhook, path, errors);
    validateReviewVersions(webhook.admissionReviewVersions ?? [], `${path}.admissionReviewVersions`, errors);
    const name = webhook.name ?? '';
    if (name !== '' && names.has(name)) errors.push(fieldError.duplicate(`${path}.name`, name));
    names.add(name);
  }
  return errors;
}

function validateWebhook(webhook: ValidatingWebhook | MutatingWebhook, path: string, errors: Errors): void {
  validateFullName(webhook.name ?? '', `${path}.name`, errors);
  for (const [index, rule] of (webhook.rules ?? []).entries()) validateRule(rule, at(`${path}.rules`, index), errors);
  const oneOf = (field: string, value: string | undefined, allowed: readonly string[]): void => {
    if (value !== undefined && !allowed.includes(value))
      errors.push(fieldError.notSupported(`${path}.${field}`, value, allowed));
  };
  oneOf('failurePolicy', webhook.failurePolicy, FAILURE_POLICIES);
  validateMatchPolicy(webhook.matchPolicy, `${path}.matchPolicy`, errors);
  if (isUnset(webhook.sideEffects))
    errors.push(fieldError.required(`${path}.sideEffects`, `must specify one of ${SIDE_EFFECTS.join(', ')}`));
  else oneOf('sideEffects', webhook.sideEffects, SIDE_EFFECTS);
  const timeout = webhook.timeoutSeconds;
  if (timeout !== undefined && (timeout < 1 || timeout > TIMEOUT_MAX_SECONDS))
    errors.push(
      fieldError.invalid(`${path}.timeoutSeconds`, timeout, 'the timeout value must be between 1 and 30 seconds'),
    );
  validateLabelSelector(webhook.namespaceSelector, `${path}.namespaceSelector`, errors);
  validateLabelSelector(webhook.objectSelector, `${path}.objectSelector`, errors);
  if ('reinvocationPolicy' in webhook) oneOf('reinvocationPolicy', webhook.reinvocationPolicy, REINVOCATION_POLICIES);
  validateClient(webhook.clientConfig, `${path}.clientConfig`, errors);
  validateMatchConditions(webhook.matchConditions, `${path}.matchConditions`, errors);
}

function validateFullName(name: string, path: string, errors: Errors): void {
  if (name === '') {
    errors.push(fieldError.required(path));
    return;
  }
  const before = errors.length;
  messages(isDns1123Subdomain(name), path, name, errors);
  if (errors.length === before && name.split('.').length < NAME_SEGMENTS_MIN)
    errors.push(fieldError.invalid(path, name, 'should be a domain with at least three segments separated by dots'));
}

function validateReviewVersions(versions: readonly string[], path: string, errors: Errors): void {
  if (versions.length === 0) {
    errors.push(fieldError.required(path, `must specify one of ${REVIEW_VERSIONS.join(', ')}`));
    return;
  }
  const seen = new Set<string>();
  for (const [index, version] of versions.entries()) {
    const where = at(path, index);
    if (seen.has(version)) errors.push(fieldError.invalid(where, version, 'duplicate version'));
    else messages(isDns1035Label(version), where, version, errors);
    seen.add(version);
  }
  if (!REVIEW_VERSIONS.some((v) => seen.has(v)))
    errors.push(fieldError.invalid(path, versions, `must include at least one of ${REVIEW_VERSIONS.join(', ')}`));
}

export function validateClient(client: WebhookClientConfig | undefined, path: string, errors: Errors): void {
  if ((client?.url === undefined) === (client?.service === undefined))
    errors.push(fieldError.required(path, 'exactly one of url or service is required'));
  else if (client?.url !== undefined) validateUrl(client.url, `${path}.url`, errors);
  else if (client?.service !== undefined) validateService(client.service, `${path}.service`, errors);
}

const FORM = '; desired format: https://host[/path]';
const URL_PARTS = /^(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(?:\/\/(?:([^/?#@]*)@)?([^/?#]*))?[^?#]*(?:\?([^#]*))?(?:#(.*))?$/s;

function validateUrl(text: string, path: string, errors: Errors): void {
  const [, scheme = '', user = '', host = '', query = '', fragment = ''] = URL_PARTS.exec(text) ?? [];
  if (host.startsWith('[') && !host.includes(']')) {
    const why = `url must be a valid URL: parse ${JSON.stringify(text)}: missing ']' in host`;
    errors.push(fieldError.required(path, `${why}${FORM}`));
    return;
  }
  if (scheme.toLowerCase() !== 'https')
    errors.push(fieldError.invalid(path, scheme, `'https' is the only allowed URL scheme${FORM}`));
  if (host === '') errors.push(fieldError.invalid(path, host, `host must be specified${FORM}`));
  if (user !== '') errors.push(fieldError.invalid(path, user, 'user information is not permitted in the URL'));
  if (fragment !== '') errors.push(fieldError.invalid(path, fragment, 'fragments are not permitted in the URL'));
  if (query !== '') errors.push(fieldError.invalid(path, query, 'query parameters are not permitted in the URL'));
}

function validateService(service: ServiceReference, path: string, errors: Errors): void {
  // Upstream takes the one for the other.
  if (isUnset(service.namespace)) errors.push(fieldError.required(`${path}.name`));
  if (isUnset(service.name)) errors.push(fieldError.required(`${path}.namespace`));
  for (const message of isValidPortNum(service.port ?? 0))
    errors.push(fieldError.invalid(`${path}.port`, service.port ?? 0, `port is not valid: ${message}`));
  const url = service.path ?? '';
  if (url === '' || url === '/') return;
  const where = `${path}.path`;
  const invalid = (why: string): void => void errors.push(fieldError.invalid(where, url, why));
  if (url === '//') return invalid('segment[0] may not be empty');
  if (!url.startsWith('/')) invalid("must start with a '/'");
  const steps = url.slice(1).replace(/\/$/, '').split('/');
  for (const [index, step] of steps.entries()) {
    if (step === '') invalid(`segment[${index}] may not be empty`);
    else for (const message of isDns1123Subdomain(step)) invalid(`segment[${index}]: ${message}`);
  }
}
