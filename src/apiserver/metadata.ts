// Rules of metadata that hold for every kind (apimachinery, api/validation/objectmeta): system fields, names, labels,
// annotations, owners, finalizers.
import type { ObjectMeta, OwnerReference } from '#machinery/object.ts';
import {
  isDns1035Label,
  isDns1123Label,
  isDns1123Subdomain,
  isLabelValue,
  isPathSegment,
  isQualifiedName,
  maskTrailingDash,
} from '#machinery/names.ts';
import { fieldError, type FieldError } from '#machinery/status.ts';
import type { NameRule } from '#schema/resource.ts';
import type { Served } from './served.ts';

/** Bytes of all annotations together; upstream's TotalAnnotationSizeLimitB. */
const ANNOTATIONS_MAX_BYTES = 256 * 1024;
/** Finalizers without a slash that are allowed; upstream's standard ones. */
const STANDARD_FINALIZERS: ReadonlySet<string> = new Set(['kubernetes', 'orphan', 'foregroundDeletion']);

/** Upstream's emission order. resourceVersion is left out: it is spliced in on the way out. */
export function orderedMetadata(m: ObjectMeta): ObjectMeta {
  const out: Record<string, unknown> = {};
  if (m.name !== undefined && m.name !== '') out.name = m.name;
  if (m.generateName !== undefined && m.generateName !== '') out.generateName = m.generateName;
  if (m.namespace !== undefined && m.namespace !== '') out.namespace = m.namespace;
  if (m.uid !== undefined && m.uid !== '') out.uid = m.uid;
  if (m.generation !== undefined && m.generation !== 0) out.generation = m.generation;
  if (m.creationTimestamp !== undefined && m.creationTimestamp !== null) out.creationTimestamp = m.creationTimestamp;
  if (m.deletionTimestamp !== undefined && m.deletionTimestamp !== null) out.deletionTimestamp = m.deletionTimestamp;
  if (m.deletionGracePeriodSeconds !== undefined && m.deletionGracePeriodSeconds !== null)
    out.deletionGracePeriodSeconds = m.deletionGracePeriodSeconds;
  if (m.labels !== undefined && !isEmpty(m.labels)) out.labels = sorted(m.labels);
  if (m.annotations !== undefined && !isEmpty(m.annotations)) out.annotations = sorted(m.annotations);
  if (m.ownerReferences !== undefined && m.ownerReferences.length > 0) out.ownerReferences = m.ownerReferences;
  if (m.finalizers !== undefined && m.finalizers.length > 0) out.finalizers = m.finalizers;
  if (m.managedFields !== undefined && m.managedFields.length > 0) out.managedFields = m.managedFields;
  return out as ObjectMeta;
}

function isEmpty(map: object): boolean {
  for (const _ in map) return false;
  return true;
}

function sorted(map: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const keys = Object.keys(map);
  let inOrder = true;
  for (let i = 1; i < keys.length; i++) if (keys[i - 1]! > keys[i]!) inOrder = false;
  return inOrder ? map : Object.fromEntries(keys.toSorted().map((k) => [k, map[k]!]));
}

export function nameErrors(rule: NameRule | undefined, name: string, isPrefix: boolean): readonly string[] {
  const checkedName = isPrefix ? maskTrailingDash(name) : name;
  switch (rule) {
    case 'any':
      return [];
    case 'path':
      return isPathSegment(checkedName);
    case 'label':
      return isDns1123Label(checkedName);
    case 'label1035':
      return isDns1035Label(checkedName);
    default:
      return isDns1123Subdomain(checkedName);
  }
}

export function validateMetadata(served: Served, m: ObjectMeta): FieldError[] {
  const errors: FieldError[] = [];
  const rule = served.definition.strategy.nameRule;
  if (m.generateName !== undefined && m.generateName !== '') {
    for (const text of nameErrors(rule, m.generateName, true))
      errors.push(fieldError.invalid('metadata.generateName', m.generateName, text));
  }
  if (m.name === undefined || m.name === '')
    errors.push(fieldError.required('metadata.name', 'name or generateName is required'));
  else
    for (const text of nameErrors(rule, m.name, false)) errors.push(fieldError.invalid('metadata.name', m.name, text));
  if (served.definition.namespaced) {
    if (m.namespace === undefined || m.namespace === '') errors.push(fieldError.required('metadata.namespace'));
    else
      for (const text of isDns1123Label(m.namespace))
        errors.push(fieldError.invalid('metadata.namespace', m.namespace, text));
  } else if (m.namespace !== undefined && m.namespace !== '') {
    errors.push(fieldError.forbidden('metadata.namespace', 'not allowed on this type'));
  }
  if (m.generation !== undefined && m.generation < 0)
    errors.push(fieldError.invalid('metadata.generation', m.generation, 'must be greater than or equal to 0'));
  if (m.labels !== undefined) validateLabels(m.labels, 'metadata.labels', errors);
  if (m.annotations !== undefined) validateAnnotations(m.annotations, errors);
  if (m.ownerReferences !== undefined) validateOwners(m.ownerReferences, errors);
  if (m.finalizers !== undefined) validateFinalizers(m.finalizers, errors);
  return errors;
}

