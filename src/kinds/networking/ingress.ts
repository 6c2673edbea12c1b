// Ingress. Rules and words are upstream's (pkg/apis/networking/validation).
import type { HTTPIngressPath, Ingress, IngressBackend, IngressTLS } from '#generated/api/networking-v1.ts';
import type { TypedLocalObjectReference } from '#generated/api/core-v1.ts';
import { parseIP } from '#base/ip.ts';
import {
  isDns1035Label,
  isDns1123Subdomain,
  isPathSegment,
  isValidIP,
  isValidPortName,
  isValidPortNum,
  isWildcardDns1123Subdomain,
} from '#machinery/names.ts';
import { type FieldError, fieldError } from '#machinery/status.ts';
import type { ResourceDefinition } from '#schema/resource.ts';
import { defineKind, statusStrategy } from '../define.ts';
import { type Errors, at, messages } from '../rules.ts';
import { AGE, NAME, ageOf, column, nameOf } from '../table.ts';

const PATH_TYPES = ['Exact', 'ImplementationSpecific', 'Prefix'];
const CLASS_ANNOTATION = 'kubernetes.io/ingress.class';
const BAD_SEQUENCES = ['//', '/./', '/../', '%2f', '%2F'];
const BAD_ENDINGS = ['/..', '/.'];
/** Hosts in the table before `+ N more...`. */
const HOSTS_SHOWN = 3;

export const ingress: ResourceDefinition<Ingress> = defineKind<Ingress>({
  group: 'networking.k8s.io',
  resource: 'ingresses',
  shortNames: ['ing'],
  storagePrefix: 'ingress',
  table: {
    columns: [NAME, column('Class'), column('Hosts'), column('Address'), column('Ports'), AGE],
    cells: (i, nowMs) => [
      nameOf(i),
      i.spec?.ingressClassName ?? '<none>',
      hostsText(i),
      addressText(i),
      (i.spec?.tls ?? []).length > 0 ? '80, 443' : '80',
      ageOf(i, nowMs),
    ],
  },
  strategy: {
    ...statusStrategy,
    validateCreate: (i) => [...validate(i), ...validateClasses(i)],
    validateUpdate: (i, old) => validate(i, old),
    validateStatusUpdate: validateStatus,
    warnings: (i, old) =>
      old === undefined &&
      i.metadata.annotations?.[CLASS_ANNOTATION] !== undefined &&
      i.spec?.ingressClassName === undefined
        ? [`annotation ${JSON.stringify(CLASS_ANNOTATION)} is deprecated, please use 'spec.ingressClassName' instead`]
        : [],
  },
});

function hostsText(i: Ingress): string {
  const rules = i.spec?.rules ?? [];
  const named = rules.flatMap((r, index) => ((r.host ?? '') === '' ? [] : [{ host: r.host!, index }]));
  const shown = named.slice(0, HOSTS_SHOWN);
  if (shown.length === 0) return '*';
  const text = shown.map((s) => s.host).join(',');
  const isMore = shown.length === HOSTS_SHOWN && rules.length - 1 > shown.at(-1)!.index;
  return isMore ? `${text} + ${rules.length - HOSTS_SHOWN} more...` : text;
}

function addressText(i: Ingress): string {
  const all = (i.status?.loadBalancer?.ingress ?? []).map((a) => a.ip || a.hostname || '').filter((a) => a !== '');
  return [...new Set(all)].sort().join(',');
}

function validateClasses(i: Ingress): readonly FieldError[] {
  const annotation = i.metadata.annotations?.[CLASS_ANNOTATION];
  const field = i.spec?.ingressClassName;
  return annotation === undefined || field === undefined || annotation === field
    ? []
    : [
        fieldError.invalid(
          `annotations.${CLASS_ANNOTATION}`,
          annotation,
          'must match `ingressClassName` when both are specified',
        ),
      ];
}

/** What an old object already has wrong may stay: `old` is undefined at creation. */
function validate(i: Ingress, old?: Ingress): readonly FieldError[] {
  const errors: Errors = [];
  const spec = i.spec;
  if ((spec?.rules ?? []).length === 0 && spec?.defaultBackend === undefined)
    errors.push(
      fieldError.invalid('spec', spec?.rules ?? null, 'either `defaultBackend` or `rules` must be specified'),
    );
  if (spec?.defaultBackend !== undefined) validateBackend(spec.defaultBackend, 'spec.defaultBackend', errors);
  const lenientWildcards = (old?.spec?.rules ?? []).some(
    (r) => (r.host ?? '').includes('*') && !isGoodRule(r.http?.paths),
  );
  for (const [index, rule] of (spec?.rules ?? []).entries()) {
    const where = at('spec.rules', index);
    const host = rule.host ?? '';
    if (host !== '' && parseIP(host) !== undefined)
      errors.push(fieldError.invalid(`${where}.host`, host, 'must be a DNS name, not an IP address'));
    validateHost(host, `${where}.host`, errors);
    if (rule.http === undefined || (host.includes('*') && lenientWildcards)) continue;
    if ((rule.http.paths ?? []).length === 0) errors.push(fieldError.required(`${where}.http.paths`));
    for (const [p, path] of (rule.http.paths ?? []).entries()) validatePath(path, at(`${where}.http.paths`, p), errors);
  }
  const lenientSecrets = (old?.spec?.tls ?? []).some((t) => secretNameMessages(t).length > 0);
  for (const [index, tls] of (spec?.tls ?? []).entries()) {
    const where = at('spec.tls', index);
    for (const [h, host] of (tls.hosts ?? []).entries()) validateHost(host, at(`${where}.hosts`, h), errors, true);
    if (!lenientSecrets) messages(secretNameMessages(tls), `${where}.secretName`, tls.secretName, errors);
  }
  if (spec?.ingressClassName !== undefined)
    messages(isDns1123Subdomain(spec.ingressClassName), 'spec.ingressClassName', spec.ingressClassName, errors);
  return errors;
}

