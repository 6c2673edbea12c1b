// Server-side apply, as structured-merge-diff's Updater and upstream's field manager do it: a configuration is merged into the
// object, what its manager gave up and nobody else owns goes away, and what others own and it would change is a conflict.
import type { KubeObject } from '#machinery/object.ts';
import { StatusError } from '#machinery/status.ts';
import type { Schema } from '#schema/types.ts';
import { ApplyConflicts, managerKey, type ApplyConflict } from './apply-conflict.ts';
import { typeErrors } from './check-typed.ts';
import { compareObjects, type Comparison } from './compare.ts';
import { EMPTY } from './field-set.ts';
import { pathsOf, withNamedFields } from './field-paths.ts';
import { jsonEqual, type JsonObject } from './json.ts';
import { refreshedLastApplied, unchangedSinceLastApplied } from './last-applied.ts';
import {
  decodeManagers,
  owned,
  updateManagedFields,
  withManagers,
  withoutReset,
  type ManagedSet,
  type Manager,
} from './managed-fields.ts';
import { mergeConfiguration, removeItems } from './structured-merge.ts';

/** The other versions of a resource. Undefined: the version does not exist (any more). */
export interface Versions {
  schema(apiVersion: string): Schema | undefined;
  convert(object: unknown, from: string, to: string): unknown;
}

export interface ApplyArgs {
  /** In the version of the request; undefined: a creation. */
  readonly live: KubeObject | undefined;
  /** What the client sent, of the right kind, otherwise unchecked. */
  readonly configuration: JsonObject;
  readonly schema: Schema;
  readonly apiVersion: string;
  readonly kind: string;
  readonly manager: string;
  /** '' for the resource itself. */
  readonly subresource: string;
  readonly force: boolean;
  readonly now: string;
  readonly versions: Versions;
}

/** kubectl's own manager: only for it client-side apply's annotation counts. */
const KUBECTL = 'kubectl';
/** Owns what was there before anything was tracked. */
const BEFORE_FIRST_APPLY = 'before-first-apply';

/** The merged object, neither defaulted nor in normal form, with managedFields. Throws ApplyConflicts and StatusError. */
export function applyConfiguration(args: ApplyArgs): KubeObject {
  const { configuration, schema } = args;
  // A Scale has no annotations.
  const byKubectl = args.manager === KUBECTL && args.subresource !== 'scale';
  checkConfiguration(args);
  const live = trackedLive(args);
  let applied: KubeObject;
  try {
    applied = applyTo(live, args, args.force);
  } catch (error) {
    if (!(error instanceof ApplyConflicts) || !byKubectl) throw error;
    // What client-side apply set and nobody changed since is kubectl's own already.
    const mine = unchangedSinceLastApplied(live, schema, args.apiVersion);
    if (mine === undefined) throw error;
    const others = error.conflicts.filter(({ path }) => !mine.has(path));
    if (others.length > 0) throw new ApplyConflicts(others);
    applied = applyTo(live, args, true);
  }
  return byKubectl ? refreshedLastApplied(applied, configuration) : applied;
}

function checkConfiguration({ configuration, schema, apiVersion, kind }: ApplyArgs): void {
  const metadata = configuration['metadata'] as JsonObject | undefined;
  if (Array.isArray(metadata?.['managedFields'])) throw StatusError.badRequest('metadata.managedFields must be nil');
  checkTypes(configuration, schema, apiVersion, kind);
}

/** Throws what upstream answers to a configuration that does not fit its schema. */
export function checkTypes(configuration: JsonObject, schema: Schema, apiVersion: string, kind: string): void {
  const errors = typeErrors(configuration, schema);
  if (errors === undefined) return;
  const { namespace = '', name = '' } = (configuration['metadata'] ?? {}) as { namespace?: string; name?: string };
  const gvk = `${apiVersion.includes('/') ? '' : '/'}${apiVersion}, Kind=${kind}`;
  throw new StatusError(500, '', `failed to create typed patch object (${namespace}/${name}; ${gvk}): ${errors}`);
}

/** The object with somebody who owns what stands there. */
function trackedLive({ live, schema, apiVersion, kind, subresource, now }: ApplyArgs): KubeObject {
  if (live === undefined) return { kind, apiVersion, metadata: {} } as KubeObject;
  if (decodeManagers(live).length > 0) return live;
  const { managedFields: _managedFields, ...metadata } = live.metadata;
  const object = { ...live, metadata } as KubeObject;
  return updateManagedFields({
    object,
    old: undefined,
    schema,
    apiVersion,
    manager: BEFORE_FIRST_APPLY,
    subresource,
    now,
  });
}

