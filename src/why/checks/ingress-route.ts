// Where an Ingress leads a request: for Coracle's own class by the model from which its proxies are configured, for others by the
// API's words (the longest path of the host).
import type { Ingress, IngressBackend } from '#generated/api/networking-v1.ts';
import { makeKey, type ObjectKey } from '#machinery/object.ts';
import { buildIngressModel, explainRequest, type IngressProblem, isOurs } from '#netmodel/ingress.ts';
import type { Facts } from '../facts.ts';
import type { Located } from '../locate.ts';
import { serviceOf, slicesOf } from '../meaning.ts';
import { nameOf, namespaceOf, pathOf } from '../pods.ts';

export interface Route {
  readonly ingress: Ingress;
  /** `spec.rules[0].http.paths[1].backend`, `spec.defaultBackend` */
  readonly field: string;
  readonly backend: IngressBackend;
}

/** The path that is asked for, without its query. */
export const pathAsked = ({ target }: Facts): string =>
  (target.kind === 'address' ? (target.path ?? '/') : '/').replace(/\?.*$/, '');

export function routeOf(facts: Facts, host: string, path: string, first: Ingress): Route | undefined {
  return isOurs(first, facts.objects.ingressClasses)
    ? ownRoute(facts, host, path)
    : longestRoute(facts, host, path, first);
}

/** What Coracle's proxies answer, and what they complain of. */
function ownAnswer(facts: Facts, host: string, path: string) {
  const split = (key: ObjectKey) => key.split('/') as [string, string];
  const { ingresses, ingressClasses: classes } = facts.objects;
  const service = (key: ObjectKey) => serviceOf(facts, ...split(key));
  const model = buildIngressModel({
    ingresses,
    classes,
    service,
    slices: (key) => {
      const known = service(key);
      return known === undefined ? [] : slicesOf(facts, known);
    },
    certificate: () => ({ usable: true }),
  });
  return explainRequest(model, host, path);
}

function ownRoute(facts: Facts, host: string, path: string): Route | undefined {
  const { route } = ownAnswer(facts, host, path);
  const ingress = facts.objects.ingresses.find((i) => makeKey(namespaceOf(i), nameOf(i)) === route?.ingress);
  if (route === undefined || ingress === undefined) return undefined;
  const at = /^spec\.rules\[(\d+)\]\.http\.paths\[(\d+)\]$/.exec(route.field);
  if (at === null) {
    const backend = ingress.spec?.defaultBackend;
    return backend === undefined ? undefined : { ingress, field: 'spec.defaultBackend', backend };
  }
  const backend = ingress.spec?.rules?.[Number(at[1])]?.http?.paths[Number(at[2])]?.backend;
  return backend === undefined ? undefined : { ingress, field: `${route.field}.backend`, backend };
}

/** What Coracle's controller says about the Ingress for this request: an older one has the path, the Service is no server … */
export function ownProblems(facts: Facts, host: string, path: string, ingress: Ingress): readonly IngressProblem[] {
  if (!isOurs(ingress, facts.objects.ingressClasses)) return [];
  return ownAnswer(facts, host, path).problems.filter((p) => p.ingress === pathOf(ingress));
}

export const hostMatches = (rule: string | undefined, host: string): boolean =>
  rule === undefined ||
  rule === '' ||
  rule === host ||
  (rule.startsWith('*.') && host.endsWith(rule.slice(1)) && !host.slice(0, -rule.length + 1).includes('.'));

export function allBackends(object: Ingress): readonly Route[] {
  const rules = (object.spec?.rules ?? []).flatMap((r, i) =>
    (r.http?.paths ?? []).map((p, j) => ({
      ingress: object,
      field: `spec.rules[${i}].http.paths[${j}].backend`,
      backend: p.backend,
    })),
  );
  const fallback = object.spec?.defaultBackend;
  return fallback === undefined
    ? rules
    : [...rules, { ingress: object, field: 'spec.defaultBackend', backend: fallback }];
}

/** The longest path among all Ingresses that have the host. */
function longestRoute(facts: Facts, host: string, path: string, first: Ingress): Route | undefined {
  let best: (Route & { rank: number }) | undefined;
  const all = [
    first,
    ...facts.objects.ingresses.filter((i) => i !== first && i.spec?.rules?.some((r) => r.host === host)),
  ];
  for (const object of all)
    for (const [i, rule] of (object.spec?.rules ?? []).entries()) {
      if (!hostMatches(rule.host, host)) continue;
      for (const [j, p] of (rule.http?.paths ?? []).entries()) {
        const prefix = (p.path ?? '/').replace(/\/$/, '');
        const fits =
          p.pathType === 'Exact' ? path === p.path : path === prefix || path.startsWith(`${prefix}/`) || prefix === '';
        const rank = prefix.length * 2 + (p.pathType === 'Exact' ? 1 : 0) + (rule.host === host ? 1000 : 0);
        if (fits && (best === undefined || rank > best.rank))
          best = { ingress: object, field: `spec.rules[${i}].http.paths[${j}].backend`, backend: p.backend, rank };
      }
    }
  if (best !== undefined) return best;
  return first.spec?.defaultBackend === undefined
    ? undefined
    : { ingress: first, field: 'spec.defaultBackend', backend: first.spec.defaultBackend };
}

/** The Service that an Ingress leads to, for the links that follow. */
export function ingressService(
  facts: Facts,
  located: Located,
): { service: NonNullable<Located['service']>; port: number } | undefined {
  if (located.via !== 'ingress' || located.ingress === undefined) return undefined;
  const route = routeOf(facts, located.host, pathAsked(facts), located.ingress) ?? allBackends(located.ingress)[0];
  const wanted = route?.backend.service;
  const service =
    route === undefined || wanted === undefined ? undefined : serviceOf(facts, namespaceOf(route.ingress), wanted.name);
  const port = service?.spec?.ports?.find(
    (p) => p.port === wanted?.port?.number || (wanted?.port?.name !== undefined && p.name === wanted.port.name),
  );
  return service === undefined || port === undefined ? undefined : { service, port: port.port };
}
