// Ingress.
import type { HTTPIngressPath, Ingress, IngressBackend } from '#generated/api/networking-v1.ts';
import {
  isDns1035Label,
  isDns1123Subdomain,
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

export const ingress: ResourceDefinition<Ingress> = defineKind<Ingress>({
  group: 'networking.k8s.io',
  resource: 'ingresses',
  shortNames: ['ing'],
  storagePrefix: 'ingress',
  table: {
    columns: [NAME, column('Class'), column('Hosts'), column('Address'), column('Ports'), AGE],
    cells: (i, nowMs) => [
      nameOf(i),
      i.spec?.ingressClassName ?? i.metadata.annotations?.['kubernetes.io/ingress.class'] ?? '<none>',
      hostsText(i),
      (i.status?.loadBalancer?.ingress ?? [])
        .map((a) => a.ip || a.hostname || '')
        .filter((a) => a !== '')
        .join(','),
      (i.spec?.tls ?? []).length > 0 ? '80, 443' : '80',
      ageOf(i, nowMs),
    ],
  },
  strategy: { ...statusStrategy, validateCreate: validate, validateUpdate: validate },
});

function hostsText(i: Ingress): string {
  const hosts = [...new Set((i.spec?.rules ?? []).map((r) => r.host ?? '').filter((h) => h !== ''))];
  if (hosts.length === 0) return '*';
  return hosts.length > 3 ? `${hosts.slice(0, 3).join(',')} + ${hosts.length - 3} more...` : hosts.join(',');
}

function validate(i: Ingress): readonly FieldError[] {
  const errors: Errors = [];
  const spec = i.spec;
  if ((spec?.rules ?? []).length === 0 && spec?.defaultBackend === undefined)
    errors.push(fieldError.invalid('spec', spec?.rules ?? [], 'either `defaultBackend` or `rules` must be specified'));
  if (spec?.defaultBackend !== undefined) validateBackend(spec.defaultBackend, 'spec.defaultBackend', errors);
  for (const [index, rule] of (spec?.rules ?? []).entries()) {
    const where = at('spec.rules', index);
    const host = rule.host ?? '';
    if (host.includes('*')) messages(isWildcardDns1123Subdomain(host), `${where}.host`, host, errors);
    else if (host !== '') messages(isDns1123Subdomain(host), `${where}.host`, host, errors);
    if (rule.http === undefined) continue;
    if ((rule.http.paths ?? []).length === 0) errors.push(fieldError.required(`${where}.http.paths`));
    for (const [p, path] of (rule.http.paths ?? []).entries()) validatePath(path, at(`${where}.http.paths`, p), errors);
  }
  return errors;
}

function validatePath(path: HTTPIngressPath, where: string, errors: Errors): void {
  const text = path.path ?? '';
  if ((path.pathType ?? '') === '') errors.push(fieldError.required(`${where}.pathType`, 'pathType must be specified'));
  else if (!PATH_TYPES.includes(path.pathType))
    errors.push(fieldError.notSupported(`${where}.pathType`, path.pathType, PATH_TYPES));
  else if (path.pathType !== 'ImplementationSpecific') {
    if (!text.startsWith('/')) errors.push(fieldError.invalid(`${where}.path`, text, 'must be an absolute path'));
    for (const bad of ['//', '/./', '/../', '%2f', '%2F']) {
      if (text.includes(bad)) errors.push(fieldError.invalid(`${where}.path`, text, `must not contain '${bad}'`));
    }
  } else if (text !== '' && !text.startsWith('/'))
    errors.push(fieldError.invalid(`${where}.path`, text, 'must be an absolute path'));
  validateBackend(path.backend, `${where}.backend`, errors);
}

function validateBackend(backend: IngressBackend, path: string, errors: Errors): void {
  if (backend.service !== undefined && backend.resource !== undefined)
    errors.push(fieldError.invalid(path, '', 'cannot set both resource and service backends'));
  else if (backend.service === undefined && backend.resource === undefined)
    errors.push(fieldError.required(path, 'resource or service backend is required'));
  if (backend.service === undefined) return;
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
