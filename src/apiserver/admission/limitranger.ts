// LimitRanger: a namespace's LimitRanges fill in the requests and limits that containers leave open, and refuse what is
// outside their bounds. Messages are upstream's.
import type { Container, LimitRange, LimitRangeItem, PersistentVolumeClaim, Pod } from '#generated/api/core-v1.ts';
import { compareQuantity, parseQuantity, quantityMilliValue } from '#machinery/quantity.ts';
import { amountsOf, podLimits, podRequests, type ResourceAmounts } from '#kinds/core/pod/requests.ts';
import type { KubeObject } from '#machinery/object.ts';
import type { AdmissionAttributes, AdmissionOperation, AdmissionPlugin } from '../pipeline.ts';
import { admissionForbidden } from './forbidden.ts';

export interface LimitRangerDeps {
  readonly limitRanges: { listNamespace(namespace: string): readonly LimitRange[] };
}

type Quantities = Readonly<Record<string, string>>;

const ANNOTATION = 'kubernetes.io/limit-ranger';

export class LimitRanger implements AdmissionPlugin {
  readonly name = 'LimitRanger';
  readonly #deps: LimitRangerDeps;

  constructor(deps: LimitRangerDeps) {
    this.#deps = deps;
  }

  handles(operation: AdmissionOperation, group: string, resource: string, subresource: string): boolean {
    // A resize is held to the same limits as a new pod.
    if (group === '' && resource === 'pods' && subresource === 'resize') return operation === 'UPDATE';
    if (group !== '' || subresource !== '') return false;
    if (resource === 'pods') return operation === 'CREATE';
    return resource === 'persistentvolumeclaims' && (operation === 'CREATE' || operation === 'UPDATE');
  }

  admit(a: AdmissionAttributes): KubeObject {
    let object = a.object!;
    if (a.resource !== 'pods') return object;
    for (const range of this.#deps.limitRanges.listNamespace(a.namespace)) object = withDefaults(object as Pod, range);
    return object;
  }

  validate(a: AdmissionAttributes): void {
    for (const range of this.#deps.limitRanges.listNamespace(a.namespace)) {
      const errors =
        a.resource === 'pods'
          ? podErrors(a.object as Pod, range)
          : claimErrors(a.object as PersistentVolumeClaim, range);
      if (errors.length === 1) throw admissionForbidden(a, errors[0]!);
      if (errors.length > 1) throw admissionForbidden(a, `[${errors.join(', ')}]`);
    }
  }
}

/** Requests and limits that containers leave open, from every item of type Container. */
export function withDefaults(pod: Pod, range: LimitRange): Pod {
  const items = (range.spec?.limits ?? []).filter((i) => i.type === 'Container');
  const limits = merged(items.map((i) => i.default));
  const requests = merged(items.map((i) => i.defaultRequest));
  if (Object.keys(limits).length + Object.keys(requests).length === 0) return pod;
  const notes: string[] = [];
  const fill =
    (kind: string) =>
    (container: Container): Container => {
      const openRequests = without(requests, container.resources?.requests);
      const openLimits = without(limits, container.resources?.limits);
      if (openRequests.length > 0)
        notes.push(
          `${openRequests
            .map(([k]) => k)
            .toSorted()
            .join(', ')} request for ${kind} ${container.name}`,
        );
      if (openLimits.length > 0)
        notes.push(
          `${openLimits
            .map(([k]) => k)
            .toSorted()
            .join(', ')} limit for ${kind} ${container.name}`,
        );
      if (openRequests.length + openLimits.length === 0) return container;
      const resources = { ...container.resources };
      return {
        ...container,
        resources: {
          ...resources,
          ...(openLimits.length === 0 ? {} : { limits: { ...resources.limits, ...Object.fromEntries(openLimits) } }),
          ...(openRequests.length === 0
            ? {}
            : { requests: { ...resources.requests, ...Object.fromEntries(openRequests) } }),
        },
      };
    };
  const spec = pod.spec!;
  const containers = spec.containers.map(fill('container'));
  const initContainers = spec.initContainers?.map(fill('init container'));
  if (notes.length === 0) return pod;
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      annotations: { ...pod.metadata.annotations, [ANNOTATION]: `LimitRanger plugin set: ${notes.join('; ')}` },
    },
    spec: { ...spec, containers, ...(initContainers === undefined ? {} : { initContainers }) },
  };
}

