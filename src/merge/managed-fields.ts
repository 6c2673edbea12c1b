// Who set which field: metadata.managedFields, kept for every write that is not an apply, as upstream's field manager does.
// Upstream runs this on the requester's object after decoding and defaulting, BEFORE mutating admission and the strategy.
import type { KubeObject } from '#machinery/object.ts';
import type { ObjectMeta } from '#generated/api/meta-v1.ts';
import type { Schema } from '#schema/types.ts';
import { compareObjects, zeroObject } from './compare.ts';
import { createdFields } from './created-fields.ts';
import { decodeFieldSet, EMPTY, encodeFieldSet, type FieldSet, type FieldsV1 } from './field-set.ts';
import { jsonEqual } from './json.ts';

type Entry = NonNullable<ObjectMeta['managedFields']>[number];

/** Upstream's bound on Update managers; the oldest beyond it are put together under this name. */
const MAX_UPDATE_MANAGERS = 10;
const ANCIENT = 'ancient-changes';

/** Owned by nobody. */
export const UNOWNED: readonly (readonly string[])[] = [
  ['f:apiVersion'],
  ['f:kind'],
  ['f:metadata', 'f:name'],
  ['f:metadata', 'f:namespace'],
  ['f:metadata', 'f:creationTimestamp'],
  ['f:metadata', 'f:selfLink'],
  ['f:metadata', 'f:uid'],
  ['f:metadata', 'f:clusterName'],
  ['f:metadata', 'f:generation'],
  ['f:metadata', 'f:managedFields'],
  ['f:metadata', 'f:resourceVersion'],
];

export interface Manager {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource: string;
}

export interface ManagedSet extends Manager {
  /** RFC 3339; undefined in entries that carry none. */
  readonly time: string | undefined;
  readonly set: FieldSet;
}

export interface UpdateArgs {
  readonly object: KubeObject;
  /** Undefined: a creation. */
  readonly old: KubeObject | undefined;
  readonly schema: Schema;
  readonly apiVersion: string;
  readonly manager: string;
  /** '' for the resource itself. */
  readonly subresource: string;
  readonly now: string;
}

/** The object with managedFields brought up to date; the same object when there is nothing to say. */
export function updateManagedFields(args: UpdateArgs): KubeObject {
  const { object, old, schema, apiVersion, manager, subresource, now } = args;
  const self: Manager = { manager, operation: 'Update', apiVersion, subresource };
  if (old === undefined && object.metadata.managedFields === undefined) {
    const fieldsV1 = createdFields(object, schema, subresource);
    return withEntries(object, fieldsV1 === undefined ? [] : [entryOf(self, now, fieldsV1)]);
  }
  const known = currentManagers(object, old, subresource);
  // What nobody tracks (managedFields were cleared on purpose) stays untracked.
  if (old !== undefined && known.length === 0) return withManagers(object, []);

  const { added, removed, modified } = compareObjects(old ?? zeroObject(schema), object, schema);
  const taken = owned(added.union(modified), schema, subresource);
  // What the endpoint resets did not go away.
  const gone = withoutReset(removed, schema, subresource);
  const managers: ManagedSet[] = [];
  let found = false;
  for (const entry of known) {
    const mine = isSame(entry, self);
    found ||= mine;
    const left = entry.set.difference(gone);
    const set = mine ? left.union(taken) : left.difference(taken);
    if (set.empty) continue;
    const time = mine && !taken.empty ? now : entry.time;
    managers.push(set === entry.set && time === entry.time ? entry : { ...entry, set, time });
  }
  if (!found && !taken.empty) managers.push({ ...self, set: taken, time: now });
  return withManagers(object, capped(managers));
}

/** The API server's seam (`FieldManager` of apiserver/codec.ts). */
export const fieldManager: { update(args: UpdateArgs): KubeObject } = { update: updateManagedFields };

/** The managers of an object. Entries that cannot be read are left out. `stored`: those that stand in the store; their
 *  FieldsV1 are in upstream's order and are written again as they are. */
export function decodeManagers(
  object: KubeObject | undefined,
  stored: ObjectMeta['managedFields'] = object?.metadata.managedFields,
): ManagedSet[] {
  return (object?.metadata.managedFields ?? []).flatMap((entry: Entry) => {
    if (entry.fieldsV1 === undefined || (entry.operation !== 'Apply' && entry.operation !== 'Update')) return [];
    try {
      const { manager = '', operation, apiVersion = '', subresource = '', time } = entry;
      const set = decodeFieldSet(entry.fieldsV1);
      if (stored?.some((e) => e.fieldsV1 === entry.fieldsV1)) set.encoded ??= entry.fieldsV1 as FieldsV1;
      return [{ manager, operation, apiVersion, subresource, time: time as string | undefined, set }];
    } catch {
      return [];
    }
  });
}

