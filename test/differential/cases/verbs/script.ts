// What a script of requests is written with: the object of the case and where it stands.
import type { DiffCase, DiffRequest } from '../../case.ts';
import type { Json, KindCase } from './kinds.ts';

export interface Script {
  /** The end of the case's id. */
  readonly what: string;
  /**
   * all: every kind. some: those that stand for the others, where the answer does not come from the kind. An object is made beforehand and read later
   * unless `isSingle`: kinds that the original touches by itself are asked those only.
   */
  readonly for: 'all' | 'some';
  readonly isSingle?: boolean;
  readonly needs?: (kind: KindCase) => boolean;
  requests(subject: Subject): readonly DiffRequest[];
}

/** Kinds that stand for the others: with and without namespace, spec, status, scale, and with all that is done to them on the way. */
const SOME = new Set([
  'configmaps',
  'deployments',
  'horizontalpodautoscalers',
  'jobs',
  'leases',
  'namespaces',
  'networkpolicies',
  'nodes',
  'persistentvolumeclaims',
  'pods',
  'secrets',
  'services',
  'statefulsets',
  'storageclasses',
  'clusterroles',
]);

export class Subject {
  readonly kind: KindCase;
  readonly name: string;
  /** Path of the object. */
  readonly one: string;
  /** Path of its collection. */
  readonly all: string;
  /** The collection with a selector that only the case's own objects match. */
  readonly mine: string;

  constructor(kind: KindCase, name: string) {
    this.kind = kind;
    this.name = name;
    this.all = kind.collection;
    this.one = `${kind.collection}/${name}`;
    this.mine = `${kind.collection}?labelSelector=case%3D{id}`;
  }

  object(metadata: Json = {}, more: Json = {}): Json {
    return {
      apiVersion: this.kind.apiVersion,
      kind: this.kind.served.kind,
      metadata: { name: this.name, labels: { case: '{id}' }, ...metadata },
      ...this.kind.content,
      ...more,
    };
  }

  /** POST of the object. */
  create(body: unknown = this.object(), query = ''): DiffRequest {
    return { method: 'POST', path: this.all + query, body };
  }

  /** The object made beforehand; its answer is that of another case. */
  made(metadata: Json = {}, more: Json = {}): DiffRequest {
    return { ...this.create(this.object(metadata, more)), isSetUp: true };
  }

  get(query = ''): DiffRequest {
    return { method: 'GET', path: this.one + query };
  }

  put(body: unknown, query = ''): DiffRequest {
    return { method: 'PUT', path: this.one + query, body };
  }

  patch(type: PatchType, body: unknown, query = ''): DiffRequest {
    const headers = { 'content-type': PATCHES[type] };
    return { method: 'PATCH', path: this.one + query, body, headers };
  }

  remove(body?: unknown, query = ''): DiffRequest {
    return { method: 'DELETE', path: this.one + query, ...(body === undefined ? {} : { body }) };
  }
}

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

const PATCHES: Readonly<Record<PatchType, string>> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

export function* casesOf(kinds: readonly KindCase[], scripts: readonly Script[]): Iterable<DiffCase> {
  for (const kind of kinds) {
    for (const script of scripts) {
      if (script.for === 'some' && !SOME.has(kind.served.resource)) continue;
      if (script.isSingle !== true && (kind.isTouched || !kind.isStored)) continue;
      if (script.needs?.(kind) === false) continue;
      const id = `verbs/${kind.label}/${script.what}`;
      yield { id, area: 'verbs', requests: script.requests(new Subject(kind, kind.nameIn(id))) };
    }
  }
}

export const isNamespaced = (kind: KindCase): boolean => kind.served.namespaced;
export const isStored = (kind: KindCase): boolean => kind.isStored;
export const has =
  (subresource: string) =>
  (kind: KindCase): boolean =>
    kind.served.subresources.includes(subresource);

/** What a merge patch makes of an object, as far as changes of the table need it. */
export function merged(object: Json, patch: Json): Json {
  const out: Json = { ...object };
  for (const [key, value] of Object.entries(patch)) {
    const before = out[key];
    out[key] = isMap(value) && isMap(before) ? merged(before, value) : value;
  }
  return out;
}

const isMap = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
