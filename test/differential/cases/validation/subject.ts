// What the areas `validation` and `defaulting` are made of: a kind with a minimal object the original accepts, the shapes its
// optional parts take, and the rules of it that cross fields.
import { type ServedResource, servedResources } from '#generated/served.ts';
import type { DiffRequest } from '../../case.ts';

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = Readonly<Record<string, Json>>;

/** An object whose members may be `gone`. */
export type Change = { readonly [key: string]: unknown };

/** In a change: takes the member away. In a list: leaves the item as it is. */
export const gone = Symbol('gone');
export const same = Symbol('same');

export interface Update {
  /** On top of the minimal object, when it is created. */
  readonly from?: Change;
  /** On top of what was created. */
  readonly to: Change;
  readonly subresource?: string;
  /** A PATCH merges the whole object, and names no version. */
  readonly method?: 'PUT' | 'PATCH';
}

export interface Subject {
  readonly apiVersion: string;
  readonly kind: string;
  /** Valid, and as small as it can be. */
  readonly minimal: Change;
  /** Name → what is added to the minimal object; every member of it is then spoilt in turn. All are valid. */
  readonly shapes?: Readonly<Record<string, Change>>;
  /** Name → what is added to the minimal object; valid or not, taken as it is. */
  readonly crossed?: Readonly<Record<string, Change>>;
  readonly updates?: Readonly<Record<string, Update>>;
  /** Shapes whose members are changed one by one in an update; '' is the minimal object alone. */
  readonly changing?: readonly string[];
  /** What must stand first. */
  readonly setUp?: readonly DiffRequest[];
  /** Reviews are answered, not stored: no names, no updates. */
  readonly isReview?: boolean;
  /** Cases that are left out, since the original does not answer them the same way twice. */
  readonly unsteady?: readonly string[];
  /** False: the minimal object is asked for elsewhere. */
  readonly hasMinimal?: boolean;
  /** Names are not tried: the object's name follows from its content, or a case of that name would be another object. */
  readonly hasFixedName?: boolean;
}

export function servedOf(subject: Subject): ServedResource {
  const found = servedResources.find((r) => apiVersionOf(r) === subject.apiVersion && r.kind === subject.kind);
  if (found === undefined) throw new Error(`not served: ${subject.apiVersion} ${subject.kind}`);
  return found;
}

const apiVersionOf = (r: ServedResource): string => (r.group === '' ? r.version : `${r.group}/${r.version}`);

/** `apps.v1.Deployment`, `core.v1.Pod`: the middle of a case's id. */
export function titleOf(subject: Subject): string {
  const { group, version, kind } = servedOf(subject);
  return `${group === '' ? 'core' : group}.${version}.${kind}`;
}

export function collectionOf(subject: Subject): string {
  const { group, version, resource, namespaced } = servedOf(subject);
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  return namespaced ? `${root}/namespaces/{ns}/${resource}` : `${root}/${resource}`;
}

/** The minimal object with its head and a name. */
export function objectOf(subject: Subject, ...changes: readonly Change[]): JsonObject {
  const head: Change = { apiVersion: subject.apiVersion, kind: subject.kind };
  const named: Change =
    subject.isReview === true ? {} : { metadata: { name: servedOf(subject).namespaced ? 'x' : '{id}' } };
  return [named, subject.minimal, ...changes].reduce(changed, head) as JsonObject;
}

/** Objects are merged member by member, lists item by item; anything else replaces. */
export function changed(base: unknown, change: unknown): unknown {
  if (change === same) return base;
  if (Array.isArray(change)) {
    const old: readonly unknown[] = Array.isArray(base) ? base : [];
    if (change.length === 0) return [];
    const length = Math.max(old.length, change.length);
    return Array.from({ length }, (_, i) => (i < change.length ? changed(old[i], change[i]) : old[i])).filter(
      (item) => item !== gone,
    );
  }
  if (typeof change !== 'object' || change === null) return change;
  const out: Record<string, unknown> = isObject(base) ? { ...base } : {};
  for (const [key, value] of Object.entries(change)) {
    if (value === gone) delete out[key];
    else out[key] = changed(out[key], value);
  }
  return out;
}

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