/** The object with these managers, in upstream's order. */
export function withManagers(object: KubeObject, managers: readonly ManagedSet[]): KubeObject {
  return withEntries(
    object,
    [...managers].sort(compareManagers).map((m) => entryOf(m, m.time, encodeFieldSet(m.set))),
  );
}

function withEntries(object: KubeObject, entries: readonly Entry[]): KubeObject {
  const { managedFields, ...metadata } = object.metadata;
  if (entries.length === 0) return managedFields === undefined ? object : { ...object, metadata };
  return { ...object, metadata: { ...metadata, managedFields: entries } as ObjectMeta };
}

/** The same entries but for their times. */
export function sameButTimes(a: ObjectMeta['managedFields'], b: ObjectMeta['managedFields']): boolean {
  const timeless = (entries: ObjectMeta['managedFields']) => (entries ?? []).map(({ time: _, ...rest }) => rest);
  return jsonEqual(timeless(a), timeless(b));
}

export function isSame(a: Manager, b: Manager): boolean {
  return (
    a.manager === b.manager &&
    a.operation === b.operation &&
    a.apiVersion === b.apiVersion &&
    a.subresource === b.subresource
  );
}

/** Without what nobody owns, and without what the endpoint resets. */
export function owned(set: FieldSet, schema: Schema, subresource: string): FieldSet {
  let out = set;
  for (const path of UNOWNED) out = out.without(path);
  out = withoutReset(out, schema, subresource);
  // The path of metadata itself is nobody's; what is below it is.
  return out.members.has('f:metadata') ? out.difference(METADATA) : out;
}

/** Endpoints reset status on the resource, and everything else's spec on /status. */
export function withoutReset(set: FieldSet, schema: Schema, subresource: string): FieldSet {
  if (subresource === 'status') return set.without(SPEC);
  const hasStatus = schema.type === 'object' && schema.byName.has('status');
  return hasStatus && subresource === '' ? set.without(STATUS) : set;
}

const SPEC = ['f:spec'];
const STATUS = ['f:status'];
const METADATA: FieldSet = decodeFieldSet({ 'f:metadata': {} });

function currentManagers(object: KubeObject, old: KubeObject | undefined, subresource: string): ManagedSet[] {
  const given = object.metadata.managedFields;
  if (old === undefined) return decodeManagers(object, []);
  // A subresource cannot change who owns what.
  if (subresource !== '' || given === undefined || given === old.metadata.managedFields) return decodeManagers(old);
  // `managedFields: [{}]` clears them.
  if (given?.length === 1 && Object.keys(given[0]!).length === 0) return [];
  const managers = decodeManagers(object, old.metadata.managedFields);
  return managers.length > 0 ? managers : decodeManagers(old);
}

/** Merges the oldest Update managers when there are too many. */
function capped(managers: ManagedSet[]): ManagedSet[] {
  const updaters = managers.filter((m) => m.operation === 'Update').sort(compareManagers);
  const tooMany = updaters.length - MAX_UPDATE_MANAGERS;
  if (tooMany <= 0) return managers;
  const merged = updaters.slice(0, tooMany + 1);
  const kept = managers.filter((m) => !merged.includes(m));
  // One bucket a version: paths of different versions are not the same.
  const buckets = new Map<string, ManagedSet>();
  for (const m of merged) {
    const bucket = buckets.get(m.apiVersion);
    const set = (bucket?.set ?? EMPTY).union(m.set);
    buckets.set(m.apiVersion, {
      manager: ANCIENT,
      operation: 'Update',
      apiVersion: m.apiVersion,
      subresource: '',
      time: m.time,
      set,
    });
  }
  return [...kept, ...buckets.values()];
}

function compareManagers(a: ManagedSet, b: ManagedSet): number {
  return (
    compareText(a.operation, b.operation) ||
    compareText(a.time ?? '', b.time ?? '') ||
    compareText(a.manager, b.manager) ||
    compareText(a.apiVersion, b.apiVersion) ||
    compareText(a.subresource, b.subresource)
  );
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function entryOf(m: Manager, time: string | undefined, fieldsV1: FieldsV1): Entry {
  const { manager, operation, apiVersion, subresource } = m;
  return {
    manager,
    operation,
    apiVersion,
    ...(time === undefined ? {} : { time }),
    fieldsType: 'FieldsV1',
    fieldsV1,
    ...(subresource === '' ? {} : { subresource }),
  } as Entry;
}