export function validateLabels(labels: Readonly<Record<string, string>>, path: string, errors: FieldError[]): void {
  for (const key in labels) {
    for (const text of isQualifiedName(key)) errors.push(fieldError.invalid(path, key, text));
    for (const text of isLabelValue(labels[key]!)) errors.push(fieldError.invalid(path, labels[key], text));
  }
}

function validateAnnotations(annotations: Readonly<Record<string, string>>, errors: FieldError[]): void {
  let total = 0;
  for (const key in annotations) {
    for (const text of isQualifiedName(key.toLowerCase()))
      errors.push(fieldError.invalid('metadata.annotations', key, text));
    total += key.length + Buffer.byteLength(annotations[key]!);
  }
  if (total > ANNOTATIONS_MAX_BYTES) errors.push(fieldError.tooLong('metadata.annotations', ANNOTATIONS_MAX_BYTES));
}

function validateOwners(owners: readonly OwnerReference[], errors: FieldError[]): void {
  let controller: OwnerReference | undefined;
  for (const [index, owner] of owners.entries()) {
    const path = `metadata.ownerReferences[${index}]`;
    if ((owner.apiVersion ?? '') === '' || (owner.apiVersion ?? '').split('/').length > 2) {
      errors.push(fieldError.invalid(`${path}.apiVersion`, owner.apiVersion ?? '', 'version must not be empty'));
    }
    if ((owner.kind ?? '') === '') errors.push(fieldError.invalid(`${path}.kind`, '', 'must not be empty'));
    if ((owner.name ?? '') === '') errors.push(fieldError.invalid(`${path}.name`, '', 'must not be empty'));
    if ((owner.uid ?? '') === '') errors.push(fieldError.invalid(`${path}.uid`, '', 'must not be empty'));
    if (owner.kind === 'Event' && (owner.apiVersion === 'v1' || owner.apiVersion === 'events.k8s.io/v1')) {
      errors.push(fieldError.invalid(path, owner, `${owner.apiVersion}, Kind=Event is disallowed from being an owner`));
    }
    if (owner.controller === true) {
      if (controller !== undefined) {
        errors.push(
          fieldError.invalid(
            'metadata.ownerReferences',
            owners,
            `Only one reference can have Controller set to true. Found "true" in references for ${controller.kind}/${controller.name} and ${owner.kind}/${owner.name}`,
          ),
        );
      } else controller = owner;
    }
  }
}

function validateFinalizers(finalizers: readonly string[], errors: FieldError[]): void {
  for (const [index, finalizer] of finalizers.entries()) {
    const path = `metadata.finalizers[${index}]`;
    const messages = isQualifiedName(finalizer);
    for (const text of messages) errors.push(fieldError.invalid(path, finalizer, text));
    if (messages.length === 0 && !finalizer.includes('/') && !STANDARD_FINALIZERS.has(finalizer)) {
      errors.push(
        fieldError.invalid(path, finalizer, 'name is neither a standard finalizer name nor is it fully qualified'),
      );
    }
  }
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion')) {
    errors.push(
      fieldError.invalid(
        'metadata.finalizers',
        finalizers,
        'finalizer orphan and foregroundDeletion cannot be both set',
      ),
    );
  }
}

/** System fields of an update that the client left out, or may not change: upstream fills them in silently. */
export function metadataForUpdate(m: ObjectMeta, old: ObjectMeta): ObjectMeta {
  return {
    ...m,
    uid: m.uid === undefined || m.uid === '' ? old.uid : m.uid,
    creationTimestamp: m.creationTimestamp ?? old.creationTimestamp,
    deletionTimestamp: old.deletionTimestamp,
    deletionGracePeriodSeconds: old.deletionGracePeriodSeconds,
    generation: old.generation,
    generateName: m.generateName ?? old.generateName,
  };
}

export function validateMetadataUpdate(m: ObjectMeta, old: ObjectMeta): FieldError[] {
  const errors: FieldError[] = [];
  const immutable = (path: string, value: unknown, oldValue: unknown) => {
    if ((value ?? '') !== (oldValue ?? '')) errors.push(fieldError.invalid(path, value ?? '', 'field is immutable'));
  };
  immutable('metadata.name', m.name, old.name);
  immutable('metadata.namespace', m.namespace, old.namespace);
  immutable('metadata.uid', m.uid, old.uid);
  immutable('metadata.creationTimestamp', m.creationTimestamp, old.creationTimestamp);
  if (old.deletionTimestamp !== undefined && m.finalizers !== undefined) {
    const added = m.finalizers.filter((f) => !(old.finalizers ?? []).includes(f));
    if (added.length > 0) {
      errors.push(
        fieldError.forbidden(
          'metadata.finalizers',
          `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((f) => JSON.stringify(f)).join(', ')}}`,
        ),
      );
    }
  }
  return errors;
}
