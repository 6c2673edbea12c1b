// Client-side apply's annotation, as server-side apply by kubectl treats it: what stands in it is kubectl's, and it is kept
// up to date so that client-side apply still works afterwards.
import type { KubeObject } from '#machinery/object.ts';
import type { Schema } from '#schema/types.ts';
import { typeErrors } from './check-typed.ts';
import { compareObjects } from './compare.ts';
import type { FieldSet } from './field-set.ts';
import { pathsOf } from './field-paths.ts';
import { isObject, type JsonObject } from './json.ts';

export const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
/** Bytes of all annotations together; upstream's TotalAnnotationSizeLimitB. */
const ANNOTATIONS_MAX_BYTES = 256 * 1024;

/** The fields of the annotation that still have their values. Undefined without an annotation that can be read. */
export function unchangedSinceLastApplied(live: KubeObject, schema: Schema, apiVersion: string): FieldSet | undefined {
  const text = live.metadata.annotations?.[LAST_APPLIED] ?? '';
  if (text === '') return undefined;
  let last: unknown;
  try {
    last = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(last) || last['apiVersion'] !== apiVersion || typeErrors(last, schema) !== undefined) return undefined;
  const { added, removed, modified } = compareObjects(last, live, schema);
  return pathsOf(last, schema).difference(modified).difference(added).difference(removed);
}

/** The object with the annotation brought up to date, when it has one. */
export function refreshedLastApplied(object: KubeObject, configuration: JsonObject): KubeObject {
  const { annotations } = object.metadata;
  if ((annotations?.[LAST_APPLIED] ?? '') === '') return object;
  const { [LAST_APPLIED]: _old, ...others } = annotations!;
  const refreshed = { ...others, [LAST_APPLIED]: lastAppliedText(configuration) };
  const bytes = Object.entries(refreshed).reduce((n, [k, v]) => n + Buffer.byteLength(k) + Buffer.byteLength(v), 0);
  const kept = bytes > ANNOTATIONS_MAX_BYTES ? others : refreshed;
  return { ...object, metadata: { ...object.metadata, annotations: kept } };
}

/** As Go writes it: keys in order, `<`, `>` and `&` escaped, a line's end. */
function lastAppliedText(configuration: JsonObject): string {
  const metadata = configuration['metadata'];
  let bare = configuration;
  if (isObject(metadata) && isObject(metadata['annotations'])) {
    const { [LAST_APPLIED]: _own, ...annotations } = metadata['annotations'];
    bare = { ...configuration, metadata: { ...metadata, annotations } };
  }
  const escapes: Readonly<Record<string, string>> = {
    '<': '\\u003c',
    '>': '\\u003e',
    '&': '\\u0026',
    '\u2028': '\\u2028',
    '\u2029': '\\u2029',
  };
  return `${JSON.stringify(ordered(bare)).replace(/[<>&\u2028\u2029]/g, (c) => escapes[c]!)}\n`;
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, ordered(value[key])]),
  );
}
