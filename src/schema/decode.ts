// Bytes of a request → an object in normal form. One scan of the bytes (depth, key count), JSON.parse, the schema-guided
// rebuild; the slow paths run only when a count disagrees or a type does not fit.
import type { KubeObject } from '#machinery/object.ts';
import { QuantityError } from '#machinery/quantity.ts';
import { StatusError } from '#machinery/status.ts';
import { diagnose } from './diagnose.ts';
import { findDuplicates } from './duplicates.ts';
import { type RebuildState, WrongType, rebuild, rebuilderOf } from './rebuild.ts';
import { scan } from './scan.ts';
import type { Schema } from './types.ts';

export { rebuild };

export interface DecodeOptions {
  /** The kind the request's path is about, for messages: `Pod`. */
  readonly kind?: string;
  readonly version?: string;
}

export interface Decoded<T extends KubeObject = KubeObject> {
  readonly object: T;
  /** `unknown field "spec.foo"`, `duplicate field "spec.bar"`: errors under Strict, warnings under Warn. */
  readonly strictErrors: readonly string[];
}

/** Nesting levels; upstream's parser stops at 10,000, which a recursive rebuild cannot follow. */
export const DEPTH_MAX = 1_000;

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** Throws StatusError.badRequest when the bytes are no JSON object or do not fit the schema. */
export function decodeObject<T extends KubeObject = KubeObject>(
  bytes: Uint8Array,
  schema: Schema,
  options: DecodeOptions = {},
): Decoded<T> {
  const scanned = scan(bytes);
  if (scanned.depth > DEPTH_MAX)
    throw StatusError.badRequest(`exceeded max depth: ${DEPTH_MAX} levels of nesting are allowed`);
  const text = utf8.decode(bytes);
  return decodeValue<T>(parse(text, options), schema, options, { keys: scanned.keys, text });
}

/** The same for a value that is parsed already (a patched object, YAML). */
export function decodeValue<T extends KubeObject = KubeObject>(
  value: unknown,
  schema: Schema,
  options: DecodeOptions = {},
  source?: { readonly keys: number; readonly text: string },
): Decoded<T> {
  const state: RebuildState = { keys: 0, unknown: 0 };
  let object: T;
  try {
    object = rebuilderOf(schema)(value, state) as T;
  } catch (error) {
    if (!(error instanceof WrongType) && !(error instanceof QuantityError)) throw error;
    throw cannotBeHandled(value, options, diagnose(value, schema).wrongType ?? 'json: cannot unmarshal the document');
  }
  const duplicates = source !== undefined && source.keys !== state.keys ? findDuplicates(source.text) : NONE;
  const unknown = state.unknown > 0 ? diagnose(value, schema).unknown : NONE;
  return { object, strictErrors: unknown.length + duplicates.length === 0 ? NONE : [...unknown, ...duplicates] };
}

const NONE: readonly string[] = [];

function parse(text: string, options: DecodeOptions): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    const why = text === '' ? 'unexpected end of JSON input (<empty>)' : said;
    const must = options.kind === undefined ? '' : ` (must be of type ${options.kind})`;
    throw StatusError.badRequest(
      `the object provided is unrecognized${must}: couldn't get version/kind; json parse error: ${why}`,
    );
  }
}

function headOf(value: unknown, options: DecodeOptions): { kind: string; version: string } {
  const object = typeof value === 'object' && value !== null ? (value as { kind?: unknown; apiVersion?: unknown }) : {};
  const apiVersion = typeof object.apiVersion === 'string' ? object.apiVersion : '';
  return {
    kind: typeof object.kind === 'string' && object.kind !== '' ? object.kind : (options.kind ?? ''),
    version: apiVersion === '' ? (options.version ?? '') : apiVersion.slice(apiVersion.lastIndexOf('/') + 1),
  };
}

function cannotBeHandled(value: unknown, options: DecodeOptions, why: string): StatusError {
  const { kind, version } = headOf(value, options);
  return StatusError.badRequest(
    `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${options.kind ?? kind}: ${why}`,
  );
}

/** The 400 that fieldValidation=Strict answers with. */
export function strictDecodingError(
  object: unknown,
  errors: readonly string[],
  options: DecodeOptions = {},
): StatusError {
  return cannotBeHandled(object, options, `strict decoding error: ${errors.join(', ')}`);
}