export function podErrors(pod: Pod, range: LimitRange): readonly string[] {
  const items = range.spec?.limits ?? [];
  const containers = [...pod.spec!.containers, ...(pod.spec!.initContainers ?? [])];
  return items.flatMap((item) => {
    if (item.type === 'Container')
      return containers.flatMap((c) =>
        itemErrors(item, 'Container', amountsOf(c.resources?.requests), amountsOf(c.resources?.limits)),
      );
    return item.type === 'Pod' ? itemErrors(item, 'Pod', podRequests(pod), podLimits(pod)) : [];
  });
}

export function claimErrors(claim: PersistentVolumeClaim, range: LimitRange): readonly string[] {
  const requests = claim.spec?.resources?.requests;
  return (range.spec?.limits ?? [])
    .filter((i) => i.type === 'PersistentVolumeClaim')
    .flatMap((item) => [
      ...Object.entries(item.min ?? {}).flatMap(([name, min]) =>
        bound('minimum', 'PersistentVolumeClaim', name, min, requests?.[name]),
      ),
      ...Object.entries(item.max ?? {}).flatMap(([name, max]) =>
        bound('maximum', 'PersistentVolumeClaim', name, max, requests?.[name]),
      ),
    ]);
}

/** Claims have requests alone; a claim that names none is below every minimum. */
function bound(
  word: 'minimum' | 'maximum',
  type: string,
  name: string,
  limit: string,
  request: string | undefined,
): string[] {
  if (request === undefined) return [`${word} ${name} usage per ${type} is ${limit}.  No request is specified`];
  const order = compareQuantity(parseQuantity(request), parseQuantity(limit));
  if (word === 'minimum' ? order >= 0 : order <= 0) return [];
  return [`${word} ${name} usage per ${type} is ${limit}, but request is ${request}`];
}

function itemErrors(item: LimitRangeItem, type: string, requests: ResourceAmounts, limits: ResourceAmounts): string[] {
  const errors: string[] = [];
  for (const [name, min] of entries(item.min)) {
    const floor = amount(name, min);
    const request = requests[name];
    const limit = limits[name];
    if (request === undefined) errors.push(`minimum ${name} usage per ${type} is ${min}.  No request is specified`);
    else if (request < floor)
      errors.push(`minimum ${name} usage per ${type} is ${min}, but request is ${text(name, request)}`);
    else if (limit !== undefined && limit < floor)
      errors.push(`minimum ${name} usage per ${type} is ${min}, but limit is ${text(name, limit)}`);
  }
  for (const [name, max] of entries(item.max)) {
    const ceiling = amount(name, max);
    const request = requests[name];
    const limit = limits[name];
    if (limit === undefined) errors.push(`maximum ${name} usage per ${type} is ${max}.  No limit is specified`);
    else if (limit > ceiling)
      errors.push(`maximum ${name} usage per ${type} is ${max}, but limit is ${text(name, limit)}`);
    else if (request !== undefined && request > ceiling)
      errors.push(`maximum ${name} usage per ${type} is ${max}, but request is ${text(name, request)}`);
  }
  for (const [name, ratio] of entries(item.maxLimitRequestRatio)) {
    const request = requests[name] ?? 0;
    const limit = limits[name] ?? 0;
    if (request === 0)
      errors.push(
        `${name} max limit to request ratio per ${type} is ${ratio}, but no request is specified or request is 0`,
      );
    else if (limit === 0)
      errors.push(
        `${name} max limit to request ratio per ${type} is ${ratio}, but no limit is specified or limit is 0`,
      );
    else if ((limit / request) * 1000 > Number(quantityMilliValue(parseQuantity(ratio)))) {
      errors.push(
        `${name} max limit to request ratio per ${type} is ${ratio}, but provided ratio is ${(limit / request).toFixed(6)}`,
      );
    }
  }
  return errors;
}

const entries = (list: Quantities | undefined): [string, string][] => Object.entries(list ?? {});

const amount = (name: string, quantity: string): number => amountsOf({ [name]: quantity })[name]!;

/** Amounts of cpu are thousandths. */
const text = (name: string, value: number): string =>
  name === 'cpu' && value % 1000 !== 0 ? `${value}m` : String(name === 'cpu' ? value / 1000 : value);

function merged(lists: readonly (Quantities | undefined)[]): Quantities {
  return Object.assign({}, ...lists.map((l) => l ?? {})) as Quantities;
}

const without = (defaults: Quantities, set: Quantities | undefined): [string, string][] =>
  Object.entries(defaults).filter(([name]) => set?.[name] === undefined);