function applyTo(live: KubeObject, args: ApplyArgs, force: boolean): KubeObject {
  const { configuration, schema, apiVersion, subresource, now } = args;
  const self: Manager = { manager: args.manager, operation: 'Apply', apiVersion, subresource };
  const key = managerKey(self);
  const managers = new Map(
    decodeManagers(live)
      .filter((m) => args.versions.schema(m.apiVersion) !== undefined || managerKey(m) === key)
      .map((m) => [managerKey(m), m]),
  );
  const last = managers.get(key);
  const set = withoutReset(pathsOf(configuration, schema), schema, subresource);
  managers.set(key, { ...self, time: last?.time, set });

  const merged = mergeConfiguration(live, configuration, schema);
  // The usual case: nothing was given up.
  const sameFields = last?.apiVersion === apiVersion && last.set.difference(set).empty;
  const pruned = sameFields ? merged : prune(merged, last, managers, args);
  settle(managers, key, live, pruned, args, force);

  const mine = owned(managers.get(key)?.set ?? EMPTY, schema, subresource);
  const changed = args.live === undefined || !jsonEqual(live, pruned);
  if (mine.empty) managers.delete(key);
  else managers.set(key, { ...self, set: mine, time: changed ? now : last?.time });
  return withManagers(pruned as KubeObject, [...managers.values()]);
}

/** Takes away what the manager applied last time, does not apply now, and nobody else owns. */
function prune(
  merged: unknown,
  last: ManagedSet | undefined,
  managers: ReadonlyMap<string, ManagedSet>,
  { apiVersion, versions }: ApplyArgs,
): unknown {
  if (last === undefined || last.set.empty) return merged;
  const schema = versions.schema(last.apiVersion);
  if (schema === undefined) return merged;
  const before = versions.convert(merged, apiVersion, last.apiVersion);
  let pruned = removeItems(before, withNamedFields(last.set, schema), schema);
  let whole = before;
  // What anybody owns comes back; the pruned version first, since conversions may need its fields.
  let at = last.apiVersion;
  for (const version of ownedVersions(managers, last.apiVersion)) {
    const type = versions.schema(version);
    if (type === undefined) continue;
    whole = versions.convert(whole, at, version);
    pruned = versions.convert(pruned, at, version);
    at = version;
    let claimed = EMPTY;
    for (const m of managers.values()) if (m.apiVersion === version) claimed = claimed.union(m.set);
    const all = withNamedFields(pathsOf(whole, type), type);
    const kept = withNamedFields(pathsOf(pruned, type), type).union(withNamedFields(claimed, type));
    pruned = removeItems(whole, all.difference(kept), type);
  }
  // Only what the manager itself owned may go: what is nobody's stays.
  pruned = versions.convert(pruned, at, last.apiVersion);
  const kept = withNamedFields(pathsOf(pruned, schema), schema);
  const all = withNamedFields(pathsOf(before, schema), schema);
  const gone = all.difference(kept).intersection(withNamedFields(last.set, schema));
  return versions.convert(removeItems(before, gone, schema), last.apiVersion, apiVersion);
}

function ownedVersions(managers: ReadonlyMap<string, ManagedSet>, first: string): ReadonlySet<string> {
  const all = new Set([...managers.values()].map((m) => m.apiVersion));
  return all.has(first) ? new Set([first, ...all]) : all;
}

/** Takes what changed from the others, or throws when that is not allowed; drops who owns nothing any more. */
function settle(
  managers: Map<string, ManagedSet>,
  own: string,
  before: unknown,
  after: unknown,
  { schema, apiVersion, subresource, versions }: ApplyArgs,
  force: boolean,
): void {
  const comparisons = new Map<string, Comparison>();
  const compare = (version: string): Comparison =>
    comparisons.getOrInsertComputed(version, () => {
      const same = version === apiVersion;
      const { added, removed, modified } = same
        ? compareObjects(before, after, schema)
        : compareObjects(
            versions.convert(before, apiVersion, version),
            versions.convert(after, apiVersion, version),
            versions.schema(version)!,
          );
      const rest = (set: typeof added) => withoutReset(set, schema, subresource);
      return { added: rest(added), removed: rest(removed), modified: rest(modified) };
    });
  const conflicts: ApplyConflict[] = [];
  const settled: [string, ManagedSet][] = [];
  for (const [key, m] of [...managers].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))) {
    if (key === own) continue;
    const { added, removed, modified } = compare(m.apiVersion);
    const taken = m.set.intersection(modified.union(added));
    for (const path of taken.paths()) conflicts.push({ manager: m, path });
    settled.push([key, { ...m, set: m.set.difference(taken).difference(removed) }]);
  }
  if (conflicts.length > 0 && !force) throw new ApplyConflicts(conflicts);
  for (const [key, m] of settled) {
    if (m.set.empty) managers.delete(key);
    else managers.set(key, m);
  }
}