function isGoodRule(paths: readonly HTTPIngressPath[] | undefined): boolean {
  const errors: Errors = [];
  for (const path of paths ?? []) validatePath(path, '', errors);
  return errors.length === 0 && (paths === undefined || paths.length > 0);
}

const secretNameMessages = (tls: IngressTLS): readonly string[] =>
  (tls.secretName ?? '') === '' ? [] : isDns1123Subdomain(tls.secretName!);

function validateHost(host: string, where: string, errors: Errors, required = false): void {
  if (host.includes('*')) messages(isWildcardDns1123Subdomain(host), where, host, errors);
  else if (host !== '' || required) messages(isDns1123Subdomain(host), where, host, errors);
}

function validateStatus(i: Ingress): readonly FieldError[] {
  const errors: Errors = [];
  for (const [index, { ip = '', hostname = '' }] of (i.status?.loadBalancer?.ingress ?? []).entries()) {
    const where = at('status.loadBalancer.ingress', index);
    if (ip !== '') messages(isValidIP(ip), `${where}.ip`, ip, errors);
    if (hostname === '') continue;
    messages(isDns1123Subdomain(hostname), `${where}.hostname`, hostname, errors);
    if (parseIP(hostname) !== undefined)
      errors.push(fieldError.invalid(`${where}.hostname`, hostname, 'must be a DNS name, not an IP address'));
  }
  return errors;
}

function validatePath(path: HTTPIngressPath, where: string, errors: Errors): void {
  const text = path.path ?? '';
  if ((path.pathType ?? '') === '') {
    errors.push(fieldError.required(`${where}.pathType`, 'pathType must be specified'));
    return;
  }
  const isAbsolute = text.startsWith('/');
  switch (path.pathType) {
    case 'Exact':
    case 'Prefix':
      if (!isAbsolute) errors.push(fieldError.invalid(`${where}.path`, text, 'must be an absolute path'));
      for (const bad of BAD_SEQUENCES)
        if (text.includes(bad)) errors.push(fieldError.invalid(`${where}.path`, text, `must not contain '${bad}'`));
      for (const bad of BAD_ENDINGS)
        if (text.endsWith(bad)) errors.push(fieldError.invalid(`${where}.path`, text, `cannot end with '${bad}'`));
      break;
    case 'ImplementationSpecific':
      if (text !== '' && !isAbsolute)
        errors.push(fieldError.invalid(`${where}.path`, text, 'must be an absolute path'));
      break;
    default:
      errors.push(fieldError.notSupported(`${where}.pathType`, path.pathType, PATH_TYPES));
  }
  validateBackend(path.backend, `${where}.backend`, errors);
}

function validateBackend(backend: IngressBackend | undefined, path: string, errors: Errors): void {
  if (backend?.service !== undefined && backend.resource !== undefined) {
    errors.push(fieldError.invalid(path, '', 'cannot set both resource and service backends'));
    return;
  }
  if (backend?.resource !== undefined) {
    validateReference(backend.resource, `${path}.resource`, errors);
    return;
  }
  if (backend?.service === undefined) {
    errors.push(fieldError.invalid(path, '', 'resource or service backend is required'));
    return;
  }
  const { name, port } = backend.service;
  if ((name ?? '') === '') errors.push(fieldError.required(`${path}.service.name`));
  else messages(isDns1035Label(name), `${path}.service.name`, name, errors);
  const byName = (port?.name ?? '') !== '';
  const byNumber = (port?.number ?? 0) !== 0;
  if (byName && byNumber) errors.push(fieldError.invalid(path, '', 'cannot set both port name & port number'));
  else if (byName) messages(isValidPortName(port!.name!), `${path}.service.port.name`, port!.name, errors);
  else if (byNumber) messages(isValidPortNum(port!.number!), `${path}.service.port.number`, port!.number, errors);
  else errors.push(fieldError.required(path, 'port name or number is required'));
}

function validateReference({ apiGroup, kind, name }: TypedLocalObjectReference, path: string, errors: Errors): void {
  if (apiGroup !== undefined) messages(isDns1123Subdomain(apiGroup), `${path}.apiGroup`, apiGroup, errors);
  for (const [field, value] of [
    ['kind', kind],
    ['name', name],
  ] as const) {
    if ((value ?? '') === '') errors.push(fieldError.required(`${path}.${field}`));
    else messages(isPathSegment(value), `${path}.${field}`, value, errors);
  }
}
